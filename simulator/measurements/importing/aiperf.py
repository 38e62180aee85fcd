"""What aiperf and genai-perf measure, by the names of their JSON; their CSV spells the same out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.measurements.importing.fields import Fields
from simulator.measurements.importing.shared import E2E, ITL, TPOT, TTFT, from_tokens, mean_lengths
from simulator.measurements.importing.taken import OUTPUT, TOTAL

STATISTICS = {"mean": "avg", "median": "p50", "p99": "p99"}
LATENCIES = {
    "ttft": ("time_to_first_token", TTFT),
    "tpot": ("inter_token_latency", f"{TPOT}, which this tool calls inter token latency"),
    "itl": ("inter_chunk_latency", ITL),
    "e2e": ("request_latency", E2E),
}
UNITS = {"sec": "s", "seconds": "s", "milliseconds": "ms", "nanoseconds": "ns", "microseconds": "us"}
INPUT, MADE = ("input_sequence_length", "num_input_token"), ("output_sequence_length", "num_output_token")


def take_metrics(fields: Fields, under: str = "") -> None:
    """Take latencies, lengths and throughput; metrics stand at ``under`` + name, each with ``unit`` and ``avg``."""
    record = fields.record
    for name, (metric, text) in LATENCIES.items():
        unit = fields.text(f"{under}{metric}.unit") or "ms"
        patterns = {ours: [f"{under}{metric}.{theirs}"] for ours, theirs in STATISTICS.items()}
        zero = name in ("tpot", "itl")
        fields.latencies(name, patterns, UNITS.get(unit, unit), text, zero=zero)
    path = fields.first(*(f"{under}{one}.avg" for one in ("request_throughput",)))
    if path is not None:
        record.put("requests_per_s", fields.number(path), path, "1/s", "finished requests per second")
    lengths = [fields.first(*(f"{under}{one}.avg" for one in side)) for side in (INPUT, MADE)]
    isl, osl = (fields.number(path) for path in lengths)
    mean_lengths(fields, isl, osl, lengths[0] or "", lengths[1] or "")
    for column, metric, text in (
        (OUTPUT, "output_token_throughput", "output tokens, all GPUs"),
        (TOTAL, "total_token_throughput", "input and output tokens, all GPUs"),
    ):
        path = fields.first(f"{under}{metric}.avg")
        if path is not None:
            record.put(column, fields.number(path), path, "tok/s", text)
    made = record.value(OUTPUT)
    if made is not None and isl is not None and osl:
        where = f"{under}output_token_throughput, mean lengths"
        record.put(TOTAL, made * (isl + osl) / osl, where, "tok/s", "output tokens x (mean input + output) / output")
    rate = record.value("requests_per_s")
    if rate is not None:
        from_tokens(record, (isl, osl), 1.0 / rate, "request_throughput, mean lengths", "tokens x requests per second")


def stated(found: Mapping[str, Any], metric: str) -> bool:
    """Whether a metric is there in the form that both tools write."""
    value = found.get(metric)
    return isinstance(value, Mapping) and "unit" in value and "avg" in value
