"""aiperf and genai-perf: ``profile_export_aiperf.json`` and ``profile_export_genai_perf.json``, one run a file."""

from __future__ import annotations

import re
import shlex

from simulator.measurements.importing.aiperf import stated, take_metrics
from simulator.measurements.importing.content import Content
from simulator.measurements.importing.fields import Fields
from simulator.measurements.importing.shared import arrivals, chunks, completed, each_record, no_drafts
from simulator.measurements.importing.taken import Record

NAME = "aiperf or genai-perf JSON"
NEEDS = "request_latency, time_to_first_token and others with unit and avg"
MARKS = ("request_latency", "time_to_first_token", "inter_token_latency", "request_throughput")


def recognises(head: Content) -> bool:
    """By metrics that are objects with ``unit`` and ``avg``."""
    if not head.objects:
        return False
    found = head.objects[0][1]
    inner = found.get("records")
    return any(stated(found, name) or (isinstance(inner, dict) and stated(inner, name)) for name in MARKS)


def read(content: Content) -> list[Record]:
    """The runs of a file.

    Raises:
        InputError: a faulty value, all of them at once.
    """
    return each_record(content, NAME, _record)


def _record(fields: Fields) -> Record:
    record = fields.record
    under = "records." if any(fields.get(f"records.{name}") is not None for name in MARKS) else ""
    done = completed(fields, f"{under}request_count.avg")
    take_metrics(fields, under)
    config = "input_config."
    fields.take(
        "model",
        *(f"{config}models.items.0.name", f"{config}endpoint.model_names", f"{config}endpoint.model_name"),
        *(f"{config}model_names", f"{config}model", f"{config}models.0", f"{config}tokenizer.name"),
    )
    phase = _profiling(fields)
    words = _words(fields.text(f"{config}cli_command") or fields.text("cli_command") or "")
    concurrency = _first(
        fields,
        *([f"{phase}.concurrency"] if phase else []),
        *(f"{config}loadgen.concurrency", f"{config}concurrency", f"{config}perf_analyzer.stimulus.concurrency"),
    )
    rate = _first(
        fields,
        *([f"{phase}.rate", f"{phase}.request_rate"] if phase else []),
        *(f"{config}loadgen.request_rate", f"{config}request_rate", f"{config}perf_analyzer.stimulus.request_rate"),
    )
    if concurrency[0] is None and words.get("concurrency"):
        concurrency = (words["concurrency"], "cli_command --concurrency")
    if rate[0] is None and words.get("request-rate"):
        rate = (words["request-rate"], "cli_command --request-rate")
    no_drafts(record)
    arrivals(record, concurrency=concurrency, rate=rate, prompts=(done, "request_count"))
    chunks(record)
    return record


def _profiling(fields: Fields) -> str | None:
    """Path of the phase that is measured."""
    phases = fields.get("input_config.phases")
    if not isinstance(phases, list):
        return None
    for i, phase in enumerate(phases):
        if isinstance(phase, dict) and phase.get("name") in ("profiling", "profile"):
            return f"input_config.phases.{i}"
    return f"input_config.phases.{len(phases) - 1}" if phases else None


def _first(fields: Fields, *paths: str) -> tuple[float | None, str]:
    path = next((one for one in paths if fields.get(one) not in (None, "")), "")
    return (fields.number(path) if path else None, path)


def _words(command: str) -> dict[str, float]:
    """The numbers that a command line gives its options."""
    try:
        words = shlex.split(command)
    except ValueError:
        words = command.split()
    joined = " ".join(words)
    return {
        name: float(found[1])
        for name in ("concurrency", "request-rate")
        if (found := re.search(rf"--{name}[ =]([0-9]+(?:\.[0-9]+)?)", joined)) is not None
    }
