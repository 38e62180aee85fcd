"""inference-perf: lifecycle reports in YAML or JSON, one stage or one run a file, latencies in seconds."""

from __future__ import annotations

from simulator.measurements.importing.content import Content
from simulator.measurements.importing.fields import Fields
from simulator.measurements.importing.shared import (
    E2E,
    ITL,
    TPOT,
    TTFT,
    arrivals,
    chunks,
    completed,
    mean_lengths,
    no_drafts,
)
from simulator.measurements.importing.taken import OUTPUT, TOTAL, Record
from simulator.measurements.parsing import Faults

NAME = "inference-perf"
NEEDS = "successes with latency and throughput, load_summary"
LATENCIES = {
    "ttft": ("time_to_first_token", TTFT),
    "tpot": ("time_per_output_token", f"{TPOT}; normalized_time_per_output_token includes TTFT and is not taken"),
    "itl": ("inter_token_latency", ITL),
    "e2e": ("request_latency", E2E),
}
STATISTICS = {"mean": ("mean",), "median": ("median", "p50"), "p99": ("p99",)}


def recognises(head: Content) -> bool:
    """By ``successes`` with latencies."""
    found = head.document.get("successes")
    return isinstance(found, dict) and ("latency" in found or "throughput" in found)


def read(content: Content) -> list[Record]:
    """The run of a file.

    Raises:
        InputError: a faulty value, all of them at once.
    """
    faults = Faults(content.name)
    fields = Fields(content.document, Record(NAME, content.name, 1), faults)
    record = fields.record
    completed(fields, "successes.count")
    fields.take_count("failed", "failures.count", zero=True)
    for name, (metric, text) in LATENCIES.items():
        patterns = {s: [f"successes.latency.{metric}.{p}" for p in paths] for s, paths in STATISTICS.items()}
        fields.latencies(name, patterns, "s", text, zero=name in ("tpot", "itl"))
    paths = ("successes.prompt_len.mean", "successes.output_len.mean")
    mean_lengths(fields, fields.number(paths[0]), fields.number(paths[1]), *paths)
    rates = "successes.throughput."
    fields.take_number("requests_per_s", f"{rates}requests_per_sec", unit="1/s", definition="finished requests")
    fields.take_number(OUTPUT, f"{rates}output_tokens_per_sec", unit="tok/s", definition="output tokens, all GPUs")
    fields.take_number(TOTAL, f"{rates}total_tokens_per_sec", unit="tok/s", definition="input and output, all GPUs")
    _load(fields)
    no_drafts(record)
    chunks(record)
    faults.raise_if_any()
    return [record]


def _load(fields: Fields) -> None:
    rate = fields.first("load_summary.requested_rate", "load_summary.achieved_rate")
    clients = fields.first("load_summary.concurrency", "load_summary.concurrency_level")
    found = fields.number(clients)
    arrivals(
        fields.record,
        concurrency=(found, clients or ""),
        rate=(None if found is not None else fields.number(rate), rate or ""),
    )
    achieved = fields.number("load_summary.achieved_rate")
    fields.record.put("achieved_rate_per_s", achieved, "load_summary.achieved_rate", "1/s", "rate that was sent")
