"""The likely causes of a row that leaves its interval, read off which metrics leave it and how that changes over the sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev

from simulator.validation.expectation import BEYOND, Expected

STEADY = 0.35
"""Coefficient of variation below which an excess counts as the same at every concurrency."""
SPAN = 3.0
"""Ratio of the expected TPOT between the ends of a sweep from which a constant time and a constant factor can be told apart."""
APART = 1.3
"""Ratio of the relative excess at the two ends of a sweep from which it grows or falls with concurrency."""
MANY = 3
"""Fewest concurrencies that show how an excess changes."""

FRONT_END = "requests wait before they start: queueing, warm-up still running, the interval at which the engine polls"
HOST = "host overhead: eager mode instead of graphs, logging or a slow CPU"
FACTOR = "lower clocks or bandwidth, weights in a wider format, or slower kernels than the calibration knows"
LOADED = "what grows with load: KV cache in a wider format, prefill chunk size, a batch limited by memory"
ALONE = "one disturbed run: its neighbours on the sweep fit"
STOPPED = "latencies fit, so the run paused, was short, or the duration includes more than the requests"
FAST_START = "prompts taken from a prefix cache, or TTFT measured inside the server"
FAST = "shorter outputs or prompts than stated, drafting on a row labelled Off, or a newer image than the calibration knows"
ACCEPTED = "the acceptance differs from what is assumed"

Metrics = Mapping[str, Expected]


@dataclass(frozen=True)
class Excess:
    """TPOT of one row of a sweep against what is expected: milliseconds more, and as a fraction."""

    concurrency: int
    expected_ms: float
    more_ms: float

    @property
    def fraction(self) -> float:
        """Relative excess."""
        return self.more_ms / self.expected_ms


def leaves(metrics: Metrics, slower: bool) -> list[Expected]:
    """The metrics that are suspicious in one direction, the farthest first."""
    sign = 1.0 if slower else -1.0
    return sorted((e for e in metrics.values() if sign * e.widths > BEYOND), key=lambda e: -abs(e.widths))


def tpot(metrics: Metrics) -> Expected | None:
    """The mean TPOT of a row, else its median."""
    return metrics.get("mean_tpot_ms") or metrics.get("median_tpot_ms")


def slow_causes(concurrency: int, metrics: Metrics, sweep: Sequence[tuple[int, Metrics]]) -> list[str]:
    """Causes of a row that is slower than expected.

    Args:
        concurrency: of the row.
        metrics: of the row.
        sweep: concurrency and metrics of the rows measured together with it, itself among them.
    """
    out = leaves(metrics, slower=True)
    kinds = {_kind(e.metric) for e in out}
    found = [FRONT_END] if "ttft" in kinds else []
    per_token = tpot(metrics)
    if "tpot" in kinds:
        found += _shape(concurrency, _excesses(sweep, slower=True))
    elif "throughput" in kinds and per_token is not None and "ttft" not in kinds:
        found.append(STOPPED)
    elif "throughput" in kinds and per_token is None:
        found += [STOPPED.removeprefix("latencies fit, so "), LOADED] if not _neighbours_fit(concurrency, sweep) else [ALONE]
    return found


def fast_causes(metrics: Metrics) -> list[str]:
    """Causes of a row that is faster than expected."""
    kinds = {_kind(e.metric) for e in leaves(metrics, slower=False)}
    return ([FAST_START] if "ttft" in kinds else []) + ([FAST] if kinds - {"ttft"} else [])


def _kind(metric: str) -> str:
    return next((kind for kind in ("tpot", "ttft") if kind in metric), "throughput")


def _excesses(sweep: Sequence[tuple[int, Metrics]], slower: bool) -> list[Excess]:
    """The rows whose TPOT is off in this direction by more than their interval's end, by concurrency."""
    sign = 1.0 if slower else -1.0
    found = [
        Excess(count, e.predicted, e.measured - e.predicted)
        for count, metrics in sweep
        if (e := tpot(metrics)) is not None and sign * e.widths > 1.0
    ]
    return sorted(found, key=lambda excess: excess.concurrency)


def _neighbours_fit(concurrency: int, sweep: Sequence[tuple[int, Metrics]]) -> bool:
    others = [metrics for count, metrics in sweep if count != concurrency]
    return len(others) >= MANY - 1 and not any(leaves(metrics, slower=True) for metrics in others)


def _shape(concurrency: int, excesses: Sequence[Excess]) -> list[str]:
    """What the excess over a sweep says: a constant time, a constant factor, or something that grows with load."""
    if len({excess.concurrency for excess in excesses}) < MANY:
        return [ALONE] if len(excesses) == 1 and excesses[0].concurrency == concurrency else [HOST, FACTOR, LOADED]
    times = [excess.more_ms for excess in excesses]
    shares = [excess.fraction for excess in excesses]
    expected = [excess.expected_ms for excess in excesses]
    steady_time = pstdev(times) / fmean(times)
    steady_share = pstdev(shares) / fmean(shares)
    if min(steady_time, steady_share) < STEADY:
        same = f"{fmean(times):.2g} ms more at every concurrency", f"{1 + fmean(shares):.2f} x at every concurrency"
        if max(expected) < SPAN * min(expected):
            return [f"{same[0]}: {HOST}", f"{same[1]}: {FACTOR}"]
        return [f"{same[0]}: {HOST}"] if steady_time < steady_share else [f"{same[1]}: {FACTOR}"]
    if shares[-1] > APART * shares[0]:
        return [LOADED]
    return [HOST] if shares[0] > APART * shares[-1] else [HOST, FACTOR, LOADED]
