"""A pool that prefills for the replicas of a scenario, and what both deliver in the closed-loop benchmark."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.bounds import whole
from simulator.errors import InputError
from simulator.facts.deployment import check_deployment
from simulator.facts.quantities import MOST
from simulator.prediction.latencies import least_gain
from simulator.prediction.odds import drawn, drawn_shifts, with_part_of_gain
from simulator.serving.closed_loop import metrics
from simulator.serving.fleet import Fleet, check_fleet
from simulator.serving.pools import KV_BANDWIDTH, Pools, check_kv_bandwidth, kv_transfer, pool_fleets
from simulator.serving.pools_closed_loop import run_pools_closed_loop
from simulator.serving.replica import Replica, build_replica
from simulator.serving.scenario import Scenario
from simulator.serving.scope import POOLS, judge
from simulator.speculation.acceptance import OFF, Speculation
from simulator.traffic.benchmark import Workload
from simulator.units import GIGA, KILO

Array = NDArray[np.float64]

INTERVAL_METRICS = (
    *("total_tok_s_gpu", "output_tok_s_gpu", "mean_tpot_ms", "median_tpot_ms"),
    *("mean_ttft_ms", "median_ttft_ms", "p99_ttft_ms", "mean_e2e_ms"),
)
"""What an interval is given of."""
REQUESTS = 1280
"""Requests simulated in all per row, as independent runs."""
DRAWS = 40
"""Parameter sets behind an interval, each with the same lengths and drafts."""
NOISES = 50
"""Draws of the noise for each of them."""


@dataclass(frozen=True)
class PrefillPool:
    """A pool that prefills for the replicas that decode; ``kv_bandwidth``: bytes/s per GPU between the two."""

    tp: int
    replicas: int
    kv_bandwidth: float = KV_BANDWIDTH

    def scenario(self, decode: Scenario) -> Scenario:
        """What one of its replicas is; it differs from a replica that decodes in its TP only.

        Raises:
            InputError: a TP, count or bandwidth out of range.
        """
        check_fleet(self.replicas, "least-outstanding", None, 0, "--prefill-replicas")
        check_kv_bandwidth(self.kv_bandwidth)
        whole("--prefill-tp", self.tp, 1, MOST)
        if decode.deployment.pp > 1:
            raise InputError(f"--pp {decode.deployment.pp}: pools of pipeline stages are not priced; expected 1")
        deployment = decode.deployment.model_copy(update={"tp": self.tp, "ep": 1, "dp": 1})
        check_deployment(deployment)
        return replace(decode, deployment=deployment)

    def before(self, decode: Fleet, scenario: Scenario, cap: int, replica: Replica | None = None) -> Pools:
        """Both pools.

        Args:
            decode: the fleet that decodes.
            scenario: of its replicas.
            cap: requests that one replica of this pool prefills at once.
            replica: plan of one, if it is not the calibration's own.

        Raises:
            InputError: as of :meth:`scenario`.
        """
        own, spec = self.scenario(scenario), scenario.speculation
        replica = replica or build_replica(own.deployment, spec, scenario.calibration.values())
        fleet = Fleet(replica, OFF, self.tp, cap, self.replicas, decode.router)
        smaller = min(self.tp, scenario.deployment.tp)
        return pool_fleets(fleet, decode, kv_transfer(scenario.deployment, smaller, spec.tokens, self.kv_bandwidth))

    def meta(self, pools: Pools, mean_isl: float) -> dict[str, Any]:
        """Its inputs, with the seconds that the caches of a mean prompt take."""
        return {
            "prefill_tp": self.tp,
            "prefill_replicas": self.replicas,
            "kv_bandwidth_gb_s_per_gpu": self.kv_bandwidth / GIGA,
            "kv_transfer_ms": KILO * float(pools.transfer.seconds(mean_isl)),
        }


def closed_loop_pools(
    scenario: Scenario,
    prefill: PrefillPool,
    plans: tuple[Replica, Replica] | None = None,
    speculation: Speculation | None = None,
) -> Pools:
    """One replica of the scenario that decodes, behind a pool that prefills.

    Args:
        scenario: of the replica that decodes.
        prefill: the pool before it.
        plans: of a replica that prefills and of the one that decodes, if they are not the calibration's own.
        speculation: instead of the scenario's.

    Raises:
        InputError: as of :class:`PrefillPool`, or not even one request fits in memory of a replica that prefills.
    """
    own = prefill.scenario(scenario)
    own.check_memory(1)
    first, rest = plans or (None, None)
    rest = rest or build_replica(scenario.deployment, scenario.speculation, scenario.calibration.values())
    decode = Fleet(rest, speculation or scenario.speculation, scenario.deployment.tp, scenario.slots)
    return prefill.before(decode, scenario, own.slots, first)


def pool_metrics(
    pools: Pools, workload: Workload, concurrency: int, seed: int, runs: int | None = None
) -> dict[str, float]:
    """Expected metrics of the benchmark against pools, per GPU of both; latencies in ms.

    Args:
        pools: both fleets.
        workload: lengths, and requests per client.
        concurrency: closed-loop clients.
        seed: of lengths, drafts and routing.
        runs: independent runs that are averaged; None: so many that there are :data:`REQUESTS` requests.
    """
    count = runs or max(1, -(-REQUESTS // (concurrency * workload.requests_per_client)))
    seeds = np.random.SeedSequence([seed, concurrency]).spawn(count)
    found = [metrics(run_pools_closed_loop(pools, workload, concurrency, one), pools.total_gpus) for one in seeds]
    return {name: float(np.mean([one[name] for one in found])) for name in found[0]}


def pool_bounds(
    scenario: Scenario, prefill: PrefillPool, concurrency: int, seed: int, means: Mapping[str, float]
) -> dict[str, float]:
    """90 % intervals, ``*_lo`` and ``*_hi``: the calibration's draws through the discrete events, wider for pools.

    Nothing measured pools: all figures are less sure, and drafts may gain anything down to nothing.

    Args:
        scenario: of the replica that decodes.
        prefill: the pool before it.
        concurrency: closed-loop clients.
        seed: of everything drawn.
        means: the metrics to give intervals of.
    """
    calibration, w = scenario.calibration, scenario.workload
    rng = np.random.default_rng(np.random.SeedSequence([seed, 9_999]))
    names, shifts = drawn_shifts(calibration, DRAWS, rng)
    least = least_gain(scenario, max(1.0, means["decode_batch"]), w.mean_isl + 0.5 * w.mean_osl)
    base = pool_metrics(closed_loop_pools(scenario, prefill), w, concurrency, seed, runs=1)
    wanted = [name for name in INTERVAL_METRICS if name in means]
    logs: dict[str, list[float]] = {name: [] for name in wanted}
    each = zip(drawn(prefill.scenario(scenario), names, shifts), drawn(scenario, names, shifts), strict=True)
    for ((first, _off), (rest, spec)), part in zip(each, rng.random(DRAWS).tolist(), strict=True):
        pools = closed_loop_pools(scenario, prefill, (first, rest), with_part_of_gain(spec, least, part))
        found = pool_metrics(pools, w, concurrency, seed, runs=1)
        for name in wanted:
            logs[name].append(math.log(found[name] / base[name]))
    noise = rng.standard_normal((DRAWS, NOISES))
    verdict = judge(scenario, concurrency).also(POOLS)
    out: dict[str, float] = {}
    for name in wanted:
        kind = "ttft" if "ttft" in name else "tpot"
        own = math.hypot(float(getattr(calibration.noise, kind)), verdict.spread(kind))
        spread = np.array(logs[name])[:, None] + own * noise
        low, high = np.quantile(spread, (0.05, 0.95))
        out |= {f"{name}_lo": means[name] * math.exp(low), f"{name}_hi": means[name] * math.exp(high)}
    return out
