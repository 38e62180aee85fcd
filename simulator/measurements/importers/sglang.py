"""SGLang ``bench_serving``: JSON lines, one run a line, appended run by run."""

from __future__ import annotations

import math

from simulator.measurements.importing.content import Content
from simulator.measurements.importing.fields import MEAN_MEDIAN_P99, Fields
from simulator.measurements.importing.shared import (
    E2E,
    ITL,
    TPOT,
    TTFT,
    arrivals,
    chunks,
    completed,
    each_record,
    from_tokens,
    mean_lengths,
    tpot_of_means,
)
from simulator.measurements.importing.taken import OUTPUT, TOTAL, Record

NAME = "SGLang bench_serving"
NEEDS = "backend, dataset_name, random_input_len and random_output_len with latencies in ms"
ENGINES = {"sglang": "sglang", "vllm": "vllm", "trt": "trtllm"}
"""Beginning of a backend -> the engine behind it: this tool's backends are named after servers."""
NEAR = 0.1
"""How near the mean lengths must be to those that the options give."""


def recognises(head: Content) -> bool:
    """By its options in the record: random_range_ratio, random_input_len, sharegpt_output_len."""
    keys = head.keys
    options = {"random_input_len", "random_output_len", "random_range_ratio", "sharegpt_output_len", "dataset_name"}
    return len(keys & options) >= 2 and "request_rate" in keys and any(key.endswith("_ms") for key in keys)


def read(content: Content) -> list[Record]:
    """The runs of a file.

    Raises:
        InputError: a faulty value, all of them at once.
    """
    return each_record(content, NAME, _record, "line" if _lines(content) else "record")


def _lines(content: Content) -> bool:
    return content.first_line.startswith("{") and content.first_line.endswith("}")


def _record(fields: Fields) -> Record:
    record = fields.record
    done = completed(fields, "completed")
    backend = (fields.text("backend") or "").lower()
    engine = next((engine for start, engine in ENGINES.items() if backend.startswith(start)), None)
    record.put("engine", engine, "backend", definition="the server that the backend is named after")
    fields.take("model", "model_id", "model", "server_info.model_path", "server_info.served_model_name")
    for name, text in (("ttft", TTFT), ("tpot", TPOT), ("itl", ITL), ("e2e", E2E)):
        stem = "e2e_latency" if name == "e2e" else name
        patterns = {s: [f"{s}_{stem}_ms"] for s in MEAN_MEDIAN_P99}
        fields.latencies(name, patterns, "ms", text, zero=name in ("tpot", "itl"))
    tokens = (fields.number("total_input_tokens", zero=True), fields.number("total_output_tokens", zero=True))
    seconds = fields.number("duration")
    fields.take_number("requests_per_s", "request_throughput", unit="1/s", definition="finished requests per second")
    if done and seconds:
        record.put("requests_per_s", done / seconds, "completed / duration", "1/s", "finished requests per second")
    fields.take_number(OUTPUT, "output_throughput", unit="tok/s", definition="output tokens, all GPUs")
    fields.take_number(
        TOTAL, "total_throughput", "total_token_throughput", unit="tok/s", definition="input and output, all GPUs"
    )
    from_tokens(record, tokens, seconds, "total_input_tokens, total_output_tokens / duration")
    means = [None if not done or t is None else t / done for t in tokens]
    _lengths(fields, means[0], means[1])
    tpot_of_means(record, means[1])
    length = fields.number("accept_length", zero=True)
    if length:
        record.put("spec", "mtp", "accept_length", definition="drafts are in the file", weak=True)
        record.put("acceptance_length", length, "accept_length", "tokens/round", "tokens per round")
    else:
        text = "taken, since accept_length is absent; --set spec=mtp if there were drafts"
        record.put("spec", "off", "accept_length", definition=text, weak=True)
    rate = fields.number("request_rate", infinite=True)
    rate = math.inf if rate is None and "request_rate" in fields.found else rate
    arrivals(
        record,
        concurrency=(fields.number("max_concurrency"), "max_concurrency"),
        rate=(rate, "request_rate"),
        prompts=(fields.count("num_prompts") or done, "completed"),
    )
    if not backend.startswith("sglang") and backend:
        record.note(f"backend {backend!r}: SGLang's client against another server")
    chunks(record)
    return record


def _lengths(fields: Fields, isl: float | None, osl: float | None) -> None:
    """Nominal lengths where the data set is of random lengths and the totals fit them, else means."""
    record = fields.record
    given, made = fields.number("random_input_len"), fields.number("random_output_len")
    ratio = fields.number("random_range_ratio", zero=True)
    random = (fields.text("dataset_name") or "random").startswith("random")
    if random and given and made and ratio is not None and ratio <= 1.0:
        fits = all(
            mean is None or abs(mean / (0.5 * (max(1.0, ratio * nominal) + nominal)) - 1.0) <= NEAR
            for mean, nominal in ((isl, given), (osl, made))
        )
        if fits and given == int(given) and made == int(made):
            text = f"nominal length L; lengths are uniform from {ratio:g} L to L"
            record.put("isl", int(given), "random_input_len", "tokens", text)
            record.put("osl", int(made), "random_output_len", "tokens", text)
            least = 1.0 / max(given, made)
            how = "shortest over nominal length; 0 is from one token"
            record.put("range_ratio", max(ratio, least), "random_range_ratio", "", how)
            return
    mean_lengths(fields, isl, osl, "total_input_tokens / completed", "total_output_tokens / completed")
