"""A run whose throughput stands apart from its repeats."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from statistics import median

from simulator.measurements.rows import MeasuredPoint, Row
from simulator.validation.consistency.finding import SERIES, Finding, describe, finding, group
from simulator.validation.consistency.ttft import MAD_TO_SIGMA

OUTLIER = 1.08
"""Ratio of the median of the repeats to the run, or the other way."""
ROBUST_Z = 5.0
"""And the distance from the median in 1.4826 x median absolute deviation of log throughput."""
REPEATS = 5
"""Fewest runs; with more than a quarter of them apart it is another engine, not a disturbed run."""
APART = 0.25


def check_throughput(rows: Iterable[Row]) -> Iterator[Finding]:
    """Findings on throughput among runs that differ in date and image only."""
    measured = [row for row in rows if isinstance(row, MeasuredPoint) and row.total_tok_s_gpu is not None]
    for members in group(measured, (*SERIES, "concurrency")).values():
        yield from _check_repeats(members)


def _check_repeats(members: Sequence[MeasuredPoint]) -> Iterator[Finding]:
    if len(members) < REPEATS:
        return
    values = [row.total_tok_s_gpu or 0.0 for row in members]
    middle = median(values)
    distances = [abs(math.log(value / middle)) for value in values]
    bar = max(math.log(OUTLIER), ROBUST_Z * MAD_TO_SIGMA * median(distances))
    apart = [
        pair for pair, distance in zip(zip(members, values, strict=True), distances, strict=True) if distance > bar
    ]
    if len(apart) > APART * len(members):
        return
    for row, value in apart:
        message = (
            f"throughput {value:.0f} tok/s/GPU is {value / middle:.2f} x the median {middle:.0f} of {len(members)} "
            f"repeated runs at concurrency {row.concurrency} of {describe(row)}"
        )
        yield finding(
            [row], "suspicious", "throughput_outlier", message, total_tok_s_gpu=value, median_tok_s_gpu=middle
        )
