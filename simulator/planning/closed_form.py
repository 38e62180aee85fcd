"""What the closed form says of one option: its least replicas, its highest rate, and where it cannot win."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from simulator.planning.options import Option
from simulator.traffic.promises import Promise

MOST_REPLICAS = 4096
OPTIMISM = 0.85
"""Part of its closed-form latencies that an option is granted before it is pruned without a trial."""
ALONE = 0.02
"""Part of the knee at which a request counts as alone."""
LEAST_PART = 1e-6
"""Part of the knee that stands for no rate at all, so that it can be divided by."""
PRECISION = 1e-3
"""To which a highest rate is found."""


def keeps(option: Option, promises: Sequence[Promise], rate: float) -> bool:
    """Whether one replica keeps the promises at ``rate`` requests/s."""
    form = option.form(rate)
    return form.stable and all(form.latency(p.metric, p.percentile) <= p.limit for p in promises)


def closed_form_replicas(option: Option, promises: Sequence[Promise], rate: float) -> int | None:
    """Least replicas that keep the promises at ``rate`` requests/s in all; None if no number of them does."""
    low = max(1, math.ceil(rate / option.capacity)) - 1
    high = max(1, low)
    while not keeps(option, promises, rate / high):
        if high >= MOST_REPLICAS:
            return None
        low, high = high, min(MOST_REPLICAS, 2 * high)
    return least_between(lambda n: keeps(option, promises, rate / n), low, high)


def closed_form_rate(option: Option, promises: Sequence[Promise]) -> float:
    """Highest requests/s of one replica that keep the promises; 0 if not even one request alone."""
    low, high = ALONE * option.capacity, option.capacity
    if not keeps(option, promises, low):
        return 0.0
    while high - low > PRECISION * high:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if keeps(option, promises, middle) else (low, middle)
    return low


def optimistic_replicas(option: Option, promises: Sequence[Promise], rate: float) -> int:
    """Fewer replicas than this cannot keep the promises: beyond the knee, or medians too late."""
    return max(1, math.ceil(OPTIMISM * rate / optimistic_rate(option, promises)))


def optimistic_rate(option: Option, promises: Sequence[Promise]) -> float:
    """Requests/s of one replica whose median latencies, a little shortened, are within the limits."""
    low, high = 0.0, option.capacity
    for _ in range(20):
        middle = 0.5 * (low + high)
        form = option.form(middle)
        medians = [form.latency(p.metric, min(50.0, p.percentile)) for p in promises]
        fine = form.stable and all(OPTIMISM * m <= p.limit for m, p in zip(medians, promises, strict=True))
        low, high = (middle, high) if fine else (low, middle)
    return max(low, LEAST_PART * option.capacity)


def least_between(fits: Callable[[int], bool], low: int, high: int) -> int:
    """Least whole number that fits, by halves, where ``low`` does not and ``high`` does."""
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle) else (middle, high)
    return high
