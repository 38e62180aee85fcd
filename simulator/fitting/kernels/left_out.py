"""Which rows of kernel tables no fit used, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from simulator.fitting.kernels.classes import KERNELS, classes
from simulator.fitting.kernels.table import FORMATS, KernelRow, KernelTable


def left_out(tables: Sequence[KernelTable], used: Sequence[KernelRow]) -> dict[str, int]:
    """Reason -> number of rows, the most rows first; empty if all were used.

    Args:
        tables: as read.
        used: the rows that were fitted.
    """
    found: Counter[str] = Counter()
    found["of another accelerator"] = sum(table.elsewhere for table in tables)
    found["outliers"] = sum(table.outliers for table in tables)
    taken = {id(row) for row in used}
    rows = [row for table in tables for row in table.rows]
    for row in rows:
        if id(row) not in taken:
            found[_reason(row)] += 1
    return {reason: count for reason, count in found.most_common() if count}


def _reason(row: KernelRow) -> str:
    """Alone it may be a row of some class, which has another implementation as its main one; a row of no class is of
    another kernel or format, or its load or shape is of no use."""
    if any(kind.rows([row]) for kind in classes()):
        return "other implementations"
    if row.kernel not in KERNELS:
        return "other kernels"
    stored = row.precision.rsplit("/kv_", 1)[-1]
    formats = FORMATS.get(stored), FORMATS.get(row.words["activation"] or stored)
    if formats[0] is None or formats[0] != formats[1]:
        return f"other formats ({'/'.join(filter(None, (row.precision, row.words['activation'])))})"
    return "shape missing, or load too small to tell"
