"""Measured files by path, shipped ones by name, and the rows of several at once."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from simulator.errors import unknown_name
from simulator.measurements.gathering import gather, parse_results
from simulator.measurements.importing.known import Stated
from simulator.measurements.rows import Row
from simulator.measurements.selection import select as selected

Files = str | Path | Sequence[Any]
"""A path, a folder or a pattern, or several of them, or rows that were read already."""


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


def read_measurements(files: Files, *, select: str | None = None, known: Stated = None) -> tuple[Row, ...]:
    """Rows of one or several result files, of our CSV or as tools write them; rows that were read are passed on.

    Args:
        files: a path, a folder, a pattern, or several of them, or rows.
        select: which rows, such as ``"engine=ATOM and precision=FP8"``.
        known: what the files do not hold, as of :func:`simulator.read_results`.

    Raises:
        InputError: unreadable files, faults in them, missing columns, or a selection that leaves nothing.

    Example:
        >>> from simulator import read_measurements, shipped_measurements
        >>> len(read_measurements(shipped_measurements("sglang_mi355x_8k1k.csv"), select="precision=FP4"))
        18
    """
    named = [files] if isinstance(files, str | Path) else list(files)
    places = [one for one in named if isinstance(one, str | Path)]
    rows: list[Row] = [one for one in named if not isinstance(one, str | Path)]
    if places:
        rows += gather(places, known).rows
    return tuple(selected(rows, select)) if select else tuple(rows)


def parse_measurements(text: str | bytes, name: str = "measurements", *, known: Stated = None) -> tuple[Row, ...]:
    """Rows of the content of a result file, as strict as :func:`read_measurements`; no file is opened.

    Args:
        text: of the file.
        name: what messages and rows call it.
        known: what the file does not hold, as of :func:`simulator.read_results`.

    Raises:
        InputError: not what the schema expects; all faults in one message.

    Example:
        >>> from simulator import parse_measurements, shipped_measurements
        >>> len(parse_measurements(shipped_measurements("sglang_mi355x_8k1k.csv").read_bytes()))
        32
    """
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    return parse_results(data, name, known).rows
