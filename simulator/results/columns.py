"""Every column that a result can have: unit and meaning, declared once in ``columns.csv``.

Derived names need no line of their own: ``X_lo`` and ``X_hi`` are the ends of the 90 % interval of ``X``;
``predicted_X``, ``error_X`` (predicted / measured - 1) and ``inside_X`` (measured within the interval) belong to a
measured ``X``; ``off_X`` is ``X`` of the same replica without drafts. A name such as ``ms_per_token_k{depth}`` stands
for one column per depth.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from importlib import resources


@dataclass(frozen=True)
class Column:
    """One column. ``unit`` is empty for words; alternatives are separated by ``|``."""

    name: str
    unit: str
    meaning: str


def _read() -> dict[str, Column]:
    text = resources.files("simulator.results").joinpath("columns.csv").read_text(encoding="utf-8")
    return {row["name"]: Column(**row) for row in csv.DictReader(text.splitlines())}


COLUMNS = _read()
"""Name -> column, in the order of the file."""

UNITS = {column.name: column.unit for column in COLUMNS.values()}
"""Unit of every declared column."""

ENDS = {"_lo": "lower end of the 90 % interval", "_hi": "upper end of the 90 % interval"}
STARTS = {
    "predicted_": "predicted",
    "error_": "predicted / measured - 1",
    "inside_": "whether the measured value is inside the 90 % interval",
    "off_": "without drafts",
}
UNITS_OF_STARTS = {"error_": "fraction", "inside_": "true|false"}
"""Of the others it is the unit of the column itself."""

FAMILIES = {
    re.compile(re.sub(r"\\{\w+\\}", r"[a-z0-9.]+", re.escape(name))): column
    for name, column in COLUMNS.items()
    if "{" in name
}
"""Pattern -> column, for the names with a place to fill in."""


def declared(name: str) -> Column | None:
    """The column behind a name, derived names included; None if there is no such column.

    Example:
        >>> declared("mean_tpot_ms_lo").unit, declared("error_mean_tpot_ms").unit
        ('ms', 'fraction')
        >>> declared("ttft-p99_ms").meaning
        'a promised percentile as reached at one rate'
    """
    if name in COLUMNS:
        return COLUMNS[name]
    for end, meaning in ENDS.items():
        base = COLUMNS.get(name.removesuffix(end)) if name.endswith(end) else None
        if base is not None:
            return Column(name, base.unit, f"{meaning}: {base.meaning}")
    for start, meaning in STARTS.items():
        base = COLUMNS.get(name.removeprefix(start)) if name.startswith(start) else None
        if base is not None:
            return Column(name, UNITS_OF_STARTS.get(start, base.unit), f"{meaning}: {base.meaning}")
    for pattern, column in FAMILIES.items():
        if pattern.fullmatch(name):
            return Column(name, column.unit, column.meaning)
    return None
