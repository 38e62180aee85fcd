"""Result files of tools as rows of our CSV: where every value is from, and what does not add up."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from simulator.measurements.files import Files
from simulator.measurements.gathering import gather
from simulator.measurements.importing.completing import explained
from simulator.measurements.importing.known import Stated
from simulator.measurements.importing.taken import Record
from simulator.measurements.reading import Table
from simulator.measurements.rows import FRONTIER_COLUMNS, POINT_COLUMNS, FrontierPoint, MeasuredPoint, Row
from simulator.measurements.writing import csv_of, write_csv
from simulator.measurements.wrong_units import wrong_units
from simulator.results.table import Result
from simulator.validation.consistency.client import check_client
from simulator.validation.consistency.finding import Finding
from simulator.validation.consistency.gpu_count import check_gpus

OFFERS = {
    "output_as_total": "--set throughput_counts=output reads it so",
    "total_as_output": "--set throughput_counts=total reads it so",
    "wrong_units": "--set latency_unit=s reads latencies so",
}
"""Finding -> what the user may say of the file."""
NEAR = 0.08
"""How near (in log) a factor must be to the number of GPUs."""
SHOWN = 20


@dataclass(frozen=True)
class Conversion(Result):
    """Converted rows.

    Attributes:
        meta: files, their formats, and how many rows.
        table: the rows, and the record behind each.
        said: what the user should know: notes of the conversion, and figures that do not add up, with the option that
            would read them otherwise. Nothing of it was applied.
    """

    meta: Mapping[str, Any]
    table: Table
    said: tuple[str, ...]

    def records(self) -> Sequence[Mapping[str, Any]]:
        """One row per run: the columns of our schema, ``source_file`` and ``source_record``."""
        frontier = self.table.kind == "frontier"
        columns = FRONTIER_COLUMNS if frontier else POINT_COLUMNS
        return [
            {name: _plain(getattr(row, name, None)) for name in columns}
            | {"source_file": row.file, "source_record": row.line}
            for row in self.table.rows
        ]

    def document(self) -> Mapping[str, Any]:
        """``meta``, ``rows``, ``said``, and ``taken``: of every row its columns with value, field, unit, definition."""
        return {"meta": self.meta, "rows": self.records(), "said": self.said, "taken": self.explanation()}

    def explanation(self) -> list[dict[str, Any]]:
        """Of every row and column: ``source_file``, ``source_record``, ``column``, ``value``, ``field``,
        ``field_unit``, ``definition``."""
        return [
            {
                "source_file": record.file,
                "source_record": record.number,
                "column": taken.column,
                "value": _plain(taken.value),
                "field": taken.field,
                "field_unit": taken.unit,
                "definition": taken.definition,
            }
            for record in self.table.records
            for taken in explained(record)
        ]

    @property
    def csv(self) -> str:
        """The rows as our CSV, extras and all, as :func:`simulator.read_measurements` reads it."""
        return csv_of(self._rows())

    def write(self, path: str | Path) -> None:
        """Write that as a file, whole or not at all.

        Raises:
            InputError: the file cannot be written, or another kind of file stands there.
        """
        write_csv(path, self._rows())

    def _rows(self) -> list[Row]:
        return [_with_source(row) for row in self.table.rows]


def convert(files: Files, *, known: Stated = None) -> Conversion:
    """Result files of benchmark tools as rows of our CSV, with the source of every value.

    Args:
        files: a path, a folder, a pattern, or several of them.
        known: what the files do not hold, as of :func:`simulator.read_results`.

    Raises:
        InputError: as of :func:`simulator.read_results`.

    Example:
        >>> from simulator import convert, shipped_measurements
        >>> found = convert(shipped_measurements("sglang_mi355x_8k1k.csv"))
        >>> found.records()[0]["source_record"], found.explanation()[0]["column"]
        (2, 'hardware')
    """
    table = gather([files] if isinstance(files, str | Path) else list(files), known)
    tools = {record.file: record.tool for record in table.records}
    meta = {"files": list(tools), "tools": list(dict.fromkeys(tools.values())), "rows": len(table.rows)}
    return Conversion(meta, table, (*table.notes, *_checks(table.rows, table.records)))


def _checks(rows: Sequence[Row], records: Sequence[Record]) -> list[str]:
    """Figures that Little's law forbids, with the option that reads them otherwise; the same of several rows once."""
    out: dict[tuple[str, str], list[str]] = {}
    numbered = [replace(row, line=i) for i, row in enumerate(rows) if isinstance(row, MeasuredPoint)]
    pairs = [(row, finding) for row in numbered for finding in check_gpus(row)]
    for row, finding in check_client(pairs):
        record = records[row.line]
        if finding.kind == "client_polls":
            continue  # a note of the record says so
        offer = _offer(finding, record, row.all_gpus if isinstance(row, MeasuredPoint) else 1)
        text = f"record {record.number}: {finding.severity}, {finding.kind}: {finding.message}{offer}"
        out.setdefault((record.file, finding.kind), []).append(text)
    for row in numbered:
        for column, what in wrong_units(row):
            record = records[row.line]
            text = f"record {record.number}: impossible, wrong_units: {column}: found {what} ({OFFERS['wrong_units']})"
            out.setdefault((record.file, "wrong_units"), []).append(text)
    said = []
    for (file, _), texts in out.items():
        more = f" (and {len(texts) - 1} more records)" if len(texts) > 1 else ""
        said.append(f"{file}: {texts[0]}{more}")
    return said[:SHOWN]


def _offer(finding: Finding, record: Record, gpus: int) -> str:
    """What would make figures agree, as an option: throughput of a GPU or of all, of all tokens or of the output."""
    names = finding.data.get("candidates")
    kinds = [finding.kind, *(map(str, names) if isinstance(names, list) else [])]
    implied, taken = finding.data.get("implied_gpus"), record.taken.get("total_tok_s_gpu")
    taken = taken or record.taken.get("output_tok_s_gpu")
    if gpus > 1 and taken is not None and isinstance(implied, float):
        times = math.log(implied / gpus)
        each = taken.unit == "tok/s/GPU"
        if each and abs(times + math.log(gpus)) <= NEAR:
            return " (--set throughput_of=replica divides it by the GPUs)"
        if not each and abs(times - math.log(gpus)) <= NEAR:
            return " (--set throughput_of=gpu does not divide it by the GPUs)"
    return next((f" ({OFFERS[kind]})" for kind in kinds if kind in OFFERS), "")


def _with_source(row: Row) -> Row:
    extras = {**row.extras}
    extras.setdefault("source_file", row.file)
    extras.setdefault("source_record", str(row.line))
    if isinstance(row, FrontierPoint):
        return replace(row, extras=extras)
    return replace(row, extras=extras)


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
