"""Rows -> CSV file that :func:`simulator.measurements.read_csv` reads back."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from simulator.files.kinds import Glimpse, Kind
from simulator.files.writing import write_file
from simulator.measurements.rows import FRONTIER_COLUMNS, POINT_COLUMNS, FrontierPoint, Row
from simulator.results.printable import safe_cell


def write_csv(path: str | Path, rows: Sequence[Row]) -> None:
    """Write rows of one kind with all columns of their schema and their extras; None is blank.

    The file appears whole or not at all, in place of an earlier file of measured rows at most.

    Raises:
        ValueError: no row, or runs and points of a frontier.
        InputError: the file cannot be written, or another kind of file stands there.
        MachineError: the disk is full.
    """
    write_file("measured rows", path, MEASURED, csv_of(rows))


def csv_of(rows: Sequence[Row]) -> str:
    """The same as text.

    Raises:
        ValueError: no row, or runs and points of a frontier.
    """
    kinds = {isinstance(row, FrontierPoint) for row in rows}
    if len(kinds) != 1:
        raise ValueError(f"expected rows of one kind; found {len(kinds)} kinds")
    columns = FRONTIER_COLUMNS if kinds == {True} else POINT_COLUMNS
    extras = sorted({name for row in rows for name in row.extras})
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(safe_cell, [*columns, *extras]))
    for row in rows:
        values = [getattr(row, name, None) for name in columns] + [row.extras.get(name) for name in extras]
        writer.writerow(["" if v is None else safe_cell(v) if isinstance(v, str) else v for v in values])
    return text.getvalue()


def _is_measured(found: Glimpse) -> bool:
    """A header with all columns that either kind of row must have."""
    names = {name.strip().lower() for name in found.first_line.split(",")}
    required = [{n for n, c in columns.items() if c.required} for columns in (POINT_COLUMNS, FRONTIER_COLUMNS)]
    return any(one <= names for one in required)


MEASURED = Kind("a file of measured rows", _is_measured)
