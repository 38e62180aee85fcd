"""The least GPUs that keep the promises: pruned by the closed form, settled by discrete events."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simulator.planning.answer import Answer
from simulator.planning.assurance import assurance
from simulator.planning.closed_form import ALONE, closed_form_replicas, least_between, optimistic_replicas
from simulator.planning.gamble import Gamble
from simulator.planning.impossible import impossible_promises
from simulator.planning.options import Option
from simulator.planning.runner_up import CLOSED_FORM, DISCRETE_EVENTS, RunnerUp, failing, hopeless
from simulator.planning.sized_fleet import sized
from simulator.planning.sure_fleet import SureFleet, sure_fleet
from simulator.planning.trials import Outcome, Trials
from simulator.planning.winner import Winner

CLEAR_OF_KNEE = 1.1
"""A concurrency limit is not tightened until the knee is closer to the planned rate than this factor."""
BEYOND_KNEE = 1.05
"""At more than so many times the knee an option is called saturated without a trial."""


@dataclass
class Entry:
    """One option on its way through the search. ``method`` says what settled ``replicas``.

    ``sure``: the size at which the promises hold with the confidence asked for, once it is known and if there is one.
    """

    option: Option
    replicas: int
    method: str = CLOSED_FORM
    confirmed: bool = False
    sure: SureFleet | None = None

    def __post_init__(self) -> None:
        """Keep the option without a tightened concurrency limit, to compare others with."""
        self.loose = self.option

    @property
    def gpus(self) -> int:
        """GPUs in all, without spares."""
        return self.option.gpus * self.replicas

    @property
    def sure_gpus(self) -> float:
        """GPUs in all of the sure size, without spares; infinite if there is none."""
        return math.inf if self.sure is None else self.option.gpus * self.sure.replicas


def plan_gpus(
    options: Sequence[Option],
    trials: Trials,
    rate: float,
    *,
    spare: int = 0,
    cost_basis: str = "hyperscaler",
    meta: Mapping[str, Any],
    left_out: Sequence[str] = (),
) -> Answer:
    """The cheapest fleet that keeps the promises at ``rate`` requests/s, the runners-up, and how sure it is.

    Args:
        options: every kind of replica that can exist.
        trials: of the planned traffic, with the promises.
        rate: requests/s in all.
        spare: replicas that stand by and cost as much.
        cost_basis: whose price, such as ``hyperscaler``.
        meta: every input, for the answer.
        left_out: kinds of replica that cannot exist, and why.
    """
    entries, alone = _entries(options, trials, rate)
    settled = _settle(entries, trials, rate)
    if not settled:
        lone = alone or [(e.option, trials.run(e.option, 1, ALONE * e.option.capacity)) for e in entries]
        return Answer(meta, None, impossible=impossible_promises(lone, trials.promises), left_out=left_out)
    gamble = _confirmed(settled, trials, rate)
    best = min(settled, key=lambda e: (e.sure_gpus, e.option.scope_rank, e.gpus, e is not gamble, e.option.family))
    best = gamble if best.sure is None else best
    winner = _winner(best, gamble, trials, rate, spare, cost_basis)
    runners = []
    for entry in sorted((e for e in entries if e is not best), key=lambda e: (e.gpus, e.option.family)):
        fleet = sized(entry.option, entry.replicas, spare, rate, cost_basis)
        runners.append(RunnerUp(fleet.kind, _fails(entry, best, trials, rate), fleet, entry.method))
    runners += [hopeless(option.kind, outcome, trials.promises) for option, outcome in alone]
    return Answer(meta, winner, runners, left_out=left_out)


def _entries(
    options: Sequence[Option], trials: Trials, rate: float
) -> tuple[list[Entry], list[tuple[Option, Outcome]]]:
    """Options sized by the closed form, and those that keep no promise even alone, with that trial."""
    guesses = [(option, closed_form_replicas(option, trials.promises, rate)) for option in options]
    entries = [Entry(option, n) for option, n in guesses if n is not None]
    alone = []
    for option, n in guesses:
        if n is not None:
            continue
        outcome = trials.run(option, 1, ALONE * option.capacity)
        if outcome.kept(trials.promises):
            entries.append(Entry(option, math.ceil(rate / (ALONE * option.capacity))))
        else:
            alone.append((option, outcome))
    return entries, alone


def _settle(entries: Sequence[Entry], trials: Trials, rate: float) -> list[Entry]:
    """Find the least replicas by discrete events, cheapest families first; those too dear keep the closed form's."""
    done: list[Entry] = []
    for entry in sorted(entries, key=lambda e: (e.gpus, e.option.family)):
        best = min((e.sure_gpus for e in done), default=math.inf)
        if optimistic_replicas(entry.option, trials.promises, rate) * entry.option.gpus > best:
            continue
        n = least_replicas(_kept_by(entry.option, trials, rate), entry.replicas)
        if n is None:
            continue
        entry.replicas, entry.method = n, DISCRETE_EVENTS
        entry.option = entry.loose = entry.option.finding(trials.run(entry.option, n, rate).hit_rate)
        for option in entry.option.tighter(rate / max(1, n - 1)) if n > 1 else []:
            kept = _kept_by(option, trials, rate)
            while _room(option, entry.replicas - 1, rate) and kept(entry.replicas - 1):
                entry.option, entry.replicas = option, entry.replicas - 1
        entry.option = entry.option.finding(trials.run(entry.option, entry.replicas, rate).hit_rate)
        if entry.gpus <= best:
            entry.sure = sure_fleet(entry.option, entry.replicas, trials, rate)
        done.append(entry)
    return done


def _kept_by(option: Option, trials: Trials, rate: float) -> Callable[[int], bool]:
    return lambda n: trials.run(option, n, rate).kept(trials.promises)


def _room(option: Option, replicas: int, rate: float) -> bool:
    """Whether a fleet with a tightened concurrency limit stays clear of its knee."""
    return replicas > 0 and option.capacity * replicas >= CLEAR_OF_KNEE * rate


def least_replicas(keeps: Callable[[int], bool], guess: int) -> int | None:
    """Least replicas that keep the promises, looking up or down from a guess; None if none do."""
    low, high, step = 0, guess, 1
    if keeps(guess):
        while (below := high - step) > 0 and keeps(below):
            high, step = below, 2 * step
        low = max(0, below)
    else:
        low, high = guess, guess + 1
        while not keeps(high):
            if high > 8 * guess + 64:
                return None
            step *= 2
            low, high = high, high + step
    return least_between(keeps, low, high)


def _confirmed(settled: list[Entry], trials: Trials, rate: float) -> Entry:
    """The cheapest entry that keeps its promises with every other seed too; one that does not gets a replica more."""

    def order(e: Entry) -> tuple[int, float, str]:
        return e.gpus, trials.run(e.option, e.replicas, rate).worst(trials.promises), e.option.family

    while not (best := min(settled, key=order)).confirmed:
        if trials.confirm(best.option, best.replicas, rate):
            best.confirmed = True
        else:
            best.replicas += 1
    return best


def _winner(best: Entry, gamble: Entry, trials: Trials, rate: float, spare: int, cost_basis: str) -> Winner:
    """The sure size of the best entry, and the gamble if it needs fewer GPUs; without a sure size the gamble itself."""
    least = SureFleet.of(gamble.option, gamble.replicas, trials, rate)
    sure = best.sure or least
    fleet = sized(best.option.finding(sure.outcome.hit_rate), sure.replicas, spare, rate, cost_basis)
    beside = None
    if best.sure is not None and gamble.gpus < best.sure_gpus:
        cheaper = sized(gamble.option, gamble.replicas, spare, rate, cost_basis)
        money, probability = cheaper.cost.usd_per_hour, least.margin.probability
        kind = gamble.option.kind
        beside = Gamble(kind.name, gamble.replicas, cheaper.gpus, rate, money, probability, kind.verdict)
    return Winner(fleet, assurance(trials.promises, sure.outcome, sure.margin, trials.confidence), beside)


def _fails(entry: Entry, best: Entry, trials: Trials, rate: float) -> str:
    """What an option fails on with the GPUs of the winner."""
    gpus = best.gpus if best.sure is None else best.option.gpus * best.sure.replicas
    if entry.method == DISCRETE_EVENTS and entry.gpus <= gpus:
        return _less_sure(entry, gpus, trials.confidence)
    same = gpus // entry.option.gpus
    if same < 1:
        return f"one replica has more than the winner's {gpus} GPUs"
    where = f"with {same * entry.option.gpus} GPUs"
    if rate / same > BEYOND_KNEE * entry.loose.capacity:
        return f"{where}: saturated, the knee is at {entry.loose.capacity * same:.3g} req/s"
    return failing(trials.run(entry.loose, same, rate), trials.promises, where)


def _less_sure(entry: Entry, gpus: int, confidence: float) -> str:
    """Why an option did not win that keeps the promises as predicted with no more GPUs."""
    percent = f"{100 * confidence:g} %"
    if entry.sure is None:
        return f"no number of replicas holds with {percent}"
    if entry.sure_gpus == gpus:
        return f"nothing: {percent} takes as many GPUs"
    return f"{percent} takes {entry.sure_gpus:.0f} GPUs"
