"""The promised percentiles of fleets and pools by the closed form, as the draws of a calibration move them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from simulator import kernels as kn
from simulator.prediction.odds import Latencies, Odds, Replicas
from simulator.serving.delivered import Delivered
from simulator.serving.fleet import Fleet
from simulator.serving.pools import Pools, decode_only
from simulator.serving.replica import Replica, build_replica
from simulator.serving.scenario import Scenario
from simulator.serving.scope import judge_traffic
from simulator.serving.steady_state import SteadyState, steady_state
from simulator.speculation.acceptance import OFF, Speculation
from simulator.traffic.arrivals import Traffic
from simulator.traffic.promises import Promise

Moments = tuple[float, float, float, float]
"""Mean and standard deviation of the input, then of the output, tokens."""


def fleet_latencies(cap: int, moments: Moments, load: float, promises: Sequence[Promise]) -> Latencies:
    """Those of equal replicas at ``load`` requests/s each, running at most ``cap`` requests at once."""

    def latencies(replicas: Replicas) -> list[float]:
        ((plan, spec),) = replicas
        form = steady_state(plan, spec, cap, moments, load)
        return [form.latency(p.metric, p.percentile) for p in promises]

    return latencies


def pool_latencies(pools: Pools, moments: Moments, rate: float, promises: Sequence[Promise]) -> Latencies:
    """Those of disaggregated pools at ``rate`` requests/s in all."""
    mean_in, mean_out = moments[0], moments[2]
    transfer = float(pools.transfer.seconds(mean_in))
    before, after = pools.prefill, pools.decode

    def latencies(replicas: Replicas) -> list[float]:
        (prefill, _off), (decode, spec) = replicas
        first = prefill_form(prefill, before.cap, moments, rate / before.replicas)
        rest = decode_form(decode, spec, after.cap, moments, rate / after.replicas)
        handing = {"ttft": 0.0, "tpot": transfer / max(mean_out - 1.0, 1.0), "e2e": transfer + first.ttft(50.0)}

        def value(promise: Promise) -> float:
            if promise.metric == "ttft":
                return first.ttft(promise.percentile)
            return handing[promise.metric] + rest.latency(promise.metric, promise.percentile)

        return [value(promise) for promise in promises]

    return latencies


def prefill_form(replica: Replica, cap: int, moments: Moments, rate: float) -> SteadyState:
    """Steady state of a replica that only prefills, at ``rate`` requests/s, as one whose answers have one token."""
    return steady_state(replica, OFF, cap, (*moments[:2], 1.0, 0.0), rate)


def decode_form(replica: Replica, speculation: Speculation, cap: int, moments: Moments, rate: float) -> SteadyState:
    """Steady state of a replica that only decodes, at ``rate`` requests/s."""
    return steady_state(decode_only(replica), speculation, cap, moments, rate)


def pool_odds(
    prefill: Scenario,
    decode: Scenario,
    pools: Pools,
    moments: Moments,
    rate: float,
    promises: Sequence[Promise],
    seed: int,
) -> Odds:
    """Draws of pools, wider since nothing measured any, and drafts may gain less, down to nothing.

    Args:
        prefill: scenario of the pool that prefills.
        decode: scenario of the pool that decodes.
        pools: both.
        moments: of the lengths.
        rate: requests/s in all, at which drafts gain what they are promised to.
        promises: whose percentiles are asked for.
        seed: of the draws.
    """
    after = pools.decode
    form = decode_form(after.replica, after.speculation, after.cap, moments, rate / after.replicas)
    least = least_gain(decode, max(1.0, form.batch), moments[0] + 0.5 * moments[2])
    verdict = judge_traffic(decode, moments[0], moments[2], form.batch, pools=True)
    return Odds([(pools.prefill.replica, prefill), (after.replica, decode)], promises, seed, verdict, (None, least))


def fleet_odds(scenario: Scenario, replica: Replica, moments: Moments, promises: Sequence[Promise], seed: int) -> Odds:
    """Draws of equal replicas of a scenario, wider where it leaves what was measured."""
    return Odds([(replica, scenario)], promises, seed, judge_traffic(scenario, moments[0], moments[2]))


def least_gain(scenario: Scenario, batch: float, context: float) -> float | None:
    """Acceptance length at which drafting gains nothing; None without drafts.

    It is the time of a round with drafts over that of a step without.

    Args:
        scenario: of a replica that decodes.
        batch: requests in a round.
        context: mean tokens before each, prompt and answer.
    """
    spec, values = scenario.speculation, scenario.calibration.values()
    if not spec.tokens:
        return None
    replicas = [build_replica(scenario.deployment, one, values) for one in (spec, OFF)]
    drafting, plain = (kn.round_time(r.target, r.draft, r.constants, batch, context) for r in replicas)
    return max(1.0, float(drafting / plain))


def with_odds(
    delivered: Delivered,
    scenario: Scenario,
    fleet: Fleet | Pools,
    traffic: Traffic,
    seed: int,
    prefill: Scenario | None = None,
) -> Delivered:
    """The same with the 90 % interval of what was reached of each promise, and the probability that it holds.

    Of a rate that varies, the closed form takes the mean. Where a promised percentile is unbounded there is neither.

    Args:
        delivered: of the run.
        scenario: of a replica, of pools of one that decodes.
        fleet: that ran.
        traffic: that it served.
        seed: of the draws.
        prefill: scenario of a replica that prefills, of pools.
    """
    found = delivered.promises
    if not found or not all(math.isfinite(one.seconds) for one in found):
        return delivered
    promises = [one.promise for one in found]
    if isinstance(fleet, Pools):
        odds = pool_odds(prefill or scenario, scenario, fleet, traffic.moments, traffic.rate, promises, seed)
        latencies = pool_latencies(fleet, traffic.moments, traffic.rate, promises)
    else:
        odds = fleet_odds(scenario, fleet.replica, traffic.moments, promises, seed)
        latencies = fleet_latencies(fleet.cap, traffic.moments, traffic.rate / fleet.replicas, promises)
    margin = odds.margin(latencies, [one.seconds for one in found])
    held = [
        replace(one, interval=interval, probability=probability)
        for one, interval, probability in zip(found, margin.intervals, margin.each, strict=True)
    ]
    return replace(delivered, promises=tuple(held))
