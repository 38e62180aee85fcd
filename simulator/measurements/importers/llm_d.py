"""llm-d-benchmark: benchmark reports in YAML or JSON, one run a file; inference-perf's names, each with ``units``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

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

NAME = "llm-d-benchmark report"
NEEDS = "scenario beside latency.time_to_first_token with units and mean"
LATENCIES = {
    "ttft": ("time_to_first_token", TTFT),
    "tpot": ("time_per_output_token", f"{TPOT}; normalized_time_per_output_token includes TTFT and is not taken"),
    "itl": ("inter_token_latency", ITL),
    "e2e": ("request_latency", E2E),
}
STATISTICS = {"mean": ("mean",), "median": ("median", "p50"), "p99": ("p99",)}
DEEPEST = 8
RATES = ("rate", "request_rate", "rate_qps", "requested_rate", "qps")
CLIENTS = ("concurrency", "max_concurrency", "concurrency_level", "num_concurrent_requests")


def recognises(head: Content) -> bool:
    """By latencies with ``units`` under any key, in a report that is not inference-perf's own."""
    return "successes" not in head.keys and _parent(head.document) is not None


def read(content: Content) -> list[Record]:
    """The run of a file.

    Raises:
        InputError: a faulty value, all of them at once.
    """
    faults = Faults(content.name)
    document = content.document
    fields = Fields(document, Record(NAME, content.name, 1), faults)
    record = fields.record
    under = _parent(document) or ""
    under = f"{under}." if under else ""
    done = completed(fields, *(f"{under}requests.{key}" for key in ("successes", "completed", "successful", "total")))
    fields.take_count("failed", f"{under}requests.failures", zero=True)
    for name, (metric, text) in LATENCIES.items():
        base = f"{under}latency.{metric}"
        unit = (fields.text(f"{base}.units") or fields.text(f"{base}.unit") or "s").partition("/")[0]
        patterns = {s: [f"{base}.{p}" for p in paths] for s, paths in STATISTICS.items()}
        fields.latencies(name, patterns, unit, text, zero=name in ("tpot", "itl"))
    lengths = [
        fields.first(*(f"{under}requests.{one}.mean" for one in names), *(f"{under}{one}.mean" for one in names)) or ""
        for names in (("input_length", "prompt_len", "input_len"), ("output_length", "output_len"))
    ]
    mean_lengths(fields, fields.number(lengths[0]), fields.number(lengths[1]), *lengths)
    for column, names, text in (
        (OUTPUT, ("output_tokens_per_sec", "output_token_rate"), "output tokens, all GPUs"),
        (TOTAL, ("total_tokens_per_sec", "total_token_rate"), "input and output tokens, all GPUs"),
        ("requests_per_s", ("requests_per_sec", "request_rate"), "finished requests per second"),
    ):
        unit = "1/s" if column == "requests_per_s" else "tok/s"
        paths = [f"{under}throughput.{one}{end}" for one in names for end in (".mean", ".value", "")]
        path = next((one for one in paths if isinstance(fields.get(one), int | float | str)), None)
        if path is not None:
            record.put(column, fields.number(path), path, unit, text)
    _scenario(fields)
    clients, rate = (_load(document, names) for names in (CLIENTS, RATES))
    arrivals(
        record,
        concurrency=(fields.number(clients), clients or ""),
        rate=(fields.number(rate, infinite=True), rate or ""),
        prompts=(done, "requests"),
    )
    no_drafts(record)
    chunks(record)
    faults.raise_if_any()
    return [record]


def _scenario(fields: Fields) -> None:
    """What a report says of the deployment; whoever knows better may state it."""
    fields.take("model", "scenario.model.name", "scenario.load.args.server.model_name", weak=True)
    host = "scenario.host.accelerator"
    inner = f"{host}.0" if isinstance(fields.get(host), list) else host
    fields.take("hardware", f"{inner}.model", definition="accelerator of the first host", weak=True)
    path = f"{inner}.parallelism.tp"
    fields.record.put("tp", fields.count(path), path, "GPUs", "of the first host", weak=True)
    platform = "scenario.platform.engine"
    inner = f"{platform}.0" if isinstance(fields.get(platform), list) else platform
    fields.take("engine", f"{inner}.name", weak=True)
    fields.take("engine_version", f"{inner}.version", weak=True)


def _walk(found: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every mapping with its path, the outer ones first."""
    if depth > DEEPEST:
        return
    if isinstance(found, Mapping):
        yield path, found
        for key, value in found.items():
            yield from _walk(value, f"{path}.{key}" if path else str(key), depth + 1)
    elif isinstance(found, list):
        for i, value in enumerate(found[:20]):
            yield from _walk(value, f"{path}.{i}", depth + 1)


def _parent(document: Mapping[str, Any]) -> str | None:
    """Path of what holds the latencies; empty at the top, None where there are none with units."""
    for path, found in _walk(document):
        latency = found.get("latency")
        if isinstance(latency, Mapping):
            for name in ("time_to_first_token", "request_latency"):
                one = latency.get(name)
                if isinstance(one, Mapping) and ("units" in one or "unit" in one):
                    return path
    return None


def _load(document: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    """Path of the first number of one of these names under a key that speaks of load."""
    for path, found in _walk(document):
        if "load" not in path.split("."):
            continue
        for name in names:
            value = found.get(name)
            if isinstance(value, int | float | str) and not isinstance(value, bool):
                return f"{path}.{name}"
    return None
