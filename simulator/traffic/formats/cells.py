"""Rows of a traffic file, and the numbers in them; all faults of a file, up to a few, at once."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.bounds import parse_number
from simulator.errors import InputError, brief
from simulator.files.json_reading import parse_json_object

Array = NDArray[np.float64]
Row = tuple[int, Sequence[Any]]
"""Number of a line, and its cells."""
Kind = Callable[[Any], float]

FAULTS_SHOWN = 5
LONGEST = 2_000_000
"""Longest prompt or answer, tokens."""
LATEST = 1e14
"""Time, in the unit of the file: the present in milliseconds since 1970 is a hundredth of it."""
FASTEST = 1e9
"""Requests/s."""


def csv_rows(text: str, path: str, names: Sequence[str]) -> Iterator[Row]:
    """The cells under these names of a table, in any order and letter case, other columns ignored.

    Raises:
        InputError: a name is missing, or a row has another number of cells than the first.
    """
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        header = [cell.strip().lower() for cell in next(reader, [])]
        missing = [name for name in names if name.lower() not in header]
        if missing:
            found = ", ".join(header) or "an empty file"
            raise InputError(f"{path}: line 1: expected the columns {', '.join(names)}, found {found}")
        places = [header.index(name.lower()) for name in names]
        width = len(header)
        for row in reader:
            if not any(row):
                continue
            if len(row) != width:
                raise InputError(f"{path}: line {reader.line_num}: expected {width} cells, found {len(row)}")
            yield reader.line_num, [row[i] for i in places]
    except csv.Error as fault:
        raise InputError(f"{path}: line {reader.line_num + 1}: {fault}; expected comma-separated values") from None


def jsonl_rows(text: str, path: str, names: Sequence[str], optional: Sequence[str] = ()) -> Iterator[Row]:
    """The values under these keys of one JSON object per line; None where an optional one is absent.

    Raises:
        InputError: a line is no JSON object, or lacks a key.
    """
    for line, entry in enumerate(io.StringIO(text, newline=""), start=1):
        if not entry.strip():
            continue
        found = parse_json_object(entry, f"{path}: line {line}")
        missing = [name for name in names if name not in found]
        if missing:
            raise InputError(f"{path}: line {line}: missing {', '.join(missing)}")
        yield line, [found[name] for name in names] + [found.get(name) for name in optional]


def parse_rows(
    path: str,
    rows: Iterable[Row],
    names: Sequence[str],
    kinds: Sequence[Kind],
    *,
    ordered: bool = True,
) -> Array:
    """The numbers of all rows, shape (rows, columns).

    Args:
        path: of the file, for messages.
        rows: as of :func:`csv_rows`.
        names: of the columns, for messages.
        kinds: what makes a number of each cell, or raises ValueError with what was expected.
        ordered: whether the first column must not fall.

    Raises:
        InputError: the first faulty lines by number.
    """
    out: list[list[float]] = []
    faults: list[str] = []
    before, before_line = -math.inf, 0
    for line, cells in rows:
        values = []
        for name, kind, cell in zip(names, kinds, cells, strict=True):
            try:
                values.append(kind(cell))
            except (ValueError, TypeError) as fault:
                faults.append(f"{path}: line {line}: {name}: {fault}, found {brief(cell)}")
                break
        else:
            if ordered and values[0] < before:
                faults.append(
                    f"{path}: line {line}: {names[0]} {values[0]:g} is before {before:g} of line {before_line}; "
                    "rows must be in order of time"
                )
            before, before_line = values[0], line
            out.append(values)
        if len(faults) >= FAULTS_SHOWN:
            break
    if faults:
        raise InputError("\n".join(faults))
    return np.array(out) if out else np.zeros((0, len(names)))


def number_of(value: Any) -> float:
    """A finite number of a cell or of JSON.

    Raises:
        ValueError: says what was expected.
    """
    if isinstance(value, str):
        return parse_number(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("expected a number")
    if not math.isfinite(value):  # JSON has no infinity, but 1e999 is read as one
        raise ValueError("expected a finite number")
    return float(value)


def time_of(value: Any) -> float:
    """A time of at least 0, in the unit of the file.

    Raises:
        ValueError: says what was expected.
    """
    return _from_zero(value, LATEST, "a time")


def rate_of(value: Any) -> float:
    """Requests/s, at least 0.

    Raises:
        ValueError: says what was expected.
    """
    return _from_zero(value, FASTEST, "a rate")


def _from_zero(value: Any, most: float, what: str) -> float:
    number = number_of(value)
    if not 0 <= number <= most:
        raise ValueError(f"expected {what} of at least 0 and at most {most:g}")
    return number


def tokens_of(value: Any) -> float:
    """Whole tokens, at least one.

    Raises:
        ValueError: says what was expected.
    """
    number = number_of(value)
    if not 1 <= number <= LONGEST or number != int(number):
        raise ValueError(f"expected whole tokens from 1 to {LONGEST}")
    return number
