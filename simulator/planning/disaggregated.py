"""Disaggregated pools as an answer of a plan: sized one after the other, since prefill does not wait for decode."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from simulator.planning.answer import Answer, option_row, promise_rows
from simulator.planning.least_gpus import least_replicas
from simulator.planning.margin import Latencies, Margin, Replicas, margin
from simulator.planning.options import Option
from simulator.planning.trials import CONFIRMATIONS, Outcome, Trials
from simulator.serving.delivered import cost_and_energy
from simulator.serving.fleet import Fleet
from simulator.serving.pools import Pools, decode_only, kv_transfer, pool_fleets
from simulator.serving.saturation import STABLE
from simulator.serving.steady_state import open_form
from simulator.speculation.acceptance import OFF
from simulator.traffic.promises import Promise

MOST = 4096
ROOMY = 4096
"""Replicas of the pool that is not being sized."""


@dataclass
class PoolEntry:
    """Kinds of replica and how many of each."""

    prefill: Option
    decode: Option
    prefills: int
    decodes: int
    bandwidth: float
    router: str

    @property
    def gpus(self) -> int:
        """GPUs of both pools."""
        return self.prefill.gpus * self.prefills + self.decode.gpus * self.decodes

    @property
    def name(self) -> str:
        """Such as ``TP4 prefill + TP2 MTP 3 decode``."""
        return f"TP{self.prefill.gpus} prefill + {self.decode.family} decode"

    def pools(self, prefills: int | None = None, decodes: int | None = None) -> Pools:
        """The pools, or others of the same kind."""
        p, d = self.prefill, self.decode
        smaller = min(p.gpus, d.gpus)
        return pool_fleets(
            Fleet(p.plan, OFF, p.gpus, p.cap, prefills or self.prefills, self.router),
            Fleet(d.plan, d.scenario.speculation, d.gpus, d.cap, decodes or self.decodes, self.router),
            kv_transfer(d.scenario.deployment, smaller, d.scenario.speculation.tokens, self.bandwidth),
        )


def best_pools(
    options: Sequence[Option], trials: Trials, rate: float, bandwidth: float, most: float
) -> PoolEntry | None:
    """The cheapest pools with fewer than ``most`` GPUs that keep the promises, confirmed with every seed."""
    found = [entry for entry in _entries(options, trials, rate, bandwidth) if entry.gpus < most]
    while found:
        best = min(found, key=lambda e: (e.gpus, e.name))
        if best.gpus >= most:
            return None
        broken = next((o for n in range(1, CONFIRMATIONS + 1) if not (o := outcome(best, trials, rate, n)).kept(
            trials.promises)), None)  # fmt: skip
        if broken is None:
            return best
        late = any(p.metric == "ttft" and r > p.limit for p, r in zip(trials.promises, broken.reached, strict=True))
        if late:
            best.prefills += 1
        else:
            best.decodes += 1
    return None


def with_pools(
    answer: Answer, options: Sequence[Option], trials: Trials, rate: float, bandwidth: float, spare: int, basis: str
) -> Answer:
    """The answer, with disaggregated pools in place of its winner if they need fewer GPUs or there is none."""
    without = answer.winner
    most = math.inf if without is None else float(without["gpus"]) - spare * int(without["tp"])
    best = best_pools(options, trials, rate, bandwidth, most)
    if best is None:
        return answer
    row = pool_row(best, trials, rate, spare, basis)
    if without is None:
        return replace(answer, winner=row, impossible=())
    dearer = {"fails": f"nothing, but it needs more than {row['gpus']} GPUs"}
    others = [{**r, **dearer} if r["gpus"] == without["gpus"] else r for r in answer.runners_up]
    return replace(answer, winner=row, runners_up=[{**without, "method": "discrete events", **dearer}, *others])


def outcome(entry: PoolEntry, trials: Trials, rate: float, number: int = 0) -> Outcome:
    """One trial of the entry."""
    return trials.run_pools(entry.pools(), entry.name, entry.decode, rate, number)


def _entries(options: Sequence[Option], trials: Trials, rate: float, bandwidth: float) -> list[PoolEntry]:
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

    mean_in, sd_in, _out, _sd = option.moments
    knee = open_form(option.plan, OFF, option.cap, (mean_in, sd_in, 1.0, 0.0), 1e-3).capacity
    n = least_replicas(keeps, max(1, math.ceil(1.1 * rate / knee)))
    if n is None:
        return None
    entry.prefills = n
    return entry


def _decodes(entry: PoolEntry, trials: Trials, rate: float) -> int | None:
    """Least decode replicas behind the prefill pool that keep every promise."""
    option, plan = entry.decode, decode_only(entry.decode.plan)
    spec = option.scenario.speculation

    def guessed(n: int) -> bool:
        form = open_form(plan, spec, option.cap, option.moments, rate / n)
        return form.stable and all(form.tpot(p.percentile) <= p.limit for p in trials.promises if p.metric == "tpot")

    guess = 1
    while not guessed(guess):
        guess *= 2
        if guess > MOST:
            return None

    def keeps(n: int) -> bool:
        return trials.run_pools(entry.pools(decodes=n), entry.name, option, rate).kept(trials.promises)

    return least_replicas(keeps, guess)


def pool_latencies(entry: PoolEntry, rate: float, promises: Sequence[Promise]) -> Latencies:
    """Promised percentiles of the pools by the closed form, at a part of the planned rate."""
    mean_in, sd_in, mean_out, _sd = entry.decode.moments
    transfer = float(entry.pools().transfer.seconds(mean_in))

    def latencies(replicas: Replicas, part: float) -> list[float]:
        (prefill, _off), (decode, spec) = replicas
        first = open_form(prefill, OFF, entry.prefill.cap, (mean_in, sd_in, 1.0, 0.0), part * rate / entry.prefills)
        rest = open_form(decode_only(decode), spec, entry.decode.cap, entry.decode.moments, part * rate / entry.decodes)
        handing = {"ttft": 0.0, "tpot": transfer / max(mean_out - 1.0, 1.0), "e2e": transfer + first.ttft(50.0)}
        return [
            first.ttft(p.percentile) if p.metric == "ttft" else handing[p.metric] + rest.latency(p.metric, p.percentile)
            for p in promises
        ]

    return latencies


def pool_margin(entry: PoolEntry, trials: Trials, rate: float, reached: Sequence[float]) -> Margin:
    """How sure the pools are; see :func:`simulator.planning.margin.margin`."""
    latencies = pool_latencies(entry, rate, trials.promises)
    return margin([entry.prefill, entry.decode], latencies, reached, trials.promises, trials.seed, trials.progress)


def pool_row(entry: PoolEntry, trials: Trials, rate: float, spare: int, basis: str) -> dict[str, Any]:
    """The pools as the winner of a plan. A spare is one replica of each pool."""
    result = outcome(entry, trials, rate)
    sure = pool_margin(entry, trials, rate, result.reached)
    mean_in, sd_in, mean_out, _sd = entry.decode.moments
    first = open_form(entry.prefill.plan, OFF, entry.prefill.cap, (mean_in, sd_in, 1.0, 0.0), 1e-3).capacity
    rest = open_form(
        decode_only(entry.decode.plan), entry.decode.scenario.speculation, entry.decode.cap, entry.decode.moments, 1e-3
    ).capacity
    knee = min(first * entry.prefills, rest * entry.decodes)
    gpus = entry.gpus + spare * (entry.prefill.gpus + entry.decode.gpus)
    more = None if sure.load is None else [math.ceil(n / sure.load - 1e-9) for n in (entry.prefills, entry.decodes)]
    return (
        option_row(entry.decode)
        | {
            "name": entry.name,
            "replicas": entry.decodes,
            "prefill_tp": entry.prefill.gpus,
            "prefill_replicas": entry.prefills,
            "prefill_max_running": entry.prefill.cap,
            "kv_bandwidth_gb_s_per_gpu": entry.bandwidth / 1e9,
            "kv_transfer_ms": 1e3 * float(entry.pools().transfer.seconds(mean_in)),
            "spare_replicas": spare,
            "gpus": gpus,
            "rate_per_s": rate,
            "knee_per_s": knee,
            "headroom_to_knee": knee / rate - 1.0,
            "promises": promise_rows(trials.promises, result, sure),
            "probability_all_hold": sure.probability,
            "margin_for_95_percent": None if sure.load is None else 1.0 / sure.load - 1.0,
            "replicas_for_95_percent": None if more is None else more[1],
            "prefill_replicas_for_95_percent": None if more is None else more[0],
            "gpus_for_95_percent": None
            if more is None
            else (more[0] + spare) * entry.prefill.gpus + (more[1] + spare) * entry.decode.gpus,
            "confirmed_by": "discrete events, ten more seeds",
        }
        | cost_and_energy(entry.decode.scenario.deployment.hardware, basis, gpus, rate * (mean_in + mean_out))
    )
