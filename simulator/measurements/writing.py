"""Rows -> CSV file that :func:`simulator.measurements.read_csv` reads back."""

from __future__ import annotations

import csv
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from simulator.files.printable import safe_cell
from simulator.measurements.rows import FRONTIER_COLUMNS, POINT_COLUMNS, MeasuredPoint, Row


def write_csv(path: str | Path, rows: Sequence[Row]) -> None:
    """Write rows of one kind with all columns of their schema and their extras; None is blank.

    The file appears whole or not at all: it is written beside its place and renamed.

    Raises:
        ValueError: no row, or rows of both kinds.
    """
    kinds = {type(row) for row in rows}
    if len(kinds) != 1:
        raise ValueError(f"expected rows of one kind; found {len(kinds)} kinds")
    columns = POINT_COLUMNS if kinds == {MeasuredPoint} else FRONTIER_COLUMNS
    extras = sorted({name for row in rows for name in row.extras})
    target = Path(path)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", text=True)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(map(safe_cell, [*columns, *extras]))
            for row in rows:
                values = [getattr(row, name) for name in columns] + [row.extras.get(name) for name in extras]
                writer.writerow(["" if v is None else safe_cell(v) if isinstance(v, str) else v for v in values])
        os.chmod(temporary, 0o644)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise
