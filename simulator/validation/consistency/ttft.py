"""TTFT outliers: among repeated runs, as two clusters, and along one curve."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import median

from simulator.measurements.rows import MeasuredPoint, Row
from simulator.validation.consistency.finding import SERIES, Finding, describe, finding, group

OUTLIER = 1.5
"""Ratio to the median of the repeats, or to the neighbours on the curve. Of 482 shipped runs 8 exceed it."""
ROBUST_Z = 5.0
"""And the distance from the median in 1.4826 x median absolute deviation of log TTFT."""
REPEATS = 3
"""Fewest runs that make a median, and a cluster."""
CLUSTER_GAP = 1.4
"""Ratio across the widest gap between two clusters of runs."""
FALL = 1.3
"""Ratio of the TTFT at one concurrency to that at a higher one; more clients never shorten the queue."""
TAIL = 5.0
"""Mean over median of one run from which a few requests waited for something that the others did not; opening bursts
of honest runs make up to 3."""
MAD_TO_SIGMA = 1.4826


def ttft_ms(row: MeasuredPoint) -> float | None:
    """Mean TTFT, else median TTFT, in ms."""
    return row.mean_ttft_ms if row.mean_ttft_ms is not None else row.median_ttft_ms


def steady_ms(row: MeasuredPoint) -> float | None:
    """Median TTFT, else the mean, in ms: what a curve of many requests shows, without its first ones."""
    return row.median_ttft_ms if row.median_ttft_ms is not None else row.mean_ttft_ms


def check_ttft(rows: Iterable[Row]) -> Iterator[Finding]:
    """Findings on TTFT, per series of runs that differ in date and image only."""
    measured = [row for row in rows if isinstance(row, MeasuredPoint) and ttft_ms(row) is not None]
    for series in group(measured, SERIES).values():
        found = group(series, ("concurrency",))
        runs = {concurrency: found[concurrency,] for concurrency in _counts(series)}
        yield from _check_tails(series)
        medians = {concurrency: median(_values(members)) for concurrency, members in runs.items()}
        steady = {c: median(v for row in members if (v := steady_ms(row))) for c, members in runs.items()}
        doubtful: set[int] = set()
        for concurrency, members in runs.items():
            repeats = list(_check_repeats(members, medians[concurrency]))
            doubtful |= {concurrency} if any(f.kind == "ttft_bimodal" for f in repeats) else set()
            yield from repeats
        yield from _check_curve(runs, steady, doubtful)


def _check_tails(series: Sequence[MeasuredPoint]) -> Iterator[Finding]:
    for row in series:
        mean, middle = row.mean_ttft_ms, row.median_ttft_ms
        if mean is not None and middle is not None and mean > TAIL * middle:
            message = (
                f"mean TTFT {mean:g} ms is {mean / middle:.1f} x the median {middle:g} ms at concurrency "
                f"{row.concurrency} of {describe(row)}: a few requests waited for something that the others did not, "
                "such as a warm-up inside the timed run"
            )
            yield finding([row], "suspicious", "ttft_outlier", message, ttft_ms=mean, median_ms=middle)


def _counts(series: Sequence[MeasuredPoint]) -> list[int]:
    return sorted({row.concurrency for row in series})


def _values(rows: Sequence[MeasuredPoint]) -> list[float]:
    return [value for row in rows if (value := ttft_ms(row)) is not None]


def _check_repeats(members: Sequence[MeasuredPoint], middle: float) -> Iterator[Finding]:
    if len(members) < REPEATS:
        return
    ordered = sorted(members, key=lambda row: ttft_ms(row) or 0.0)
    values = _values(ordered)
    where = f"concurrency {members[0].concurrency} of {describe(members[0])}"
    split = max(range(1, len(values)), key=lambda i: values[i] / values[i - 1])
    if values[split] / values[split - 1] > CLUSTER_GAP and REPEATS <= split <= len(values) - REPEATS:
        message = (
            f"TTFT of {len(values)} repeated runs falls into two clusters, {split} at {values[0]:g} to "
            f"{values[split - 1]:g} ms and {len(values) - split} at {values[split]:g} to {values[-1]:g} ms, at {where}"
        )
        yield finding(ordered, "suspicious", "ttft_bimodal", message, low_ms=values[split - 1], high_ms=values[split])
        return
    spread = MAD_TO_SIGMA * median(abs(math.log(value / middle)) for value in values)
    for row, value in zip(ordered, values, strict=True):
        distance = abs(math.log(value / middle))
        if distance > math.log(OUTLIER) and distance > ROBUST_Z * spread:
            times = f"{value / middle:.2f} x the median {middle:g} ms of {len(values)} repeated runs"
            message = f"TTFT {value:g} ms is {times} at {where}"
            yield finding([row], "suspicious", "ttft_outlier", message, ttft_ms=value, median_ms=middle)


def _check_curve(
    runs: Mapping[int, Sequence[MeasuredPoint]], medians: Mapping[int, float], doubtful: set[int]
) -> Iterator[Finding]:
    """The medians over concurrency: none above a later one, none far above the line through its neighbours."""
    counts = [count for count in sorted(medians) if count not in doubtful]
    for index, count in enumerate(counts):
        later = min(((medians[c], c) for c in counts[index + 1 :]), default=None)
        value = medians[count]
        where = f"TTFT {value:g} ms at concurrency {count} of {describe(runs[count][0])}"
        if later is not None and value > FALL * later[0]:
            message = f"{where} is above the {later[0]:g} ms at concurrency {later[1]}"
            yield finding(runs[count], "suspicious", "ttft_outlier", message, ttft_ms=value, later_ms=later[0])
        elif 0 < index < len(counts) - 1:
            expected = _between(medians, counts[index - 1], count, counts[index + 1])
            if value > OUTLIER * expected:
                message = f"{where} is {value / expected:.2f} x the {expected:.0f} ms that its neighbours give"
                yield finding(runs[count], "suspicious", "ttft_outlier", message, ttft_ms=value, expected_ms=expected)


def _between(medians: Mapping[int, float], low: int, at: int, high: int) -> float:
    """Log-log interpolation, in ms."""
    weight = math.log(at / low) / math.log(high / low)
    return math.exp((1.0 - weight) * math.log(medians[low]) + weight * math.log(medians[high]))
