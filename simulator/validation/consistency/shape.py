"""Monotone curves: with more clients neither throughput nor TPOT falls; along a frontier throughput falls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from statistics import median

from simulator.measurements.littles_law import honest_band, little_ratio
from simulator.measurements.rows import FrontierPoint, MeasuredPoint, Row
from simulator.validation.consistency.finding import SERIES, Finding, Value, describe, finding, group
from simulator.validation.consistency.outside_decode import grew_outside

NOISE = 0.03
"""Repeatability of the measurements: 0.5 to 3 %."""
NOISE_FEW = 0.08
"""The same at concurrency 8 and below, where an MTP run holds too few requests to average its acceptance."""
OVERLOAD = 0.10
"""A fall of the throughput up to this is a note where the latencies account for it: engines that run out of memory for
their caches preempt and compute again (3 to 7 % in Llama 3.3 70B and MiniMax M2.5 at 256 clients on one MI355X)."""
FEW = 8
IMAGE = (*SERIES, "engine_version", "source")
RISING = ("total_tok_s_gpu", "output_tok_s_gpu", "mean_tpot_ms", "median_tpot_ms")


def check_shape(rows: Iterable[Row]) -> Iterator[Finding]:
    """Findings on rows that fall below the median of their curve at a lower concurrency by more than noise.

    Images, and days where no image is stated, are curves of their own.
    """
    everything = list(rows)
    for series in group([row for row in everything if isinstance(row, MeasuredPoint)], IMAGE).values():
        for curve in _days(series):
            yield from _check_curve(curve)
    for frontier in group([row for row in everything if isinstance(row, FrontierPoint)], SERIES).values():
        yield from _check_frontier([row for row in frontier if isinstance(row, FrontierPoint)])


def _days(series: Sequence[MeasuredPoint]) -> Iterable[Sequence[MeasuredPoint]]:
    return [series] if series[0].engine_version else group(series, ("date",)).values()


def _check_curve(curve: Sequence[MeasuredPoint]) -> Iterator[Finding]:
    by_place = {(row.file, row.line): row for row in curve}
    fallen = [(column, f, before) for column in RISING for f, before in _check_rising(curve, column)]
    waits: dict[tuple[str, int], Finding] = {}
    for column, f, before in fallen:
        if column.endswith("tok_s_gpu") and (grown := grew_outside(by_place[f.file, f.line], before)):
            waits.setdefault((f.file, f.line), grown)
    yield from waits.values()
    yield from (f for _, f, _ in fallen if (f.file, f.line) not in waits)


def _check_rising(series: Sequence[MeasuredPoint], column: str) -> Iterator[tuple[Finding, MeasuredPoint]]:
    """Findings with the row that each falls below."""
    by_concurrency: dict[int, list[MeasuredPoint]] = {}
    for row in series:
        if getattr(row, column) is not None:
            by_concurrency.setdefault(row.concurrency, []).append(row)
    highest, at = 0.0, series[0]
    for concurrency in sorted(by_concurrency):
        members = by_concurrency[concurrency]
        noise = NOISE_FEW if min(at.concurrency, concurrency) <= FEW else NOISE
        for row in members:
            value = getattr(row, column)
            if value < highest * (1.0 - noise):
                message = (
                    f"{column} {value:g} at concurrency {concurrency} is {1.0 - value / highest:.1%} below the "
                    f"{highest:g} at concurrency {at.concurrency} of {describe(row)}; noise is up to {noise:.0%}"
                )
                data: dict[str, Value] = {"column": column, "value": value, "lower": highest}
                over = value > highest * (1.0 - OVERLOAD) and _saturated(row, by_concurrency, column, highest)
                yield finding([row], "note" if over else "suspicious", "not_monotone", message, **data), at
        here = median(getattr(row, column) for row in members)
        if here > highest:
            highest, at = here, min(members, key=lambda row: abs(getattr(row, column) - here))


def _saturated(
    row: MeasuredPoint, by_concurrency: Mapping[int, Sequence[MeasuredPoint]], column: str, highest: float
) -> bool:
    """Whether a throughput fell because the engine has all it can take: no higher concurrency gives more, and the
    latencies account for it."""
    ratio = little_ratio(row)
    low, high = honest_band(row)
    later = (getattr(one, column) for c, members in by_concurrency.items() if c > row.concurrency for one in members)
    return (
        column.endswith("tok_s_gpu")
        and ratio is not None
        and low <= ratio <= high
        and all(value <= highest * (1.0 + NOISE) for value in later)
    )


def _check_frontier(series: Sequence[FrontierPoint]) -> Iterator[Finding]:
    ordered = sorted(series, key=lambda row: row.interactivity_tok_s_user)
    for before, row in pairwise(ordered):
        if row.total_tok_s_gpu > before.total_tok_s_gpu:
            message = (
                f"throughput rises from {before.total_tok_s_gpu:g} to {row.total_tok_s_gpu:g} tok/s/GPU with "
                f"interactivity {before.interactivity_tok_s_user:g} to {row.interactivity_tok_s_user:g}: no front"
            )
            yield finding([row], "impossible", "not_a_front", message)
