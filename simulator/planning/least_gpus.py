"""The least GPUs that keep the promises: pruned by the closed form, settled by discrete events."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simulator.planning.answer import Answer
from simulator.planning.assurance import MoreReplicas, assurance
from simulator.planning.closed_form import ALONE, closed_form_replicas, least_between, optimistic_replicas
from simulator.planning.impossible import impossible_promises
from simulator.planning.margin import fleet_latencies, margin, rounded_up
from simulator.planning.options import Option
from simulator.planning.runner_up import CLOSED_FORM, DISCRETE_EVENTS, RunnerUp, failing, hopeless
from simulator.planning.sized_fleet import sized
from simulator.planning.trials import Outcome, Trials
from simulator.planning.winner import Winner

CLEAR_OF_KNEE = 1.1
"""A concurrency limit is not tightened until the knee is closer to the planned rate than this factor."""
BEYOND_KNEE = 1.05
"""At more than so many times the knee an option is called saturated without a trial."""


@dataclass
class Entry:
    """One option on its way through the search. ``method`` says what settled ``replicas``."""

    option: Option
    replicas: int
    method: str = CLOSED_FORM
    confirmed: bool = False

    def __post_init__(self) -> None:
        """Keep the option without a tightened concurrency limit, to compare others with."""
        self.loose = self.option

    @property
    def gpus(self) -> int:
        """GPUs in all, without spares."""
        return self.option.gpus * self.replicas


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
    best = _confirmed(settled, trials, rate)
    winner = _winner(best, trials, rate, spare, cost_basis)
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
        best = min((e.gpus for e in done), default=math.inf)
        if optimistic_replicas(entry.option, trials.promises, rate) * entry.option.gpus > best:
            continue
        n = least_replicas(_kept_by(entry.option, trials, rate), entry.replicas)
        if n is None:
            continue
        entry.replicas, entry.method = n, DISCRETE_EVENTS
        for option in entry.option.tighter(rate / max(1, n - 1)) if n > 1 else []:
            kept = _kept_by(option, trials, rate)
            while _room(option, entry.replicas - 1, rate) and kept(entry.replicas - 1):
                entry.option, entry.replicas = option, entry.replicas - 1
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


def _winner(best: Entry, trials: Trials, rate: float, spare: int, cost_basis: str) -> Winner:
    option, n = best.option, best.replicas
    outcome = trials.run(option, n, rate)
    latencies = fleet_latencies(option, rate / n, trials.promises)
    sure = margin([option], latencies, outcome.reached, trials.promises, trials.seed, trials.progress)
    more = MoreReplicas(None, None, None)
    if sure.load is not None:
        enough = rounded_up(rate / (sure.load * (rate / n)))
        more = MoreReplicas(enough / n - 1.0, enough, (enough + spare) * option.gpus)
    return Winner(sized(option, n, spare, rate, cost_basis), assurance(trials.promises, outcome, sure, more))


def _fails(entry: Entry, best: Entry, trials: Trials, rate: float) -> str:
    """What an option fails on with the GPUs of the winner."""
    if entry.gpus == best.gpus:
        return "nothing: it needs as many GPUs"
    same = best.gpus // entry.option.gpus
    if same < 1:
        return f"one replica has more than the winner's {best.gpus} GPUs"
    where = f"with {same * entry.option.gpus} GPUs"
    if rate / same > BEYOND_KNEE * entry.loose.capacity:
        return f"{where}: saturated, the knee is at {entry.loose.capacity * same:.3g} req/s"
    return failing(trials.run(entry.loose, same, rate), trials.promises, where)
