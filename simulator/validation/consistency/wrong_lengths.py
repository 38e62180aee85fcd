"""Total over output tokens read as lengths: the two throughputs of a row say what (isl + osl) / osl was.

Little's law needs the output length only, so where latencies are published it tells which of the two lengths is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import log

from simulator.measurements.littles_law import LENGTH_RATIO, honest_band, little_ratio
from simulator.measurements.rows import MeasuredPoint
from simulator.validation.consistency.finding import Finding, finding

ROUND = 0.01
"""How near a length must be to a round one to be written so."""
ROUND_LENGTHS = sorted(
    {a * 2**b for a in (1, 3, 5) for b in range(4, 18)}
    | {round(a * 10**b) for a in (1, 1.2, 1.5, 2, 2.5, 3, 3.5, 4, 5, 6, 8) for b in range(1, 6)}
)
"""What people ask a benchmark for."""
FAR = 0.25
"""A ratio this far off is no rounding, sampling or early stop."""


def fitting_lengths(row: MeasuredPoint, ratio: float) -> list[tuple[int, int, bool]]:
    """(isl, osl, are they round) that total / output fits, those that Little's law allows first.

    Example:
        >>> row = MeasuredPoint(hardware="h", model="m", precision="FP8", engine="e", spec="off", isl=1024, osl=256,
        ...                     tp=8, concurrency=64)
        >>> fitting_lengths(row, 16.996)
        [(4096, 256, True), (1024, 64, True)]
    """
    if ratio <= 1.0:
        return []
    isl, osl = (ratio - 1.0) * row.osl, row.isl / (ratio - 1.0)
    found = []
    for i, o in ((isl, float(row.osl)), (float(row.isl), osl)):
        if i >= 1.0 and o >= 1.0:
            (first, one), (second, other) = _round(i), _round(o)
            found.append((first, second, one and other))
    return [one for one in found if _possible(row, one[1])]


def _round(length: float) -> tuple[int, bool]:
    nearest = min(ROUND_LENGTHS, key=lambda one: abs(log(length / one)))
    if abs(log(length / nearest)) <= ROUND:
        return nearest, True
    return max(1, round(length)), False


def _possible(row: MeasuredPoint, osl: int) -> bool:
    """Whether Little's law on the output tokens allows this output length, drawn or fixed."""
    ratio = little_ratio(replace(row, osl=osl), row.output_tok_s_gpu)
    low, high = honest_band(row)
    return ratio is None or low <= ratio <= high / LENGTH_RATIO


def check_lengths(row: MeasuredPoint, total: float, output: float) -> Iterator[Finding]:
    """A finding where other lengths explain both throughputs: round ones, or a ratio that nothing small explains."""
    ratio, stated = total / output, (row.isl + row.osl) / row.osl
    found = fitting_lengths(row, ratio)
    far = abs(log(ratio / stated)) > FAR
    if not found or not (far or found[0][2]):
        return
    shown = " or ".join(f"{i}/{o}" for i, o, _ in found)
    message = (
        f"the lengths are not the stated {row.isl}/{row.osl}: total / output tokens = {ratio:.3f}, stated lengths give "
        f"{stated:.3f}; {shown} fits"
    )
    yield finding(
        [row],
        "impossible" if far else "suspicious",
        "wrong_lengths",
        message,
        total_over_output=ratio,
        expected=stated,
        isl=[i for i, _, _ in found],
        osl=[o for _, o, _ in found],
    )
