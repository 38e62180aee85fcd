"""Our own CSV: the schema of ``simulator/measurements/rows.py``, one run or one point of a frontier a row."""

from __future__ import annotations

from simulator.measurements.importing.content import Content
from simulator.measurements.importing.taken import Record
from simulator.measurements.rows import FRONTIER_COLUMNS, POINT_COLUMNS

NAME = "mtpsim CSV"
NEEDS = "a header with hardware, model, precision, engine, isl, osl, tp, concurrency and a metric"
FEWEST = 2
"""Columns that a header shares with the schema."""


def recognises(head: Content) -> bool:
    """By columns of the schema in the header."""
    return len(set(head.header) & (POINT_COLUMNS.keys() | FRONTIER_COLUMNS.keys())) >= FEWEST


def read(content: Content) -> list[Record]:
    """The rows as they stand, their cells as text; :func:`simulator.measurements.reading.parse_csv` judges them."""
    header = content.header
    return [
        _record(content.name, line, dict(zip(header, cells, strict=False)))
        for line, cells in content.cells
        if any(cells) and tuple(cell.lower() for cell in cells) != header
    ]


def _record(name: str, line: int, cells: dict[str, str]) -> Record:
    record = Record(NAME, name, line)
    for column, cell in cells.items():
        record.put(column, cell or None, column)
    return record
