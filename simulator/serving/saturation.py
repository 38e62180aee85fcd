"""Whether a simulated fleet keeps up: a growing queue is reported as such, never as a latency that looks stable."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.serving.fleet import FleetRun

Array = NDArray[np.float64]

STABLE, SATURATED, TOO_SHORT, OVERLOADED = "stable", "saturated", "too short", "overloaded at times"
SAMPLES = 400
GROWTH_SHARE = 0.01
"""Growth of the requests outstanding, as a share of the arrivals, that is called saturation."""
FLUCTUATIONS = 3.0
"""And so many standard deviations of what fluctuates around the trend."""
LIVES = 3.0
"""A steady state is only claimed over at least so many mean lives of a request."""


@dataclass(frozen=True)
class Queue:
    """Requests over time: ``waiting`` have no first token yet, ``running`` do; ``outstanding`` are both."""

    time: Array
    waiting: Array
    running: Array

    @property
    def outstanding(self) -> Array:
        """Requests sent and not finished."""
        return self.waiting + self.running


def queue_over_time(run: FleetRun, start: float, end: float, samples: int = SAMPLES) -> Queue:
    """Requests at equally spaced times from ``start`` to ``end`` seconds; refused ones never count."""
    time = np.linspace(start, end, samples)
    served = run.served
    sent, first, done = (
        np.searchsorted(np.sort(x[served]), time, side="right") for x in (run.requests.send, run.first, run.finish)
    )
    return Queue(time, (sent - first).astype(float), (first - done).astype(float))


def growth_rate(queue: Queue) -> tuple[float, float]:
    """Requests per second by which the number outstanding grows, and the standard deviation around that trend."""
    centred = queue.time - queue.time.mean()
    level = queue.outstanding - queue.outstanding.mean()
    slope = float(centred @ level / (centred @ centred))
    return slope, float(np.std(level - slope * centred))


def verdict(run: FleetRun, start: float, end: float, slots: int, stationary: bool) -> tuple[str, float]:
    """One of the four words above, and the growth of the number outstanding in requests/s.

    At a constant rate the trend over [start, end] decides: more than 1 % of the arrivals and three times what
    fluctuates around it. Traffic that changes is saturated if it leaves more requests waiting than a tenth of all
    ``slots`` with the queue at its longest, and overloaded at times if that many ever waited.
    """
    queue = queue_over_time(run, start, end)
    slope, spread = growth_rate(queue)
    inside = run.served & (run.requests.send >= start)
    if not stationary:
        much = max(8.0, 0.1 * slots)
        if queue.waiting[-1] > much and queue.waiting[-1] >= 0.9 * queue.waiting.max():
            return SATURATED, slope
        return (OVERLOADED if queue.waiting.max() > much else STABLE), slope
    if not inside.any():
        return TOO_SHORT, slope
    arrivals = inside.sum() / (end - start)
    if slope > GROWTH_SHARE * arrivals and slope * (end - start) > FLUCTUATIONS * max(spread, 1.0):
        return SATURATED, slope
    if end - start < LIVES * float(run.e2e()[inside].mean()):
        return TOO_SHORT, slope
    return STABLE, slope
