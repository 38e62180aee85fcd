"""Windows of ServeGen (alibaba/ServeGen): start, rate, cv of the gaps, family, shape and scale; usually no header.

The gaps of a window follow the family and shape given; the rate sets their mean, so that the scale says nothing new. A
window without requests may leave the rest blank.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from simulator.errors import InputError, brief
from simulator.traffic.formats.cells import FAULTS_SHOWN, Row, number_of, rate_of, time_of
from simulator.traffic.formats.head import Head, is_number
from simulator.traffic.trace import FAMILIES, Gaps, Rates

NAME = "ServeGen windows"
COLUMNS = ("start_s", "rate", "cv", "family", "shape", "scale")
LEAST = 3
"""Cells of a window without a family."""
MOST_CV = 20.0
SHAPES = (0.01, 1e4)
WORDS = {"poisson": "exponential", "expon": "exponential", "weibull_min": "weibull"} | {name: name for name in FAMILIES}
"""Families as they are written."""


def recognises(head: Head) -> bool:
    """Three numbers and the word of a family in some line, or a header that says so."""
    if {"rate", "cv"} <= head.header:
        return True
    return any(
        len(row) > LEAST and all(map(is_number, row[:LEAST])) and row[LEAST].lower() in WORDS for row in head.cells
    )


def read(text: str, path: str) -> Rates:
    """Start times (s, from the first window), rates (requests/s) and gaps.

    Raises:
        InputError: the first faulty lines by number, or no window with requests.
    """
    found: list[tuple[float, float, Gaps]] = []
    faults: list[str] = []
    for line, cells in _rows(text, path):
        try:
            window = _window(cells)
            if found and window[0] <= found[-1][0]:
                raise ValueError(
                    f"{COLUMNS[0]}: windows must be in order of time, found {window[0]:g} after {found[-1][0]:g}"
                )
            found.append(window)
        except ValueError as fault:
            faults.append(f"{path}: line {line}: {fault}")
        if len(faults) >= FAULTS_SHOWN:
            break
    if faults:
        raise InputError("\n".join(faults))
    if not any(rate > 0 for _, rate, _ in found):
        raise InputError(f"{path}: {NAME}: no window with a rate above zero")
    starts = np.array([start for start, _, _ in found])
    last = float(np.median(np.diff(starts))) if starts.size > 1 else None
    starts = starts - starts[0]
    length = None if last is None else float(starts[-1]) + last
    return Rates(NAME, starts, np.array([rate for _, rate, _ in found]), tuple(gaps for _, _, gaps in found), length)


def _rows(text: str, path: str) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if not any(cells) or (reader.line_num == 1 and not is_number(cells[0])):
                continue
            yield reader.line_num, cells
    except csv.Error as fault:
        raise InputError(f"{path}: line {reader.line_num + 1}: {fault}; expected comma-separated values") from None


def _window(cells: Sequence[Any]) -> tuple[float, float, Gaps]:
    if len(cells) < LEAST - 1:
        raise ValueError(f"expected {', '.join(COLUMNS)}, found {len(cells)} cells")
    start, rate = _cell(cells, 0, time_of), _cell(cells, 1, rate_of)
    if rate == 0:
        return start, rate, Gaps()
    if len(cells) < LEAST:
        raise ValueError(f"{COLUMNS[2]}: missing")
    cv = _cell(cells, 2, _cv_of)
    word = cells[3].lower() if len(cells) > LEAST else ""
    if word and word not in WORDS:
        raise ValueError(f"{COLUMNS[3]}: expected {', '.join(FAMILIES)}, found {brief(cells[3])}")
    family = WORDS.get(word, "gamma")
    if family == "exponential":
        return start, rate, Gaps("gamma", 1.0)
    shape = _cell(cells, 4, _shape_of) if len(cells) > LEAST + 1 and cells[4] else None
    return start, rate, Gaps(family, cv, shape)


def _cell(cells: Sequence[Any], place: int, kind: Any) -> float:
    try:
        return float(kind(cells[place]))
    except (ValueError, TypeError) as fault:
        raise ValueError(f"{COLUMNS[place]}: {fault}, found {brief(cells[place])}") from None


def _cv_of(value: Any) -> float:
    number = number_of(value)
    if not (math.isfinite(number) and 0 <= number <= MOST_CV):
        raise ValueError(f"expected a coefficient of variation from 0 to {MOST_CV:g}")
    return number


def _shape_of(value: Any) -> float:
    number = number_of(value)
    if not SHAPES[0] <= number <= SHAPES[1]:
        raise ValueError(f"expected a shape from {SHAPES[0]:g} to {SHAPES[1]:g}")
    return number
