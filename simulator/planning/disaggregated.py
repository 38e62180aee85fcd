"""Disaggregated pools as an answer of a plan: sized one after the other, since prefill does not wait for decode."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from simulator.planning.answer import Answer
from simulator.planning.assurance import assurance
from simulator.planning.gamble import Gamble
from simulator.planning.least_gpus import least_replicas
from simulator.planning.options import Option
from simulator.planning.pool_entry import PoolEntry, decode_at, prefill_knee
from simulator.planning.runner_up import DISCRETE_EVENTS, RunnerUp
from simulator.planning.trials import CONFIRMATIONS, Outcome, Trials
from simulator.planning.winner import Pool, PoolWinner
from simulator.prediction.odds import Margin
from simulator.serving.fleet_cost import Cost, fleet_cost
from simulator.serving.saturation import STABLE
from simulator.serving.scope import POOLS

MOST = 4096
ROOMY = 4096
"""Replicas of the pool that is not being sized."""
SURE_WITHIN = 3
"""Times the GPUs that keep the promises as predicted within which pools are looked for that do so with confidence."""
ABOVE_KNEE = 1.1
"""The first guess of a prefill pool has its knee above the planned rate by this factor."""


def with_pools(
    answer: Answer, options: Sequence[Option], trials: Trials, rate: float, bandwidth: float, spare: int, basis: str
) -> Answer:
    """The answer, with disaggregated pools in place of its winner if they need fewer GPUs or there is none.

    Pools that need fewer as predicted, but not with the confidence asked for, stand beside it as ``pools``.

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
    held = without is not None and without.sure.confident
    most = math.inf if without is None or not held else without.gpus - spare * without.kind.tp
    entries = [entry for entry in _entries(options, trials, rate, bandwidth) if entry.gpus < most]
    gamble = _best(entries, trials, rate, most)
    if gamble is None:
        return answer
    sure = _surest([gamble, *(e for e in entries if e is not gamble)], trials, rate, most)
    if sure is None and without is not None:
        return replace(answer, pools=_gamble(gamble, trials, rate, spare, basis))
    winner = _pool_winner(sure or _sure_of(gamble, trials, rate), gamble, trials, rate, spare, basis)
    if without is None:
        return replace(answer, winner=winner, impossible=())
    percent = f"{100 * trials.confidence:g} %"
    dearer = (
        f"nothing: with {percent} it needs more than {winner.gpus} GPUs" if held else f"it does not hold with {percent}"
    )
    beaten = RunnerUp(without.kind, dearer, without.fleet, DISCRETE_EVENTS, without.sure)
    others = [replace(r, fails=dearer) if r.gpus == without.gpus else r for r in answer.runners_up]
    return replace(answer, winner=winner, runners_up=[beaten, *others])


def _best(entries: Sequence[PoolEntry], trials: Trials, rate: float, most: float) -> PoolEntry | None:
    """The cheapest pools with fewer than ``most`` GPUs that keep the promises, confirmed with every seed."""
    while entries:
        best = min(entries, key=lambda e: (e.gpus, e.name))
        if best.gpus >= most:
            return None
        broken = _broken(best, trials, rate)
        if broken is None:
            return best
        _grow(best, [r <= p.limit for r, p in zip(broken.reached, trials.promises, strict=True)], trials)
    return None


def _grow(entry: PoolEntry, held: Sequence[bool], trials: Trials) -> None:
    """One more replica in the pool that a broken promise points to: the first token comes from the prefill pool."""
    if any(p.metric == "ttft" and not good for p, good in zip(trials.promises, held, strict=True)):
        entry.prefills += 1
    else:
        entry.decodes += 1


@dataclass(frozen=True)
class SurePools:
    """Pools, what discrete events reached, and how sure that is."""

    entry: PoolEntry
    outcome: Outcome
    margin: Margin


def _sure_of(entry: PoolEntry, trials: Trials, rate: float) -> SurePools:
    outcome = entry.trial(trials, rate)
    return SurePools(entry, outcome, entry.margin(trials, rate, outcome))


def _surest(entries: Sequence[PoolEntry], trials: Trials, rate: float, most: float) -> SurePools | None:
    """The pools with the fewest GPUs, below ``most``, that keep the promises with confidence; None if none do."""
    best: SurePools | None = None
    for entry in sorted(entries, key=lambda e: (e.gpus, e.name)):
        found = _grown(replace(entry), trials, rate, min(most, best.entry.gpus if best else math.inf))
        best = found or best
    return best


def _grown(entry: PoolEntry, trials: Trials, rate: float, most: float) -> SurePools | None:
    """Pools grown replica by replica until they are confident; None if they then need ``most`` GPUs or too many."""
    trials.progress(f"calibration uncertainty of {entry.name}")
    draws, drawn_at, limit = entry.draws(trials, rate), entry.size, min(most, SURE_WITHIN * entry.gpus + 1)
    while entry.gpus < limit:
        outcome = entry.trial(trials, rate)
        found = entry.margin(trials, rate, outcome, draws, drawn_at)
        if outcome.kept(trials.promises) and found.probability >= trials.confidence:
            broken = _broken(entry, trials, rate)
            if broken is None:
                return SurePools(entry, outcome, found)
            _grow(entry, [r <= p.limit for r, p in zip(broken.reached, trials.promises, strict=True)], trials)
        else:
            weakest = min(found.each)
            _grow(entry, [probability > weakest for probability in found.each], trials)
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

    knee = prefill_knee(option)
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
        form = decode_at(option, rate / n)
        return form.stable and all(form.tpot(p.percentile) <= p.limit for p in tpots)

    def keeps(n: int) -> bool:
        return trials.run_pools(entry.pools(decodes=n), entry.name, option, rate).kept(trials.promises)

    guess = 1
    while not guessed(guess):
        guess *= 2
        if guess > MOST:
            return None
    return least_replicas(keeps, guess)


def _pool_winner(sure: SurePools, gamble: PoolEntry, trials: Trials, rate: float, spare: int, basis: str) -> PoolWinner:
    """The pools as the winner of a plan for ``rate`` requests/s, how sure they are, and the gamble with fewer GPUs."""
    entry = sure.entry
    prefill, decode = entry.prefill, entry.decode
    return PoolWinner(
        prefill=Pool(prefill.kind, entry.prefills),
        decode=Pool(decode.kind, entry.decodes),
        kv_bandwidth=entry.bandwidth,
        kv_transfer=entry.transfer,
        spare_replicas=spare,
        rate_per_s=rate,
        knee_per_s=entry.knee,
        cost=_cost(entry, rate, spare, basis),
        sure=assurance(trials.promises, sure.outcome, sure.margin, trials.confidence),
        gamble=_gamble(gamble, trials, rate, spare, basis) if gamble.gpus < entry.gpus else None,
    )


def _cost(entry: PoolEntry, rate: float, spare: int, basis: str) -> Cost:
    return fleet_cost(entry.decode.scenario.deployment.hardware, basis, _gpus(entry, spare), rate * entry.decode.tokens)


def _gpus(entry: PoolEntry, spare: int) -> int:
    return entry.gpus + spare * (entry.prefill.gpus + entry.decode.gpus)


def _gamble(entry: PoolEntry, trials: Trials, rate: float, spare: int, basis: str) -> Gamble:
    money, probability = _cost(entry, rate, spare, basis).usd_per_hour, _sure_of(entry, trials, rate).margin.probability
    verdict = entry.decode.kind.verdict.also(POOLS)
    return Gamble(entry.name, entry.decodes, _gpus(entry, spare), rate, money, probability, verdict, entry.prefills)
