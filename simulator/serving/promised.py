"""What a simulated fleet reached of what was promised, and the requests that it served within all limits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.serving.fleet import FleetRun
from simulator.serving.saturation import SATURATED, TOO_SHORT
from simulator.traffic.promises import Promise

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Reached:
    """What a run reached of one promise; a saturated fleet keeps none.

    ``seconds``: the promised percentile, infinite if so many requests were refused or never end. ``interval``: 90 %, s,
    and ``probability`` that the promise holds, given what the calibration leaves uncertain; None if nothing is steady.
    """

    promise: Promise
    seconds: float
    kept: bool
    interval: tuple[float, float] | None = None
    probability: float | None = None

    def as_row(self) -> dict[str, Any]:
        """``promise``, ``limit_s``, ``reached_s`` with its ends, ``kept``, ``probability``."""
        low, high = self.interval or (None, None)
        return {
            "promise": self.promise.name,
            "limit_s": self.promise.limit,
            "reached_s": self.seconds,
            "reached_s_lo": low,
            "reached_s_hi": high,
            "kept": self.kept,
            "probability": self.probability,
        }


@dataclass(frozen=True)
class Goodput:
    """Requests that were served within the limits of all promises: per second, and as a part of all that count."""

    per_s: float
    share: float


def goodput(run: FleetRun, inside: Flags, span: float, promises: Sequence[Promise]) -> Goodput:
    """Of the requests ``inside``, those within all limits; ``span``: seconds in which they were sent."""
    good = inside & run.served
    for promise in promises:
        value = run.latency(promise.metric)
        good &= ~(value > promise.limit)
    return Goodput(float(good.sum() / span), float(good.sum() / max(1, inside.sum())))


def reached(run: FleetRun, inside: Flags, promises: Sequence[Promise], state: str) -> Iterator[Reached]:
    """What the requests ``inside`` of a run in that state reached of each promise; one refused is infinitely late."""
    late = ~run.served[inside]
    for promise in promises:
        values = np.where(late, np.inf, run.latency(promise.metric)[inside])
        values = values[~np.isnan(values)]
        steady = values.size > 0 and state != SATURATED
        seconds = percentile_with_infinity(values, promise.percentile) if steady else np.inf
        yield Reached(promise, seconds, bool(seconds <= promise.limit and state != TOO_SHORT))


def percentile_with_infinity(values: NDArray[np.float64], percentile: float) -> float:
    """A percentile, linear between ranks; infinite as soon as a rank that it needs is."""
    rank = (values.size - 1) * percentile / 100.0
    low, high = int(np.floor(rank)), int(np.ceil(rank))
    a, b = np.partition(values, (low, high))[[low, high]]
    if not np.isfinite(b):
        return float(a) if rank == low else float("inf")
    return float(a + (b - a) * (rank - low))
