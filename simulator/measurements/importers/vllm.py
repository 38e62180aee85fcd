"""vLLM ``bench serve`` (``benchmark_serving.py`` until 2025): one JSON object a run, or one a line when appended."""

from __future__ import annotations

import numpy as np

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
from simulator.units import KILO

NAME = "vLLM bench serve"
NEEDS = "num_prompts or request_throughput beside mean_ttft_ms or mean_tpot_ms"
MARKS = {"num_prompts", "request_throughput"}
OTHERS = {"sharegpt_output_len", "random_range_ratio", "total_output_tokens_retokenized", "hw"}
"""Keys that other tools write beside the same latencies."""
PERCENT = 100.0


def recognises(head: Content) -> bool:
    """By num_prompts or request_throughput beside latencies in ms of TTFT or TPOT."""
    keys = head.keys
    timed = any(key.endswith(("_ttft_ms", "_tpot_ms", "_itl_ms", "_e2el_ms")) for key in keys)
    return timed and bool(keys & MARKS) and not keys & OTHERS


def read(content: Content) -> list[Record]:
    """The runs of a file.

    Raises:
        InputError: a faulty value, all of them at once.
    """
    return each_record(content, NAME, _record)


def _record(fields: Fields) -> Record:
    record = fields.record
    done = completed(fields, "completed")
    fields.take_count("failed", "failed", zero=True)
    fields.take("date", "date")
    fields.take("model", "model_id", "model")
    for name, text in (("ttft", TTFT), ("tpot", TPOT), ("itl", ITL), ("e2e", E2E)):
        stem = {"e2e": ("e2el", "latency")}.get(name, (name,))
        patterns = {s: [f"{s}_{one}_ms" for one in stem] for s in MEAN_MEDIAN_P99}
        fields.latencies(name, patterns, "ms", text, zero=name in ("tpot", "itl"))
    fields.take_number("requests_per_s", "request_throughput", unit="1/s", definition="finished requests per second")
    _lengths(fields, done)
    _throughput(fields)
    _without_empty(fields, done)
    _speculation(fields)
    tpot_of_means(record, None if not done else _mean(fields, "total_output_tokens", "output_lens", done))
    arrivals(
        record,
        concurrency=(fields.number("max_concurrency"), "max_concurrency"),
        rate=(fields.number("request_rate", infinite=True), "request_rate"),
        prompts=(fields.count("num_prompts") or done, "num_prompts"),
        burstiness=(fields.number("burstiness"), "burstiness"),
    )
    if record.value("concurrency") is None and record.value("request_rate_per_s") is None:
        record.note("neither request_rate nor max_concurrency: how requests came is not in the file")
    chunks(record)
    return record


def _mean(fields: Fields, total: str, detail: str, done: int) -> float | None:
    found = fields.number(total, zero=True)
    if found is None:
        lengths = fields.numbers(detail)
        found = None if lengths is None else sum(lengths)
    return None if found is None else found / done


def _lengths(fields: Fields, done: int | None) -> None:
    if done:
        means = [_mean(fields, f"total_{side}_tokens", f"{side}_lens", done) for side in ("input", "output")]
        mean_lengths(fields, means[0], means[1], "total_input_tokens / completed", "total_output_tokens / completed")


def _throughput(fields: Fields) -> None:
    record = fields.record
    fields.take_number(OUTPUT, "output_throughput", unit="tok/s", definition="output tokens, all GPUs")
    fields.take_number(TOTAL, "total_token_throughput", unit="tok/s", definition="input and output tokens, all GPUs")
    given, made = fields.number("input_throughput"), record.value(OUTPUT)
    if given is not None and made is not None:
        where = "input_throughput + output_throughput"
        record.put(TOTAL, given + made, where, "tok/s", "input and output tokens, all GPUs")
    tokens = (fields.number("total_input_tokens", zero=True), fields.number("total_output_tokens", zero=True))
    from_tokens(record, tokens, fields.number("duration"), "total_input_tokens, total_output_tokens / duration")


def _without_empty(fields: Fields, done: int | None) -> None:
    """Requests without output count with a TTFT of 0 in files of 2024: taken out of the TTFT as far as detail goes."""
    record = fields.record
    lengths = fields.numbers("output_lens")
    empty = 0 if lengths is None else sum(length == 0 for length in lengths)
    errors = fields.get("errors")
    failed = sum(bool(error) for error in errors) if isinstance(errors, list) else 0
    empty -= min(failed, empty)
    if lengths is None or not empty or not done or empty >= done:
        return
    times = fields.numbers("ttfts")
    if times is not None and len(times) == len(lengths):
        found = np.array([t * KILO for t, n in zip(times, lengths, strict=True) if n > 0])
        values = {"mean": found.mean(), "median": np.median(found), "p99": np.percentile(found, 99)}
        for statistic, value in values.items():
            record.taken.pop(f"{statistic}_ttft_ms", None)
            record.put(f"{statistic}_ttft_ms", float(value), "ttfts", "s", f"{TTFT}, of requests with output; to ms")
        record.note(f"{empty} of {done} requests have no output; dropped from TTFT")
        return
    mean = record.taken.pop("mean_ttft_ms", None)
    if mean is not None:
        text = f"{TTFT}, of requests with output: {empty} of {done} have none and count as 0; x {done} / {done - empty}"
        record.put("mean_ttft_ms", mean.value * done / (done - empty), "mean_ttft_ms, output_lens", "ms", text)
    record.note(
        f"{empty} of {done} requests have no output and count with a TTFT of 0: dropped from the mean; the file lacks "
        "ttfts, so median and percentiles still count them"
    )


def _speculation(fields: Fields) -> None:
    record = fields.record
    stem = "spec_decode_"
    drafts, tokens = fields.number(f"{stem}num_drafts", zero=True), fields.number(f"{stem}draft_tokens", zero=True)
    depth = round(tokens / drafts) if drafts and tokens else None
    length = fields.number(f"{stem}acceptance_length", zero=True)
    rate = fields.number(f"{stem}acceptance_rate", zero=True)
    if drafts == 0 or (length in (None, 0.0) and rate is None and depth is None):
        text = "taken, since the file has no drafts; --set spec=mtp if there were"
        record.put("spec", "off", f"{stem}*", definition=text, weak=True)
        return
    record.put("spec", "mtp", f"{stem}*", definition="drafts are in the file", weak=True)
    if depth is not None:
        record.put("spec_tokens", depth, f"{stem}draft_tokens / {stem}num_drafts", "tokens", "drafted per round")
    if length:
        text = "tokens per round, 1 + accepted over rounds"
        record.put("acceptance_length", length, f"{stem}acceptance_length", "tokens/round", text)
    elif rate is not None and depth is not None:
        text = "1 + rate x k: the rate is accepted over drafted tokens, in %"
        record.put("acceptance_length", 1.0 + rate / PERCENT * depth, f"{stem}acceptance_rate", "%", text)
