"""The size at which a fleet keeps its promises with the confidence asked for, and the rate of so many replicas."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

from simulator.planning.closed_form import least_between
from simulator.planning.options import Option
from simulator.planning.trials import Outcome, Trials, fleet_key
from simulator.prediction.latencies import fleet_latencies, fleet_odds
from simulator.prediction.odds import Margin, Odds

MOST = 3
"""Times the replicas that keep the promises as predicted, or the part of their rate, within which is looked."""
PRECISION = 0.01
"""To which a rate is found."""


def draws_of(option: Option, trials: Trials) -> Callable[[], Odds]:
    """What makes the draws of a kind of replica, on the first call."""
    return functools.cache(
        lambda: fleet_odds(option.scenario, option.replica, option.moments, trials.promises, trials.seed)
    )


@dataclass(frozen=True)
class SureFleet:
    """Replicas and requests/s in all, what discrete events reached there, and how sure that is."""

    replicas: int
    rate: float
    outcome: Outcome
    margin: Margin

    @classmethod
    def of(
        cls, option: Option, replicas: int, trials: Trials, rate: float, odds: Callable[[], Odds] | None = None
    ) -> SureFleet:
        """A fleet at a rate (requests/s); ``odds`` makes the draws of its kind of replica."""
        outcome = trials.run(option, replicas, rate)
        latencies = fleet_latencies(option.cap, option.moments, rate / replicas, trials.promises)
        key = fleet_key(option, replicas, rate)
        margin = trials.margin(key, odds or draws_of(option, trials), latencies, outcome)
        return cls(replicas, rate, outcome, margin)

    def confident(self, trials: Trials) -> bool:
        """Whether all promises are kept, with the confidence that the trials ask for."""
        return self.outcome.kept(trials.promises) and self.margin.probability >= trials.confidence


def sure_fleet(option: Option, replicas: int, trials: Trials, rate: float) -> SureFleet | None:
    """The least replicas that keep the promises with confidence and with every seed; None: not three times as many do.

    Args:
        option: kind of replica.
        replicas: that keep the promises as predicted.
        trials: of the planned traffic, with promises and confidence.
        rate: requests/s in all.
    """
    trials.progress(f"calibration uncertainty of {option.family}")
    odds = draws_of(option, trials)

    def keeps(n: int) -> bool:
        return SureFleet.of(option, n, trials, rate, odds).confident(trials)

    low, high, step = replicas - 1, replicas, 1
    while not keeps(high):
        if high >= MOST * replicas:
            return None
        low, high, step = high, min(MOST * replicas, high + step), 2 * step
    n = least_between(keeps, low, high)
    while not trials.confirm(option, n, rate):
        n += 1
    return SureFleet.of(option, n, trials, rate, odds)


def sure_rate(option: Option, replicas: int, trials: Trials, rate: float) -> SureFleet | None:
    """The highest rate, to 1 %, at which so many replicas keep the promises with confidence and with every seed.

    Args:
        option: kind of replica.
        replicas: in all.
        trials: of the planned traffic, with promises and confidence.
        rate: requests/s in all that are kept as predicted.

    Returns:
        None: not even a third of that rate.
    """
    trials.progress(f"calibration uncertainty of {option.family}")
    odds = draws_of(option, trials)

    def at(one: float) -> SureFleet:
        return SureFleet.of(option, replicas, trials, one, odds)

    low, high = rate / MOST, rate
    if not at(low).confident(trials):
        return None
    if at(high).confident(trials):
        low = high
    while high - low > PRECISION * high:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if at(middle).confident(trials) else (low, middle)
    while not trials.confirm(option, replicas, low):
        low *= 1.0 - PRECISION
    return at(low)
