"""LLMPerf: ``..._summary.json``, one run a file. Its client polls, so that fewer requests are in flight than asked."""

from __future__ import annotations

from simulator.measurements.importing.content import Content
from simulator.measurements.importing.fields import Fields
from simulator.measurements.importing.shared import (
    E2E,
    TTFT,
    arrivals,
    completed,
    each_record,
    mean_lengths,
    no_drafts,
    tpot_of_means,
)
from simulator.measurements.importing.taken import OUTPUT, TOTAL, Record
from simulator.units import SECONDS

NAME = "LLMPerf summary"
NEEDS = "results_ttft_s_mean, results_end_to_end_latency_s_mean, num_concurrent_requests"
STATISTICS = {"mean": "mean", "median": "quantiles_p50", "p99": "quantiles_p99"}


def recognises(head: Content) -> bool:
    """By its prefix ``results_`` with latencies in s."""
    return any(key.startswith(("results_ttft_s", "results_end_to_end_latency_s")) for key in head.keys)


def read(content: Content) -> list[Record]:
    """The runs of a file.

    Raises:
        InputError: a faulty value, all of them at once.
    """
    return each_record(content, NAME, _record)


def _record(fields: Fields) -> Record:
    record = fields.record
    done = completed(fields, "results_num_completed_requests")
    fields.take("model", "model")
    for name, stem, text in (("ttft", "ttft", TTFT), ("e2e", "end_to_end_latency", E2E)):
        fields.latencies(name, {ours: [f"results_{stem}_s_{s}"] for ours, s in STATISTICS.items()}, "s", text)
    lengths = [
        fields.first(f"results_number_{side}_tokens_mean", f"mean_{side}_tokens") for side in ("input", "output")
    ]
    isl, osl = (fields.number(path) for path in lengths)
    mean_lengths(fields, isl, osl, lengths[0] or "", lengths[1] or "")
    tpot_of_means(record, osl)
    if record.value("mean_tpot_ms") is not None:
        record.note("results_inter_token_latency_s is E2E / output tokens, TTFT included: not taken for TPOT")
    made = fields.number("results_mean_output_throughput_token_per_s")
    per_min = fields.number("results_num_completed_requests_per_min")
    if made is None and per_min is not None and osl:
        made = per_min / SECONDS["min"] * osl
    where = "results_mean_output_throughput_token_per_s"
    record.put(OUTPUT, made, where, "tok/s", "output tokens, all GPUs")
    if made is not None and isl is not None and osl:
        text = "output tokens x (mean input + output) / output"
        record.put(TOTAL, made * (isl + osl) / osl, f"{where}, mean lengths", "tok/s", text)
    clients = fields.number("num_concurrent_requests")
    arrivals(record, concurrency=(clients, "num_concurrent_requests"), rate=(None, ""), prompts=(done, ""))
    record.put("client", "polls", "-", definition="starts requests when it looks, and so does not keep its concurrency")
    record.note("LLMPerf's client does not keep its concurrency: Little's law is not held against it")
    no_drafts(record)
    return record
