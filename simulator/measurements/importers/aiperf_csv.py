"""aiperf and genai-perf as CSV: tables of metrics with percentiles, one run a file, without its concurrency."""

from __future__ import annotations

import re
from typing import Any

from simulator.measurements.importing.aiperf import take_metrics
from simulator.measurements.importing.content import Content
from simulator.measurements.importing.fields import Fields
from simulator.measurements.importing.shared import arrivals, chunks, completed, no_drafts
from simulator.measurements.importing.taken import Record
from simulator.measurements.parsing import Faults

NAME = "aiperf or genai-perf CSV"
NEEDS = "a table with Metric,avg,min,max,... and rows such as Time to First Token (ms)"
SINGLE = "value"
_METRIC = re.compile(r"(?P<name>[^()]+?)\s*(?:\((?P<unit>[^()]*)\))?$")


def recognises(head: Content) -> bool:
    """By a first column ``Metric`` beside statistics or a value."""
    header = head.header
    return header[:1] == ("metric",) and bool({"avg", "p99", "value"} & set(header))


def read(content: Content) -> list[Record]:
    """The one run of a file.

    Raises:
        InputError: a faulty value, all of them at once.
    """
    faults = Faults(content.name)
    fields = Fields(_metrics(content, faults), Record(NAME, content.name, 1), faults, "the run")
    record = fields.record
    done = completed(fields, "request_count.avg")
    take_metrics(fields)
    no_drafts(record)
    arrivals(record, concurrency=(None, ""), rate=(None, ""), prompts=(done, "request_count"))
    record.note("the CSV does not hold the concurrency: --set concurrency=N gives it, or the JSON beside it")
    chunks(record)
    faults.raise_if_any()
    return [record]


def _metrics(content: Content, faults: Faults) -> dict[str, Any]:
    """The tables as the JSON has them: name -> unit and statistics."""
    found: dict[str, Any] = {}
    header: list[str] = []
    for line, cells in content.cells:
        if not any(cells):
            continue
        if cells[0].lower() == "metric":
            header = [cell.lower() for cell in cells]
            continue
        if len(cells) > len(header):
            faults.add(f"found {len(cells)} cells, expected at most {len(header)} as in the header", line=line)
            continue
        match = _METRIC.match(cells[0])
        if match is None:
            continue
        name = re.sub(r"[^a-z0-9]+", "_", match["name"].lower()).strip("_")
        values = {
            ("avg" if key == SINGLE else key): cell.replace(",", "") for key, cell in zip(header, cells, strict=False)
        }
        values.pop("metric", None)
        found.setdefault(name, {**values, "unit": match["unit"] or ""})
    return found
