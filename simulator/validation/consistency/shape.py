"""Monotone curves: with more clients neither throughput nor TPOT falls; along a frontier throughput falls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from statistics import median

from simulator.measurements.rows import FrontierPoint, MeasuredPoint, Row
from simulator.validation.consistency.finding import SERIES, Finding, describe, finding, group

NOISE = 0.03
"""Repeatability of the measurements: 0.5 to 3 %."""
NOISE_FEW = 0.08
"""The same at concurrency 8 and below, where an MTP run holds too few requests to average its acceptance."""
FEW = 8
RISING = ("total_tok_s_gpu", "output_tok_s_gpu", "mean_tpot_ms", "median_tpot_ms")


def check_shape(rows: Iterable[Row]) -> Iterator[Finding]:
    """Findings on rows that fall below the median of their series at a lower concurrency by more than noise."""
    everything = list(rows)
    for series in group([row for row in everything if isinstance(row, MeasuredPoint)], SERIES).values():
        for column in RISING:
            yield from _check_rising(series, column)
    for frontier in group([row for row in everything if isinstance(row, FrontierPoint)], SERIES).values():
        yield from _check_frontier([row for row in frontier if isinstance(row, FrontierPoint)])


def _check_rising(series: Sequence[MeasuredPoint], column: str) -> Iterator[Finding]:
    by_concurrency: dict[int, list[MeasuredPoint]] = {}
    for row in series:
        if getattr(row, column) is not None:
            by_concurrency.setdefault(row.concurrency, []).append(row)
    highest, at = 0.0, 0
    for concurrency in sorted(by_concurrency):
        members = by_concurrency[concurrency]
        noise = NOISE_FEW if min(at, concurrency) <= FEW else NOISE
        for row in members:
            value = getattr(row, column)
            if value < highest * (1.0 - noise):
                message = (
                    f"{column} {value:g} at concurrency {concurrency} is {1.0 - value / highest:.1%} below the "
                    f"{highest:g} at concurrency {at} of {describe(row)}; noise is up to {noise:.0%}"
                )
                yield finding([row], "suspicious", "not_monotone", message, column=column, value=value, lower=highest)
        here = median(getattr(row, column) for row in members)
        if here > highest:
            highest, at = here, concurrency


def _check_frontier(series: Sequence[FrontierPoint]) -> Iterator[Finding]:
    ordered = sorted(series, key=lambda row: row.interactivity_tok_s_user)
    for before, row in pairwise(ordered):
        if row.total_tok_s_gpu > before.total_tok_s_gpu:
            message = (
                f"throughput rises from {before.total_tok_s_gpu:g} to {row.total_tok_s_gpu:g} tok/s/GPU with "
                f"interactivity {before.interactivity_tok_s_user:g} to {row.interactivity_tok_s_user:g}: no front"
            )
            yield finding([row], "impossible", "not_a_front", message)
