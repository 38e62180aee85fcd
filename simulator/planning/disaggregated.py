"""Disaggregated pools as an answer of a plan: sized one after the other, since prefill does not wait for decode."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from simulator.planning.answer import Answer
from simulator.planning.assurance import MorePools, assurance
from simulator.planning.least_gpus import least_replicas
from simulator.planning.margin import margin, rounded_up
from simulator.planning.options import ALMOST_IDLE, Option
from simulator.planning.pool_entry import PoolEntry, decode_form, prefill_form
from simulator.planning.runner_up import DISCRETE_EVENTS, RunnerUp
from simulator.planning.trials import CONFIRMATIONS, Outcome, Trials
from simulator.planning.winner import Pool, PoolWinner
from simulator.serving.fleet_cost import fleet_cost
from simulator.serving.saturation import STABLE

MOST = 4096
ROOMY = 4096
"""Replicas of the pool that is not being sized."""
ABOVE_KNEE = 1.1
"""The first guess of a prefill pool has its knee above the planned rate by this factor."""


def with_pools(
    answer: Answer, options: Sequence[Option], trials: Trials, rate: float, bandwidth: float, spare: int, basis: str
) -> Answer:
    """The answer, with disaggregated pools in place of its winner if they need fewer GPUs or there is none.

    Args:
        answer: of :func:`~simulator.planning.least_gpus.plan_gpus`, without pools.
        options: every kind of replica that can exist.
        trials: of the planned traffic, with the promises.
        rate: requests/s in all.
        bandwidth: bytes/s per GPU between the pools.
        spare: replicas of each pool that stand by and cost as much.
        basis: whose price, such as ``hyperscaler``.
    """
    without = answer.winner
    assert not isinstance(without, PoolWinner)
    most = math.inf if without is None else without.gpus - spare * without.kind.tp
    best = best_pools(options, trials, rate, bandwidth, most)
    if best is None:
        return answer
    winner = pool_winner(best, trials, rate, spare, basis)
    if without is None:
        return replace(answer, winner=winner, impossible=())
    dearer = f"nothing, but it needs more than {winner.gpus} GPUs"
    beaten = RunnerUp(without.kind, dearer, without.fleet, DISCRETE_EVENTS, without.sure)
    others = [replace(r, fails=dearer) if r.gpus == without.gpus else r for r in answer.runners_up]
    return replace(answer, winner=winner, runners_up=[beaten, *others])


def best_pools(
    options: Sequence[Option], trials: Trials, rate: float, bandwidth: float, most: float
) -> PoolEntry | None:
    """The cheapest pools with fewer than ``most`` GPUs that keep the promises, confirmed with every seed."""
    found = [entry for entry in _entries(options, trials, rate, bandwidth) if entry.gpus < most]
    while found:
        best = min(found, key=lambda e: (e.gpus, e.name))
        if best.gpus >= most:
            return None
        broken = _broken(best, trials, rate)
        if broken is None:
            return best
        late = any(p.metric == "ttft" and r > p.limit for p, r in zip(trials.promises, broken.reached, strict=True))
        if late:
            best.prefills += 1
        else:
            best.decodes += 1
    return None


def _broken(entry: PoolEntry, trials: Trials, rate: float) -> Outcome | None:
    """The first of the confirming trials that breaks a promise, if any does."""
    for number in range(1, CONFIRMATIONS + 1):
        outcome = entry.trial(trials, rate, number)
        if not outcome.kept(trials.promises):
            return outcome
    return None


def _entries(options: Sequence[Option], trials: Trials, rate: float, bandwidth: float) -> list[PoolEntry]:
    """Per draft depth the cheapest prefill pool, and behind it each decode pool that keeps the promises."""
    out = []
    for k in dict.fromkeys(o.scenario.speculation.tokens for o in options):
        kinds = [o for o in options if o.scenario.speculation.tokens == k]
        sized = [entry for o in kinds if (entry := _sized_prefill(o, trials, rate, bandwidth)) is not None]
        if not sized:
            continue
        prefill = min(sized, key=lambda e: (e.prefill.gpus * e.prefills, e.prefill.family))
        for decode in kinds:
            entry = PoolEntry(prefill.prefill, decode, prefill.prefills, 1, bandwidth, trials.router)
            if (n := _decodes(entry, trials, rate)) is not None:
                entry.decodes = n
                out.append(entry)
    return out


def _sized_prefill(option: Option, trials: Trials, rate: float, bandwidth: float) -> PoolEntry | None:
    """Least prefill replicas whose TTFT is kept, the decode pool being roomy."""
    entry = PoolEntry(option, option, 1, 1, bandwidth, trials.router)

    def keeps(n: int) -> bool:
        trial = trials.run_pools(entry.pools(n, ROOMY), entry.name, option, rate)
        return trial.state == STABLE and all(
            r <= p.limit for r, p in zip(trial.reached, trials.promises, strict=True) if p.metric == "ttft"
        )

    knee = prefill_form(option, option.replica, ALMOST_IDLE).capacity
    n = least_replicas(keeps, max(1, math.ceil(ABOVE_KNEE * rate / knee)))
    if n is None:
        return None
    entry.prefills = n
    return entry


def _decodes(entry: PoolEntry, trials: Trials, rate: float) -> int | None:
    """Least decode replicas behind the prefill pool that keep every promise."""
    option = entry.decode
    tpots = [p for p in trials.promises if p.metric == "tpot"]

    def guessed(n: int) -> bool:
        form = decode_form(option, option.replica, option.scenario.speculation, rate / n)
        return form.stable and all(form.tpot(p.percentile) <= p.limit for p in tpots)

    def keeps(n: int) -> bool:
        return trials.run_pools(entry.pools(decodes=n), entry.name, option, rate).kept(trials.promises)

    guess = 1
    while not guessed(guess):
        guess *= 2
        if guess > MOST:
            return None
    return least_replicas(keeps, guess)


def pool_winner(entry: PoolEntry, trials: Trials, rate: float, spare: int, basis: str) -> PoolWinner:
    """The pools as the winner of a plan for ``rate`` requests/s, and how sure they are."""
    outcome = entry.trial(trials, rate)
    prefill, decode, promises = entry.prefill, entry.decode, trials.promises
    latencies = entry.latencies(rate, promises)
    sure = margin([prefill, decode], latencies, outcome.reached, promises, trials.seed, trials.progress)
    more = MorePools(None, None, None, None)
    if sure.load is not None:
        before, after = (rounded_up(n / sure.load) for n in (entry.prefills, entry.decodes))
        total = (before + spare) * prefill.gpus + (after + spare) * decode.gpus
        more = MorePools(1.0 / sure.load - 1.0, after, before, total)
    gpus = entry.gpus + spare * (prefill.gpus + decode.gpus)
    return PoolWinner(
        prefill=Pool(prefill.kind, entry.prefills),
        decode=Pool(decode.kind, entry.decodes),
        kv_bandwidth=entry.bandwidth,
        kv_transfer=entry.transfer,
        spare_replicas=spare,
        rate_per_s=rate,
        knee_per_s=entry.knee,
        cost=fleet_cost(decode.scenario.deployment.hardware, basis, gpus, rate * decode.tokens),
        sure=assurance(promises, outcome, sure, more),
    )
