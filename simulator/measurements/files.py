"""Measured files by path, shipped ones by name, and the rows of several at once."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from simulator.errors import unknown_name
from simulator.measurements.reading import read_csv
from simulator.measurements.rows import Row
from simulator.measurements.selection import select as selected

Files = str | Path | Sequence[Any]
"""A path, or paths, or rows that were read already."""


def shipped_measurements(name: str) -> Path:
    """Path of a measured CSV file that ships with the package, such as ``sglang_mi355x_8k1k.csv``.

    Raises:
        InputError: no such file; those that ship are named.

    Example:
        >>> from simulator import shipped_measurements
        >>> shipped_measurements("atom_mi355x_tp4.csv").name
        'atom_mi355x_tp4.csv'
    """
    path = Path(str(resources.files("simulator").joinpath("measurements", "published", name)))
    if not path.is_file():
        raise unknown_name("shipped measurements", name, (p.name for p in path.parent.glob("*.csv")))
    return path


def read_measurements(files: Files, *, select: str | None = None) -> tuple[Row, ...]:
    """Rows of one or several measured CSV files; rows that were read already are passed on.

    Args:
        files: a path, or paths, or rows.
        select: which rows, such as ``"engine=ATOM and precision=FP8"``.

    Raises:
        InputError: unreadable files, faults in them, or a selection that leaves nothing.

    Example:
        >>> from simulator import read_measurements, shipped_measurements
        >>> len(read_measurements(shipped_measurements("sglang_mi355x_8k1k.csv"), select="precision=FP4"))
        18
    """
    rows: list[Row] = []
    for one in [files] if isinstance(files, str | Path) else files:
        rows += read_csv(one).rows if isinstance(one, str | Path) else [one]
    return tuple(selected(rows, select)) if select else tuple(rows)
