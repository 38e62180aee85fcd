"""InferenceX (InferenceMAX until 2026): ``agg_bmk.json``, an array of runs or one of them, latencies in seconds."""

from __future__ import annotations

import math

from simulator.facts.reading import shipped_name
from simulator.measurements.importing.content import Content
from simulator.measurements.importing.fields import MEAN_MEDIAN_P99, Fields
from simulator.measurements.importing.shared import E2E, ITL, TPOT, TTFT, chunks, each_record
from simulator.measurements.importing.taken import Record

NAME = "InferenceX agg_bmk"
NEEDS = "hw, conc, tput_per_gpu"
PREFIXES = {"dsr1": "deepseek-r1", "gptoss": "gpt-oss-120b", "70b": "llama-3.3-70b"}
"""Model as a run calls it where the repository is not one that ships -> profile."""
ENGINES = ("sglang", "vllm", "trt", "atom")
OF_GPUS = ("tp", "pp", "pcp")
"""Ranks that multiply to the GPUs of a replica."""


def recognises(head: Content) -> bool:
    """By throughput per GPU beside the accelerator."""
    return "tput_per_gpu" in head.keys and bool(head.keys & {"hw", "conc", "infmax_model_prefix"})


def read(content: Content) -> list[Record]:
    """The runs of a file.

    Raises:
        InputError: a faulty value, all of them at once.
    """
    return each_record(content, NAME, _record)


def _record(fields: Fields) -> Record:
    record = fields.record
    fields.take("hardware", "hw", definition="accelerator")
    hardware = record.value("hardware")
    if hardware is not None and shipped_name("hardware", hardware) is None:
        short = hardware
        while "-" in short and shipped_name("hardware", short) is None:
            short = short.rpartition("-")[0]
        if shipped_name("hardware", short) is not None:
            record.taken.pop("hardware")
            record.put("hardware", short, "hw", definition=f"accelerator, without the runner's suffix: {hardware}")
    _model(fields)
    framework = (fields.text("framework") or "").lower()
    engine = next((one for one in ENGINES if one in framework), framework) or None
    record.put("engine", "trtllm" if engine == "trt" else engine, "framework", definition="serving engine")
    fields.take("engine_version", "image")
    fields.take("precision", "precision")
    fields.take("spec", "spec_decoding", definition="none, mtp or the kind of draft")
    record.put("spec", "off", "spec_decoding", definition="taken, since the file names no drafts", weak=True)
    for name, text in (("isl", "input"), ("osl", "output")):
        fields.take_count(name, name, definition=f"nominal {text} length L; lengths are uniform from 0.8 L to L")
    fields.take_count("concurrency", "conc", "concurrency", definition="closed-loop clients")
    for name, text in (("ttft", TTFT), ("tpot", TPOT), ("itl", ITL), ("e2e", E2E)):
        stem = "e2el" if name == "e2e" else name
        fields.latencies(name, {s: [f"{s}_{stem}"] for s in MEAN_MEDIAN_P99}, "s", text)
    if record.value("median_tpot_ms") is None:
        fields.take_number("interactivity_tok_s_user", "median_intvty", unit="tok/s/user", definition="1 / median TPOT")
    pools = _gpus(fields)
    _throughput(fields, pools)
    chunks(record)
    return record


def _model(fields: Fields) -> None:
    record = fields.record
    fields.take("model", "model", "model_id")
    prefix = fields.text("infmax_model_prefix")
    named = record.value("model")
    known = PREFIXES.get(prefix or "")
    if known is not None and (named is None or shipped_name("model", named) is None):
        if named is not None:
            record.put("checkpoint", named, "model", definition="weights as published")
        record.taken.pop("model", None)
        record.put("model", known, "infmax_model_prefix", definition=f"{prefix} is {known}", weak=True)


def _gpus(fields: Fields) -> tuple[int, int] | None:
    """Take how the GPUs are used.

    Returns:
        GPUs that prefill and that decode of a disaggregated run, else None.
    """
    record = fields.record
    pools = (fields.count("num_prefill_gpu", zero=True), fields.count("num_decode_gpu", zero=True))
    if pools[0] is not None and pools[1] is not None and pools[1] > 0 and fields.get("tp") is None:
        total = pools[0] + pools[1]
        record.put("tp", fields.count("decode_tp"), "decode_tp", "GPUs", "of one worker that decodes")
        record.put("tp", pools[1], "num_decode_gpu", "GPUs", "GPUs that decode")
        record.put("gpus", total, "num_prefill_gpu + num_decode_gpu", "GPUs", "all GPUs of the deployment")
        record.put("ep", fields.count("decode_ep", zero=True) or None, "decode_ep", "ranks", "where it decodes")
        fields.take("dp_attention", "decode_dp_attention")
        for name in ("tp", "ep", "dp_attention", "num_workers"):
            fields.take(f"prefill_{name}", f"prefill_{name}", definition="of the pool that prefills")
        fields.take("decode_num_workers", "decode_num_workers", definition="workers that decode")
        record.put("prefill_gpus", pools[0], "num_prefill_gpu", "GPUs", "GPUs that prefill")
        record.put("decode_gpus", pools[1], "num_decode_gpu", "GPUs", "GPUs that decode")
        fields.take("disagg", "disagg")
        fields.take("is_multinode", "is_multinode")
        return (pools[0], pools[1]) if pools[0] > 0 else None
    ranks = {name: fields.count(name) or 1 for name in (*OF_GPUS, "dp_size")}
    if fields.get("tp") is not None:
        gpus = math.prod(ranks.values())
        if ranks["tp"] == 1 and ranks["dp_size"] > 1:
            text = "data-parallel ranks of one GPU each: attention is data-parallel, the replica is all of them"
            record.put("tp", gpus, "tp x pp x pcp x dp_size", "GPUs", text)
            record.put("dp_attention", "true", "dp_size", definition=text)
        else:
            record.put("tp", ranks["tp"], "tp", "GPUs", "tensor-parallel GPUs of the replica")
            if gpus != ranks["tp"]:
                record.put("gpus", gpus, "tp x pp x pcp x dp_size", "GPUs", "all GPUs of the run")
    record.put("ep", fields.count("ep", zero=True) or None, "ep", "ranks", "expert-parallel ranks, inside TP")
    fields.take("dp_attention", "dp_attention")
    if (fields.text("disagg") or "").lower() == "true":
        fields.take("disagg", "disagg")
    return None


def _throughput(fields: Fields, pools: tuple[int, int] | None) -> None:
    record = fields.record
    unit, text = "tok/s/GPU", "input and output tokens over all GPUs"
    fields.take_number("total_tok_s_gpu", "tput_per_gpu", unit=unit, definition=text)
    output = fields.number("output_tput_per_gpu")
    if output is None:
        return
    if pools is None:
        record.put("output_tok_s_gpu", output, "output_tput_per_gpu", unit, "output tokens over all GPUs")
        return
    share = pools[1] / sum(pools)
    text = f"output tokens per GPU that decodes; x {pools[1]} / {sum(pools)} to all GPUs"
    record.put("output_tok_s_gpu", output * share, "output_tput_per_gpu", unit, text)
