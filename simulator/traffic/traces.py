"""Traffic from files: request traces (CSV, or JSONL as the Mooncake trace) and rate profiles over the day.

A malformed row is refused by its line number, as is one that is out of order.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.bounds import parse_number
from simulator.errors import InputError, brief
from simulator.files.json_reading import parse_json_object
from simulator.files.paths import user_path
from simulator.files.reading import check_rows, decoded, read_bytes
from simulator.units import MILLI

Array = NDArray[np.float64]
Row = tuple[int, Sequence[Any]]

TRACE_COLUMNS = ("arrival_s", "input_tokens", "output_tokens")
MOONCAKE_FIELDS = ("timestamp", "input_length", "output_length")
PROFILE_COLUMNS = ("start_s", "requests_per_s")
FAULTS_SHOWN = 5
BYTES_OF_ROW = 400
"""Memory that a row takes while it is read, an estimate."""
LONGEST = 2_000_000
"""Longest prompt or answer, tokens."""
LATEST = 1e14
"""Time, in the unit of the file: the present in milliseconds since 1970 is a hundredth of it."""
FASTEST = 1e9
"""Requests/s."""


def read_trace(path: str) -> tuple[Array, Array, Array]:
    """Arrival times (s, from the first row's own zero), input and output tokens of a trace.

    A file that ends in ``.jsonl`` or ``.json`` has one JSON object per line with the Mooncake fields ``timestamp``
    (ms), ``input_length`` and ``output_length``; anything else is CSV with the columns ``arrival_s``,
    ``input_tokens`` and ``output_tokens``, in any order, other columns ignored.

    Raises:
        InputError: lists the first faulty lines by number.
    """
    mooncake = path.lower().endswith((".jsonl", ".json"))
    names = MOONCAKE_FIELDS if mooncake else TRACE_COLUMNS
    rows = _jsonl_rows(path, names) if mooncake else _csv_rows(path, names)
    table = _parse(path, rows, names, (_time, _tokens, _tokens), ordered=True)
    return table[:, 0] * (MILLI if mooncake else 1.0), table[:, 1], table[:, 2]


def read_pairs(path: str) -> tuple[tuple[int, int], ...]:
    """Pairs of (input, output) tokens of a CSV file, in file order.

    Raises:
        InputError: lists the first faulty lines by number.
    """
    names = TRACE_COLUMNS[1:]
    table = _parse(path, _csv_rows(path, names), names, (_tokens, _tokens), ordered=False)
    return tuple((int(a), int(b)) for a, b in table)


def read_profile(path: str) -> tuple[Array, Array]:
    """Start times (s) and the rates (requests/s) that hold from there on.

    Raises:
        InputError: lists the first faulty lines by number; the first start must be 0 and some rate above 0.
    """
    table = _parse(path, _csv_rows(path, PROFILE_COLUMNS), PROFILE_COLUMNS, (_time, _rate), ordered=True)
    if table[0, 0] != 0:
        raise InputError(f"{path}: line 2: {PROFILE_COLUMNS[0]}: the profile must start at 0, found {table[0, 0]:g}")
    if not table[:, 1].any():
        raise InputError(f"{path}: no rate above zero")
    return table[:, 0], table[:, 1]


def _parse(
    path: str, rows: Iterator[Row], names: Sequence[str], kinds: Sequence[Callable[[Any], float]], ordered: bool
) -> Array:
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
    if not out:
        raise InputError(f"{path}: no rows")
    return np.array(out)


def _number(value: Any) -> float:
    if isinstance(value, str):
        return parse_number(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("expected a number")
    if not math.isfinite(value):  # JSON has no infinity, but 1e999 is read as one
        raise ValueError("expected a finite number")
    return float(value)


def _time(value: Any) -> float:
    number = _number(value)
    if not 0 <= number <= LATEST:
        raise ValueError(f"expected a time of at least 0 and at most {LATEST:g}")
    return number


def _rate(value: Any) -> float:
    number = _number(value)
    if not 0 <= number <= FASTEST:
        raise ValueError(f"expected a rate of at least 0 and at most {FASTEST:g}")
    return number


def _tokens(value: Any) -> float:
    number = _number(value)
    if not 1 <= number <= LONGEST or number != int(number):
        raise ValueError(f"expected whole tokens from 1 to {LONGEST}")
    return number


def _opened(path: str) -> io.StringIO:
    data = read_bytes(user_path("trace", path), path)
    check_rows(data, path, bytes_each=BYTES_OF_ROW)
    return io.StringIO(decoded(data, path), newline="")


def _csv_rows(path: str, names: Sequence[str]) -> Iterator[Row]:
    reader = csv.reader(_opened(path))
    try:
        header = [cell.strip().lower() for cell in next(reader, [])]
        missing = [name for name in names if name not in header]
        if missing:
            found = ", ".join(header) or "an empty file"
            raise InputError(f"{path}: line 1: expected the columns {', '.join(names)}, found {found}")
        places = [header.index(name) for name in names]
        width = len(header)
        for row in reader:
            if not any(row):
                continue
            if len(row) != width:
                raise InputError(f"{path}: line {reader.line_num}: expected {width} cells, found {len(row)}")
            yield reader.line_num, [row[i] for i in places]
    except csv.Error as fault:
        raise InputError(f"{path}: line {reader.line_num + 1}: {fault}; expected comma-separated values") from None


def _jsonl_rows(path: str, names: Sequence[str]) -> Iterator[Row]:
    for line, text in enumerate(_opened(path), start=1):
        if not text.strip():
            continue
        entry = parse_json_object(text, f"{path}: line {line}")
        missing = [name for name in names if name not in entry]
        if missing:
            raise InputError(f"{path}: line {line}: missing {', '.join(missing)}")
        yield line, [entry[name] for name in names]
