"""The highest rate that so many GPUs serve within the promises, and the frontier of rate against latency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simulator.planning.answer import Answer, fleet_row, option_row, promise_rows
from simulator.planning.least_gpus import ALONE, OPTIMISM, failing, impossible_promises, optimistic_rate
from simulator.planning.margin import fleet_latencies, margin
from simulator.planning.options import Option
from simulator.planning.trials import Trials

PRECISION = 0.01
FRONTIER = (0.2, 0.4, 0.6, 0.8, 0.9, 1.0, 1.1)
"""Rates of the frontier, as parts of the highest that keeps the promises."""


@dataclass
class Rated:
    """One option with its replicas and the highest rate that keeps the promises."""

    option: Option
    replicas: int
    rate: float
    method: str = "closed form"
    confirmed: bool = False


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
    """The option that serves most on ``gpus`` GPUs, of which ``spare`` replicas stand by."""
    promises = trials.promises
    rated, small, hopeless = [], list(left_out), []
    for option in options:
        replicas = gpus // option.gpus - spare
        if replicas < 1:
            small.append(f"{option.family}: {gpus} GPUs do not hold {1 + spare} replicas")
            continue
        rate = closed_form_rate(option, trials)
        if rate > 0:
            rated.append(Rated(option, replicas, replicas * rate))
        else:
            hopeless.append((option, trials.run(option, 1, ALONE * option.capacity)))
    rated.sort(key=lambda r: (-r.rate, r.option.family))
    for entry in rated:
        best_yet = max((r.rate for r in rated if r.method == "discrete events"), default=0.0)
        if entry.replicas * optimistic_rate(entry.option, promises) / OPTIMISM >= best_yet:
            entry.rate, entry.method = highest_rate(entry, trials), "discrete events"
    settled = [r for r in rated if r.method == "discrete events" and r.rate > 0]
    if not settled:
        lone = hopeless or [(r.option, trials.run(r.option, 1, ALONE * r.option.capacity)) for r in rated]
        return Answer(meta, None, impossible=impossible_promises(lone, promises) if lone else [], left_out=small)
    best = _confirmed(settled, trials)
    outcome = trials.run(best.option, best.replicas, best.rate)
    latencies = fleet_latencies(best.option, best.rate / best.replicas, promises)
    sure = margin([best.option], latencies, outcome.reached, promises, trials.seed, trials.progress)
    row = fleet_row(best.option, best.replicas, spare, best.rate, cost_basis) | {
        "promises": promise_rows(promises, outcome, sure),
        "probability_all_hold": sure.probability,
        "margin_for_95_percent": None if sure.load is None else 1.0 - sure.load,
        "rate_for_95_percent": None if sure.load is None else sure.load * best.rate,
        "confirmed_by": "discrete events, ten more seeds",
    }
    runners = []
    for r in sorted((r for r in rated if r is not best), key=lambda r: (-r.rate, r.option.family)):
        fails = "closed form only"
        if r.method == "discrete events":
            where = f"at {best.rate:.3g} req/s"
            fails = failing(trials.run(r.option, r.replicas, best.rate), promises, where)
        runners.append(
            fleet_row(r.option, r.replicas, spare, max(r.rate, 1e-9), cost_basis) | {"method": r.method, "fails": fails}
        )
    runners += [
        option_row(o) | {"replicas": None, "gpus": None, "fails": failing(out, promises, "even one request alone")}
        for o, out in hopeless
    ]
    return Answer(meta, row, runners, frontier=frontier(best, trials), left_out=small)


def closed_form_rate(option: Option, trials: Trials) -> float:
    """Highest requests/s of one replica that keep the promises, by the closed form; 0 if not even one request alone."""

    def keeps(rate: float) -> bool:
        form = option.form(rate)
        return form.stable and all(form.latency(p.metric, p.percentile) <= p.limit for p in trials.promises)

    low, high = ALONE * option.capacity, option.capacity
    if not keeps(low):
        return 0.0
    while high - low > 0.1 * PRECISION * high:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if keeps(middle) else (low, middle)
    return low


def highest_rate(entry: Rated, trials: Trials) -> float:
    """Highest rate that keeps the promises in one trial, to 1 %; 0 if none does."""

    def keeps(rate: float) -> bool:
        return trials.run(entry.option, entry.replicas, rate).kept(trials.promises)

    low = high = entry.rate
    if keeps(low):
        while keeps(high := 1.1 * low) and high < 1.2 * entry.option.capacity * entry.replicas:
            low = high
    else:
        while not keeps(low := high / 1.1):
            high = low
            if low < ALONE * entry.option.capacity:
                return 0.0
    while high - low > PRECISION * high:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if keeps(middle) else (low, middle)
    return low


def _confirmed(settled: list[Rated], trials: Trials) -> Rated:
    while True:
        best = max(settled, key=lambda r: (r.rate, r.option.family))
        if best.confirmed:
            return best
        if trials.confirm(best.option, best.replicas, best.rate):
            best.confirmed = True
        else:
            best.rate *= 1.0 - PRECISION


def frontier(best: Rated, trials: Trials) -> list[dict[str, Any]]:
    """Latencies of the winner over the rate."""
    rows = []
    for part in FRONTIER:
        rate = part * best.rate
        outcome = trials.run(best.option, best.replicas, rate)
        row: dict[str, Any] = {"rate_per_s": rate, "state": outcome.state}
        row |= {f"{p.name}_ms": reached * 1e3 for p, reached in zip(trials.promises, outcome.reached, strict=True)}
        rows.append(row | {"kept": outcome.kept(trials.promises)})
    return rows
