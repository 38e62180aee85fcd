"""CSV file -> :class:`Table`: strict, and every fault of the file at once."""

from __future__ import annotations

import csv
import difflib
import hashlib
import io
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from simulator.errors import InputError
from simulator.files.paths import user_path
from simulator.files.reading import check_rows, decoded, read_bytes
from simulator.measurements.importing.known import READINGS, agree
from simulator.measurements.importing.taken import Record
from simulator.measurements.parsing import Faults, parse_row
from simulator.measurements.rows import (
    CLOSED_COLUMNS,
    FRONTIER_COLUMNS,
    METRICS,
    OPEN_COLUMNS,
    POINT_COLUMNS,
    Column,
    FrontierPoint,
    MeasuredPoint,
    OpenLoopPoint,
    Row,
)
from simulator.measurements.wrong_units import wrong_units
from simulator.results.printable import plain_cell, printable

BYTES_OF_ROW = 8500
"""Memory that a row takes until it is validated: 100,000 took 0.85 GB."""

MISSPELT = 0.85
"""Likeness (difflib) above which an unknown column is taken for a misspelt column of the schema."""

RATE = "request_rate_per_s"


class LackingError(InputError):
    """A file that is right but for columns that it does not have.

    Attributes:
        columns: their names.
    """

    def __init__(self, message: str, columns: Sequence[str]) -> None:
        """The whole message, and the columns."""
        super().__init__(message)
        self.columns = tuple(columns)


@dataclass(frozen=True)
class Table:
    """A measurement file as read, or several.

    Attributes:
        path: the file, or how many.
        kind: ``points`` (runs) or ``frontier`` (interpolated points).
        sha256: of the bytes of the file; of several, of their sums.
        rows: in the order of the file, all of the one kind.
        records: what each row was made of, where :func:`simulator.read_results` read it; else empty.
        notes: what has to be said of the reading, with the file.
    """

    path: str
    kind: Literal["points", "frontier"]
    sha256: str
    rows: tuple[Row, ...]
    records: tuple[Record, ...] = field(default=(), compare=False, repr=False)
    notes: tuple[str, ...] = ()

    @property
    def points(self) -> tuple[MeasuredPoint, ...]:
        """The closed-loop runs of a points file; of a frontier file none."""
        return tuple(row for row in self.rows if isinstance(row, MeasuredPoint))

    @property
    def open_loop(self) -> tuple[OpenLoopPoint, ...]:
        """The open-loop runs of a points file; of a frontier file none."""
        return tuple(row for row in self.rows if isinstance(row, OpenLoopPoint))

    @property
    def frontier(self) -> tuple[FrontierPoint, ...]:
        """The rows of a frontier file; of a points file none."""
        return tuple(row for row in self.rows if isinstance(row, FrontierPoint))


def read_csv(path: str | Path) -> Table:
    """Read a points or frontier file.

    Column names are case-insensitive, their order is free, spaces are trimmed, other columns are kept in ``extras``. A
    file with interactivity and throughput but neither ``tp`` nor a latency is a frontier file.

    Raises:
        InputError: the file cannot be read, or is not what the schema expects; all faults in one message.
    """
    name = str(path)
    return parse_csv(read_bytes(user_path("measurements", name), name), name)


def parse_csv(data: bytes, name: str, known: Mapping[str, str] | None = None) -> Table:
    """The same of the bytes of a file that somebody else has read.

    Args:
        data: of the file.
        name: what messages call it.
        known: column -> value for what the file leaves out; a cell that says otherwise is a fault.

    Raises:
        LackingError: nothing is wrong but that columns are missing.
        InputError: not what the schema expects; all faults in one message.
    """
    known = known or {}
    check_rows(data, name, bytes_each=BYTES_OF_ROW)
    faults = Faults(name)
    lines = list(_lines(name, decoded(data, name)))
    if not lines:
        raise InputError(f"{name}: empty file; expected a header with {_required(POINT_COLUMNS)}")
    header = [cell.lower() for cell in lines[0][1]]
    frontier = _is_frontier([*header, *known])
    columns = FRONTIER_COLUMNS if frontier else POINT_COLUMNS
    absent = _check_header(header, columns, faults, known, frontier=frontier)
    if absent and len(absent) == len(faults.found):
        try:
            faults.raise_if_any()
        except InputError as fault:
            raise LackingError(str(fault), absent) from None
    rows = _rows(lines[1:], header, columns, faults, known, frontier=frontier)
    if not rows and not faults.found:
        faults.add(f"no usable row among {len(lines) - 1}; expected a row with one of {', '.join(METRICS)}")
    faults.raise_if_any()
    return Table(name, "frontier" if frontier else "points", hashlib.sha256(data).hexdigest(), tuple(rows))


def _lines(name: str, text: str) -> Iterator[tuple[int, list[str]]]:
    """(line number of its first character, trimmed cells) of every line that is not blank."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    start = 1
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise InputError(f"{name}, line {reader.line_num}: {error}; expected comma-separated values") from None
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield start, [plain_cell(printable(cell.strip())) for cell in cells]
        start = reader.line_num + 1


def _required(columns: Mapping[str, Column]) -> str:
    return ", ".join(name for name, column in columns.items() if column.required)


def _is_frontier(header: Sequence[str]) -> bool:
    latencies = {name for name in METRICS if name.endswith("_ms")}
    has_both = {"interactivity_tok_s_user", "total_tok_s_gpu"} <= set(header)
    return has_both and "tp" not in header and not latencies & set(header)


def _check_header(
    header: Sequence[str], columns: Mapping[str, Column], faults: Faults, known: Mapping[str, str], *, frontier: bool
) -> list[str]:
    """The required columns that neither the header nor the user has; they and other faults are noted."""
    lacking: list[str] = []
    if len(header) == 1 and any(mark in header[0] for mark in ";\t|"):
        faults.add(f"found one column {header[0][:60]!r}; expected columns separated by commas", line=1)
        return lacking
    for name in sorted({name for name in header if header.count(name) > 1}):
        faults.add("found more than once, expected once", line=1, column=name)
    for name in known.keys() & (READINGS.keys() - {"format"}):
        faults.add(f"found --set {name}, expected none: the columns of this format say what they are", line=1)
    unknown = [name for name in header if name and name not in columns]
    absent = [name for name in columns if name not in header and name not in known]
    for name in absent:
        cutoff = 0.6 if columns[name].required else MISSPELT
        near = difflib.get_close_matches(name, unknown, n=1, cutoff=cutoff)
        if near:
            unknown.remove(near[0])
            faults.add(f"found {near[0]!r}, expected {name!r}: misspelt column?", line=1)
        elif columns[name].required and not (name == "concurrency" and RATE in (*header, *known)):
            faults.add(f"missing column {name!r} ({columns[name].meaning}; {columns[name].expected})", line=1)
            lacking.append(name)
    if not frontier and not set(METRICS) & set(header):
        faults.add(f"no metric; expected at least one of {', '.join(METRICS)}", line=1)
    if faults.found:
        need = _required(columns) + ("" if frontier else " and at least one metric")
        faults.context = f"found columns {', '.join(header)}; expected {need}"
    return lacking


def _rows(
    lines: Sequence[tuple[int, list[str]]],
    header: Sequence[str],
    columns: Mapping[str, Column],
    faults: Faults,
    known: Mapping[str, str],
    *,
    frontier: bool,
) -> list[Row]:
    """The rows without a fault; the faults of the others are noted. Cells are not judged under a faulty header."""
    if faults.found:
        return []
    rows: list[Row] = []
    seen: dict[tuple[str, ...], int] = {}
    for line, found in lines:
        if len(found) != len(header):
            faults.add(f"found {len(found)} cells, expected {len(header)} as in the header", line=line)
            continue
        if (first := seen.setdefault(tuple(found), line)) != line:
            faults.add(f"duplicate of line {first}; expected each run once", line=line)
            continue
        cells = _filled(dict(zip(header, found, strict=True)), columns, known, line, faults)
        own = columns if frontier else _kind_of_run(cells, line, faults)
        values = None if own is None else parse_row(own, cells, line, faults)
        if own is None or values is None:
            continue
        extras = {name: cell for name, cell in cells.items() if name and name not in columns and cell}
        values |= {"file": faults.file, "line": line, "extras": extras}
        if frontier:
            rows.append(FrontierPoint(**values))
            continue
        if own is OPEN_COLUMNS:
            rows.append(OpenLoopPoint(**values))
            continue
        point = MeasuredPoint(**values)
        for column, what in wrong_units(point):
            faults.add(f"found {what}", line=line, column=column)
        rows.append(point)
    if frontier and not faults.found:
        _check_series([row for row in rows if isinstance(row, FrontierPoint)], faults)
    return rows if any(getattr(row, name, None) is not None for row in rows for name in METRICS) else []


def _filled(
    cells: dict[str, str], columns: Mapping[str, Column], known: Mapping[str, str], line: int, faults: Faults
) -> dict[str, str]:
    """The cells with what the user states where they are blank."""
    for name, value in known.items():
        if name not in columns:
            continue
        if not cells.get(name):
            cells[name] = value
        elif not agree(name, cells[name], value):
            what = f"found {cells[name]!r}, and {value!r} by --set {name}; expected one of them"
            faults.add(what, line=line, column=name)
    return cells


def _kind_of_run(cells: Mapping[str, str], line: int, faults: Faults) -> Mapping[str, Column] | None:
    """The schema of a row: of an open loop where it has a rate, else of a closed one; None if it has both."""
    if not cells.get(RATE):
        return CLOSED_COLUMNS
    if cells.get("concurrency"):
        faults.add(f"found {cells[RATE]!r} beside a concurrency, expected one of them", line=line, column=RATE)
        return None
    return OPEN_COLUMNS


def _check_series(rows: Sequence[FrontierPoint], faults: Faults) -> None:
    series: defaultdict[tuple[object, ...], list[FrontierPoint]] = defaultdict(list)
    for row in rows:
        series[row.hardware, row.model, row.precision, row.engine, row.spec, row.isl, row.osl].append(row)
    for members in series.values():
        if len(members) == 1:
            row = members[0]
            label = f"{row.hardware} {row.model} {row.precision} {row.isl}/{row.osl} spec={row.spec}"
            faults.add(f"the only point of its frontier ({label}); expected two or more", line=row.line)
