"""The highest rate that so many GPUs serve within the promises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simulator.planning.answer import Answer
from simulator.planning.assurance import assurance
from simulator.planning.closed_form import ALONE, OPTIMISM, closed_form_rate, optimistic_rate
from simulator.planning.frontier import frontier
from simulator.planning.gamble import Gamble
from simulator.planning.impossible import impossible_promises
from simulator.planning.options import Option
from simulator.planning.runner_up import CLOSED_FORM, DISCRETE_EVENTS, RunnerUp, failing, hopeless
from simulator.planning.sized_fleet import sized
from simulator.planning.sure_fleet import SureFleet, sure_rate
from simulator.planning.trials import Outcome, Trials
from simulator.planning.winner import Winner

PRECISION = 0.01
"""To which the highest rate is found by discrete events."""
STEP = 1.1
"""Factor by which a rate is raised or lowered until one is found on either side of the promises."""
BEYOND_KNEE = 1.2
"""At more than so many times the knee no higher rate is looked for."""
NO_RATE = 1e-9
"""Requests/s that a runner-up is shown with that keeps the promises at none."""


@dataclass
class Rated:
    """One option with its replicas and the highest rate (requests/s) that keeps the promises.

    ``sure``: the fleet at the rate that keeps them with the confidence asked for, once it is known and if there is one.
    """

    option: Option
    replicas: int
    rate: float
    method: str = CLOSED_FORM
    confirmed: bool = False
    sure: SureFleet | None = None


def plan_rate(
    options: Sequence[Option],
    trials: Trials,
    gpus: int,
    *,
    spare: int = 0,
    cost_basis: str = "hyperscaler",
    meta: Mapping[str, Any],
    left_out: Sequence[str] = (),
) -> Answer:
    """The option that serves most on ``gpus`` GPUs, of which ``spare`` replicas stand by, and its frontier.

    Args:
        options: every kind of replica that can exist.
        trials: of the planned traffic, with the promises.
        gpus: GPUs in all.
        spare: replicas that stand by and cost as much.
        cost_basis: whose price, such as ``hyperscaler``.
        meta: every input, for the answer.
        left_out: kinds of replica that cannot exist, and why.
    """
    large = [o for o in options if gpus // o.gpus > spare]
    small = [o for o in options if gpus // o.gpus <= spare]
    left_out = [*left_out, *(f"{o.family}: {gpus} GPUs do not hold {1 + spare} replicas" for o in small)]
    rated, alone = _rated(large, trials, gpus, spare)
    _settle(rated, trials)
    settled = [r for r in rated if r.method == DISCRETE_EVENTS and r.rate > 0]
    if not settled:
        lone = alone or [(r.option, trials.run(r.option, 1, ALONE * r.option.capacity)) for r in rated]
        impossible = impossible_promises(lone, trials.promises) if lone else []
        return Answer(meta, None, impossible=impossible, left_out=left_out)
    gamble = _confirmed(settled, trials)
    best = _surest(settled, trials) or gamble
    winner = _winner(best, gamble, trials, spare, cost_basis)
    runners = []
    for r in sorted((r for r in rated if r is not best), key=lambda r: (-r.rate, r.option.family)):
        fleet = sized(r.option, r.replicas, spare, max(r.rate, NO_RATE), cost_basis)
        runners.append(RunnerUp(fleet.kind, _fails(r, winner.rate_per_s, trials), fleet, r.method))
    runners += [hopeless(option.kind, outcome, trials.promises) for option, outcome in alone]
    points = frontier(best.option, best.replicas, best.rate, trials)
    return Answer(meta, winner, runners, frontier=points, left_out=left_out)


def _rated(
    options: Sequence[Option], trials: Trials, gpus: int, spare: int
) -> tuple[list[Rated], list[tuple[Option, Outcome]]]:
    """Options with their rate by the closed form, highest first, and those that keep no promise even alone."""
    rated, alone = [], []
    for option in options:
        replicas = gpus // option.gpus - spare
        rate = closed_form_rate(option, trials.promises)
        if rate > 0:
            rated.append(Rated(option, replicas, replicas * rate))
        else:
            alone.append((option, trials.run(option, 1, ALONE * option.capacity)))
    return sorted(rated, key=lambda r: (-r.rate, r.option.family)), alone


def _settle(rated: Sequence[Rated], trials: Trials) -> None:
    """Find the highest rates by discrete events; options that cannot reach the best yet keep the closed form's."""
    for entry in rated:
        best_yet = max((r.rate for r in rated if r.method == DISCRETE_EVENTS), default=0.0)
        if entry.replicas * optimistic_rate(entry.option, trials.promises) / OPTIMISM >= best_yet:
            entry.rate, entry.method = highest_rate(entry, trials), DISCRETE_EVENTS
            if entry.rate > 0:
                entry.option = entry.option.finding(trials.run(entry.option, entry.replicas, entry.rate).hit_rate)


def highest_rate(entry: Rated, trials: Trials) -> float:
    """Highest rate that keeps the promises in one trial, to 1 %; 0 if none does."""

    def keeps(rate: float) -> bool:
        return trials.run(entry.option, entry.replicas, rate).kept(trials.promises)

    low = high = entry.rate
    if keeps(low):
        while keeps(high := STEP * low) and high < BEYOND_KNEE * entry.option.capacity * entry.replicas:
            low = high
    else:
        while not keeps(low := high / STEP):
            high = low
            if low < ALONE * entry.option.capacity:
                return 0.0
    while high - low > PRECISION * high:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if keeps(middle) else (low, middle)
    return low


def _confirmed(settled: Sequence[Rated], trials: Trials) -> Rated:
    """The highest rate that keeps its promises with every other seed too; one that does not becomes 1 % less."""
    while not (best := max(settled, key=lambda r: (r.rate, r.option.family))).confirmed:
        if trials.confirm(best.option, best.replicas, best.rate):
            best.confirmed = True
        else:
            best.rate *= 1.0 - PRECISION
    return best


def _surest(settled: Sequence[Rated], trials: Trials) -> Rated | None:
    """The option with the highest rate that is kept with confidence; None if none is."""
    best: Rated | None = None
    for one in sorted(settled, key=lambda r: (-r.rate, r.option.family)):
        if best is not None and best.sure is not None and one.rate <= best.sure.rate:
            break
        one.sure = sure_rate(one.option, one.replicas, trials, one.rate)
        if one.sure is not None and (best is None or best.sure is None or one.sure.rate > best.sure.rate):
            best = one
    return best


def _winner(best: Rated, gamble: Rated, trials: Trials, spare: int, cost_basis: str) -> Winner:
    """The sure rate of the best option, and the gamble if it is higher; without a sure rate the gamble itself."""
    most = SureFleet.of(gamble.option, gamble.replicas, trials, gamble.rate)
    sure = best.sure or most
    fleet = sized(best.option.finding(sure.outcome.hit_rate), best.replicas, spare, sure.rate, cost_basis)
    beside = None
    if best.sure is not None and gamble.rate > sure.rate:
        more = sized(gamble.option, gamble.replicas, spare, gamble.rate, cost_basis)
        money, probability = more.cost.usd_per_hour, most.margin.probability
        kind = gamble.option.kind
        beside = Gamble(kind.name, gamble.replicas, more.gpus, gamble.rate, money, probability, kind.verdict)
    return Winner(fleet, assurance(trials.promises, sure.outcome, sure.margin, trials.confidence), beside)


def _fails(entry: Rated, rate: float, trials: Trials) -> str:
    """What an option fails on at the rate of the winner."""
    if entry.method == CLOSED_FORM:
        return "closed form only"
    if entry.rate >= rate:
        percent = f"{100 * trials.confidence:g} %"
        if entry.sure is None:
            return f"no rate holds with {percent}"
        return f"{percent} allows {entry.sure.rate:.3g} req/s"
    outcome = trials.run(entry.option, entry.replicas, rate)
    return failing(outcome, trials.promises, f"at {rate:.3g} req/s")
