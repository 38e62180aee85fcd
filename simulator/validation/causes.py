"""The likely causes of a row that leaves its interval: which metrics do, and how that changes over the sweep."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence

from simulator.validation.expectation import BEYOND, Expected

MANY = 3
"""Fewest concurrencies that show how the extra time changes."""
AS_GOOD = 4.0
"""Shapes of the extra time within this of the best chi-squared are all named (two standard deviations)."""

FRONT_END = "requests wait before they start: queueing, unfinished warm-up, the interval at which the engine polls"
FEW_LATE = (
    "a few requests start late and the median does not: a warm-up or a compilation inside the timed run, or the burst "
    "with which the clients begin"
)
HOST = "the same extra time at every concurrency: host overhead, such as eager mode instead of graphs"
FACTOR = "the same factor at every concurrency: lower clocks or bandwidth, wider weights, slower kernels"
LOADED = "extra time that grows with concurrency: a wider KV cache, prefill chunking, a batch limited by memory"
ALONE = "one disturbed run: the rest of its sweep fits"
STOPPED = "latencies fit but throughput does not: the run paused, or its duration counts more than the requests"
UNKNOWN = "no latencies to tell by: a disturbed run, host overhead, or a batch limited by memory"
FAST_START = "prompts taken from a prefix cache, or TTFT measured inside the server"
FAST = "shorter outputs or prompts than stated, drafts on a row labelled Off, a newer image than calibrated"

Metrics = Mapping[str, Expected]
Sweep = Sequence[tuple[int, Metrics]]
"""Concurrency and metrics of the rows that were measured together."""


def leaves(metrics: Metrics, slower: bool) -> list[Expected]:
    """The metrics that are suspicious in one direction, the farthest first."""
    sign = 1.0 if slower else -1.0
    return sorted((e for e in metrics.values() if sign * e.widths > BEYOND), key=lambda e: -abs(e.widths))


def per_token(metrics: Metrics) -> Expected | None:
    """The mean TPOT of a row, else its median."""
    return metrics.get("mean_tpot_ms") or metrics.get("median_tpot_ms")


class SweepFacts:
    """What the rows measured together say, worked out once."""

    def __init__(self, sweep: Sweep) -> None:
        """Of these rows."""
        self.sweep = sweep

    @functools.cached_property
    def slow(self) -> int:
        """Rows slower than expected."""
        return sum(bool(leaves(metrics, slower=True)) for _, metrics in self.sweep)

    @functools.cached_property
    def shapes(self) -> list[str]:
        """How the extra time changes over the concurrencies."""
        return _shapes(self.sweep)


def slow_causes(metrics: Metrics, sweep: SweepFacts) -> list[str]:
    """Causes of a row that is slower than expected; ``sweep`` holds the row too."""
    kinds = {_kind(e.metric) for e in leaves(metrics, slower=True)}
    found = [_late(metrics)] if "ttft" in kinds else []
    alone = len(sweep.sweep) >= MANY and sweep.slow <= 1
    if "tpot" in kinds:
        found += [ALONE] if alone else sweep.shapes
    elif "throughput" in kinds:
        found += [] if "ttft" in kinds else [STOPPED if per_token(metrics) else UNKNOWN]
    return [*found, ALONE] if alone and ALONE not in found else found


def _late(metrics: Metrics) -> str:
    """Whether all requests start late, or a few."""
    middle = metrics.get("median_ttft_ms")
    return FRONT_END if middle is None or middle.widths > BEYOND else FEW_LATE


def fast_causes(metrics: Metrics) -> list[str]:
    """Causes of a row that is faster than expected."""
    kinds = {_kind(e.metric) for e in leaves(metrics, slower=False)}
    return ([FAST_START] if "ttft" in kinds else []) + ([FAST] if kinds - {"ttft"} else [])


def _kind(metric: str) -> str:
    return next((kind for kind in ("tpot", "ttft") if kind in metric), "throughput")


def _shapes(sweep: Sweep) -> list[str]:
    """Which of three shapes fit the extra TPOT: constant, in proportion to the TPOT, in proportion to the concurrency.

    Each is fitted by least squares over the sweep with one amplitude, weighted by the intervals.
    """
    known = [(count, e) for count, metrics in sweep if (e := per_token(metrics)) is not None]
    if len({count for count, _ in known}) < MANY:
        return [HOST, FACTOR, LOADED]
    chi: dict[str, float] = {}
    for name in (HOST, FACTOR, LOADED):
        shape = [{HOST: 1.0, FACTOR: e.predicted, LOADED: float(count)}[name] / e.predicted for count, e in known]
        weight = [1.0 / (0.5 * math.log(e.high / e.low)) ** 2 for _, e in known]
        more = [e.ratio - 1.0 for _, e in known]
        size = sum(w * s * y for w, s, y in zip(weight, shape, more, strict=True))
        size /= sum(w * s * s for w, s in zip(weight, shape, strict=True))
        chi[name] = sum(w * (y - size * s) ** 2 for w, s, y in zip(weight, shape, more, strict=True))
    best = min(chi.values())
    return sorted((name for name in chi if chi[name] <= best + AS_GOOD), key=lambda name: chi[name])
