"""The least GPUs that keep the promises: pruned by the closed form, settled by discrete events."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simulator.planning.answer import Answer, fleet_row, option_row, promise_rows
from simulator.planning.margin import fleet_latencies, margin
from simulator.planning.options import Option
from simulator.planning.trials import Outcome, Trials
from simulator.serving.saturation import SATURATED, TOO_SHORT
from simulator.traffic.promises import Promise

MOST_REPLICAS = 4096
OPTIMISM = 0.85
"""Part of its closed-form latencies that an option is granted before it is pruned without a trial."""
CLEAR_OF_KNEE = 1.1
"""A concurrency limit is not tightened until the knee is closer to the planned rate than this factor."""
ALONE = 0.02
"""Part of the knee at which a request counts as alone."""


@dataclass
class Entry:
    """One family on its way through the search. ``method`` says what settled ``replicas``."""

    option: Option
    replicas: int
    method: str = "closed form"
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
    """The cheapest fleet that keeps the promises at ``rate`` requests/s, the runners-up, and how sure it is."""
    promises = trials.promises
    entries, hopeless = [], []
    for option in options:
        n = closed_form_replicas(option, promises, rate)
        if n is None:
            hopeless.append(option)
        else:
            entries.append(Entry(option, n))
    alone = [(option, trials.run(option, 1, ALONE * option.capacity)) for option in hopeless]
    for option, outcome in alone:
        if outcome.kept(promises):
            entries.append(Entry(option, math.ceil(rate / (ALONE * option.capacity))))
    impossible_options = [(option, outcome) for option, outcome in alone if not outcome.kept(promises)]
    settled = _settle(entries, trials, rate)
    if not settled:
        lone = impossible_options or [(e.option, trials.run(e.option, 1, ALONE * e.option.capacity)) for e in entries]
        return Answer(meta, None, impossible=impossible_promises(lone, promises), left_out=left_out)
    winner = _confirmed_winner(settled, trials, rate)
    outcome = trials.run(winner.option, winner.replicas, rate)
    load = rate / winner.replicas
    latencies = fleet_latencies(winner.option, load, promises)
    sure = margin([winner.option], latencies, outcome.reached, promises, trials.seed, trials.progress)
    enough = None if sure.load is None else math.ceil(rate / (sure.load * load) - 1e-9)
    row = fleet_row(winner.option, winner.replicas, spare, rate, cost_basis) | {
        "promises": promise_rows(promises, outcome, sure),
        "probability_all_hold": sure.probability,
        "margin_for_95_percent": None if enough is None else enough / winner.replicas - 1.0,
        "replicas_for_95_percent": enough,
        "gpus_for_95_percent": None if enough is None else (enough + spare) * winner.option.gpus,
        "confirmed_by": "discrete events, ten more seeds",
    }
    others = [e for e in (*settled, *(e for e in entries if e not in settled)) if e is not winner]
    others.sort(key=lambda e: (e.gpus, e.option.family))
    runners = [_runner(e, winner, trials, rate, spare, cost_basis) for e in others]
    runners += [
        option_row(option)
        | {"replicas": None, "gpus": None, "fails": failing(outcome, promises, "even one request alone")}
        for option, outcome in impossible_options
    ]
    return Answer(meta, row, runners, left_out=left_out)


def optimistic_replicas(option: Option, promises: Sequence[Promise], rate: float) -> int:
    """Fewer replicas than this cannot keep the promises: beyond the knee, or medians too late by the closed form."""
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
    return max(low, 1e-6 * option.capacity)


def closed_form_replicas(option: Option, promises: Sequence[Promise], rate: float) -> int | None:
    """Least replicas by the closed form; None if no number of them keeps the promises."""

    def keeps(n: int) -> bool:
        form = option.form(rate / n)
        return form.stable and all(form.latency(p.metric, p.percentile) <= p.limit for p in promises)

    low = max(1, math.ceil(rate / option.capacity)) - 1
    high = max(1, low)
    while not keeps(high):
        if high >= MOST_REPLICAS:
            return None
        low, high = high, min(MOST_REPLICAS, 2 * high)
    while high - low > 1:
        middle = (low + high) // 2
        if keeps(middle):
            high = middle
        else:
            low = middle
    return high


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
        entry.replicas, entry.method = n, "discrete events"
        for option in entry.option.tighter(rate / max(1, n - 1)) if n > 1 else []:
            while _room(option, entry.replicas - 1, rate) and trials.run(option, entry.replicas - 1, rate).kept(
                trials.promises
            ):
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
    while high - low > 1:
        middle = (low + high) // 2
        if keeps(middle):
            high = middle
        else:
            low = middle
    return high


def _confirmed_winner(settled: list[Entry], trials: Trials, rate: float) -> Entry:
    """The cheapest entry that keeps its promises with every other seed too; one that does not gets a replica more."""
    while True:
        best = min(
            settled,
            key=lambda e: (e.gpus, trials.run(e.option, e.replicas, rate).worst(trials.promises), e.option.family),
        )
        if best.confirmed:
            return best
        if trials.confirm(best.option, best.replicas, rate):
            best.confirmed = True
        else:
            best.replicas += 1


def _runner(e: Entry, winner: Entry, trials: Trials, rate: float, spare: int, basis: str) -> dict[str, Any]:
    """A runner-up, and what it fails on with the GPUs of the winner."""
    row = fleet_row(e.option, e.replicas, spare, rate, basis) | {"method": e.method}
    if e.gpus == winner.gpus:
        return row | {"fails": "nothing: it needs as many GPUs"}
    same = winner.gpus // e.option.gpus
    if same < 1:
        return row | {"fails": f"one replica has more than the winner's {winner.gpus} GPUs"}
    where = f"with {same * e.option.gpus} GPUs"
    if rate / same > 1.05 * e.loose.capacity:
        return row | {"fails": f"{where}: saturated, the knee is at {e.loose.capacity * same:.3g} req/s"}
    return row | {"fails": failing(trials.run(e.loose, same, rate), trials.promises, where)}


def failing(outcome: Outcome, promises: Sequence[Promise], where: str) -> str:
    """Which promises a trial broke, and by how much."""
    if outcome.state in (SATURATED, TOO_SHORT):
        return f"{where}: {outcome.state}"
    broken = [
        f"{p.name} {100 * (r / p.limit - 1):.0f} % over"
        for p, r in zip(promises, outcome.reached, strict=True)
        if r > p.limit
    ]
    return f"{where}: {', '.join(broken) or 'nothing in this trial'}"


def impossible_promises(lone: Sequence[tuple[Option, Outcome]], promises: Sequence[Promise]) -> list[dict[str, Any]]:
    """Each promise that no option keeps even for one request alone, with the nearest possible; else the nearest."""
    rows = []
    for i, promise in enumerate(promises):
        option, outcome = min(lone, key=lambda pair: (pair[1].reached[i], pair[0].family))
        reached = outcome.reached[i]
        if reached > promise.limit:
            rows.append(_impossible(promise, reached, option.family))
    if not rows:
        option, outcome = min(lone, key=lambda pair: (pair[1].worst(promises), pair[0].family))
        rows = [_impossible(p, r, option.family) for p, r in zip(promises, outcome.reached, strict=True) if r > p.limit]
    return rows


def _impossible(promise: Promise, reached: float, family: str) -> dict[str, Any]:
    return {
        "promise": promise.name,
        "limit_ms": promise.limit * 1e3,
        "nearest_ms": reached * 1e3,
        "over": reached / promise.limit - 1.0,
        "nearest_with": family,
    }
