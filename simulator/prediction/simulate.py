"""Simulate one scenario under open-loop traffic, from checked inputs to figures with everything that went in."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from simulator import kernels as kn
from simulator.bounds import small_enough
from simulator.errors import InputError
from simulator.prediction.kept_prompts import fitting, kept_prompts, with_hit_rate, within_memory
from simulator.prediction.latencies import with_odds
from simulator.prediction.pools import PrefillPool
from simulator.results.table import Result
from simulator.serving.delivered import Delivered, summarise
from simulator.serving.fleet import Fleet, FleetRun, check_fleet, memory_cap, simulate_fleet, traffic_tokens
from simulator.serving.fleet_cost import Cost, fleet_cost
from simulator.serving.pools import Pools, bytes_per_second, simulate_pools
from simulator.serving.prefix_cache import Keeping
from simulator.serving.replica import Replica, build_replica
from simulator.serving.scenario import Scenario, cost_basis_price, describe, for_lengths, make_scenario
from simulator.serving.scope import Verdict, judge_traffic
from simulator.traffic.arrivals import Traffic, make_traffic
from simulator.traffic.lengths import Lengths, lengths_of
from simulator.traffic.promises import Promise, check_promises, parse_promises
from simulator.units import duration_text, parse_duration


@dataclass(frozen=True)
class Simulation(Result):
    """One simulated fleet: the inputs, the run, what it delivered and what the fleet costs."""

    meta: Mapping[str, Any]
    fleet: Fleet | Pools
    traffic: Traffic
    promises: tuple[Promise, ...]
    run: FleetRun
    delivered: Delivered
    cost: Cost
    verdict: Verdict

    @property
    def figures(self) -> Mapping[str, Any]:
        """What was delivered (latencies in ms), the GPUs and their cost under the names of their columns."""
        own = {"gpus": self.fleet.total_gpus} | self.cost.as_row() | self.verdict.as_row()
        return self.delivered.as_row() | own

    @property
    def kept(self) -> bool:
        """Whether every promise is kept; of none, none is broken."""
        return all(reached.kept for reached in self.delivered.promises)

    def records(self) -> list[Mapping[str, Any]]:
        """The figures, without the promises."""
        return [{name: value for name, value in self.figures.items() if name != "promises"}]

    def document(self) -> Mapping[str, Any]:
        """``meta``, ``figures``."""
        return {"meta": self.meta, "figures": self.figures}


def simulate(
    scenario: Scenario | None = None,
    *,
    rate: float | None = None,
    profile: str | None = None,
    trace: str | None = None,
    cv: float = 1.0,
    duration: str | float | None = None,
    lengths: str | Lengths | None = None,
    replicas: int = 1,
    router: str = "least-outstanding",
    prefix_cache: str | None = None,
    max_running: int | None = None,
    queue_limit: int | None = None,
    prefill_tp: int | None = None,
    prefill_replicas: int = 1,
    kv_bandwidth_gb_s: float = 50.0,
    promises: Sequence[str | Promise] = (),
    seed: int = 0,
    cost_basis: str = "hyperscaler",
) -> Simulation:
    """Open-loop traffic against one replica or a fleet behind a router, by discrete events.

    Args:
        scenario: what one replica is, and the nominal lengths; None: the default one.
        rate: requests per second of the whole fleet; one of this, ``profile`` and ``trace``.
        profile: CSV file ``start_s,requests_per_s``, the rate over the day, or windows of ServeGen.
        trace: CSV or JSONL with ``arrival_s``, ``input_tokens`` and ``output_tokens``, a trace of Mooncake, Azure or
            BurstGPT, or sessions, each request of which comes when it was recorded; which one is seen by the content.
        cv: coefficient of variation of the gaps: 1 is Poisson, above it bursty, 0 even.
        duration: such as ``"10min"``, or seconds; None: an hour, a profile's day, a trace's own length.
        lengths: ``fixed``, ``uniform:0.8``, ``lognormal:CV`` or ``empirical:FILE.csv``; None: uniform from the
            scenario's range ratio (0.8), as the published benchmarks draw them.
        replicas: equal replicas behind the router.
        router: ``round-robin``, ``least-outstanding`` or ``two-choices``; with prefix caches ``prefix-aware`` or
            ``sticky`` (a session stays where it began) too.
        prefix_cache: ``on`` or ``off``; None: on where the trace says what prompts share.
        max_running: requests that one replica runs at once; None: what fits in memory.
        queue_limit: requests that may wait at a replica; None: any number.
        prefill_tp: TP of a pool that only prefills; the scenario's replicas then only decode.
        prefill_replicas: replicas of that pool.
        kv_bandwidth_gb_s: per GPU between the pools, one way, GB/s.
        promises: such as ``"ttft-p99=2s"``; reported as kept or not, and counted as goodput.
        seed: of arrivals, lengths and accepted drafts.
        cost_basis: ``hyperscaler``, ``neocloud`` or ``rental``.

    Raises:
        InputError: bad arguments or files, what does not fit in memory, a promise below the time of a single step.

    Example:
        >>> from simulator import make_scenario, simulate
        >>> found = simulate(make_scenario(tp=4), rate=1.0, duration="10min", promises=["ttft-p99=2s"])
        >>> found.figures["state"], found.figures["promises"][0]["kept"]
        ('stable', True)
    """
    base = scenario or make_scenario()
    seconds = parse_duration("--duration", duration) if isinstance(duration, str) else duration
    drawn = lengths_of(lengths, base.workload)
    prefill = None
    if prefill_tp is not None:
        prefill = PrefillPool(prefill_tp, prefill_replicas, bytes_per_second(kv_bandwidth_gb_s))
    return simulate_traffic(
        base,
        make_traffic(rate, drawn, duration=seconds, cv=cv, profile=profile, trace=trace),
        replicas=replicas,
        router=router.lower(),
        prefix_cache=None if prefix_cache is None else prefix_cache.lower(),
        max_running=max_running,
        queue_limit=queue_limit,
        prefill=prefill,
        promises=parse_promises(promises),
        seed=seed,
        cost_basis=cost_basis.lower(),
    )


def simulate_traffic(
    scenario: Scenario,
    traffic: Traffic,
    *,
    replicas: int = 1,
    router: str = "least-outstanding",
    prefix_cache: str | None = None,
    max_running: int | None = None,
    queue_limit: int | None = None,
    prefill: PrefillPool | None = None,
    promises: Sequence[Promise] = (),
    seed: int = 0,
    cost_basis: str = "hyperscaler",
) -> Simulation:
    """A fleet of ``replicas`` copies of a scenario's deployment under the traffic.

    Args:
        scenario: what one replica is; its closed-loop workload plays no part.
        traffic: when requests come and how long they are.
        replicas: equal replicas behind the router.
        router: a key of :data:`simulator.serving.fleet.ROUTERS` or of ``PREFIX_ROUTERS``.
        prefix_cache: ``on``, ``off`` or None, see :func:`simulator.prediction.kept_prompts.kept_prompts`.
        max_running: requests that one replica runs at once; None: as many as fit in memory.
        queue_limit: requests that may wait at a replica beyond those; None: any number.
        prefill: a pool of its own for the prefills; the scenario's replicas then only decode.
        promises: reported as kept or not, and counted as goodput.
        seed: of arrivals, lengths and accepted drafts.
        cost_basis: ``hyperscaler``, ``neocloud`` or ``rental``.

    Raises:
        InputError: bad arguments, what does not fit in memory, a promise below the time of a single step.
    """
    check_fleet(replicas, router, queue_limit, seed)
    check_promises(promises)
    if traffic.trace is not None or traffic.lengths.kind == "empirical":
        scenario = for_lengths(scenario, traffic.mean_lengths()[0])
    cost_basis_price(scenario.deployment, cost_basis)
    replica = build_replica(scenario.deployment, scenario.speculation, scenario.calibration.values())
    check_against_one_step(replica, traffic, promises)
    cap = fleet_cap(scenario, traffic, max_running)
    keep = kept_prompts(scenario, traffic.prefixes, prefix_cache, router, pools=prefill is not None)
    if keep is not None and traffic.prefixes is not None:
        block, longest = traffic.prefixes.block_tokens, traffic_tokens(traffic, scenario.deployment.engine)[1]
        cap = fitting(scenario, keep, cap, block, longest)
        within_memory(traffic.prefixes, replicas)
    decode = Fleet(replica, scenario.speculation, scenario.deployment.gpus, cap, replicas, router, queue_limit, keep)
    meta = open_meta(scenario, traffic, decode, seed)
    fleet: Fleet | Pools = decode
    if prefill is None:
        run = simulate_fleet(decode, traffic, seed)
    else:
        if queue_limit is not None:
            raise InputError("--queue-limit: not with a prefill pool, whose queue has no limit")
        fleet = prefill.before(decode, scenario, fleet_cap(prefill.scenario(scenario), traffic, None))
        run = simulate_pools(fleet, traffic, seed)
        meta |= prefill.meta(fleet, traffic.mean_lengths()[0])
    before = None if prefill is None else prefill.scenario(scenario)
    delivered = summarise(fleet, run, traffic, promises)
    if delivered.hits is not None:
        scenario = with_hit_rate(scenario, delivered.hits.hit_rate_gpu)
        replica = build_replica(scenario.deployment, scenario.speculation, scenario.calibration.values())
        fleet = replace(decode, replica=replica)
    delivered = with_odds(delivered, scenario, fleet, traffic, seed, before)
    tok_s = delivered.load.total_tok_s_gpu * fleet.total_gpus
    cost = fleet_cost(scenario.deployment.hardware, cost_basis, fleet.total_gpus, tok_s)
    batch = delivered.load.decode_batch
    verdict = judge_traffic(scenario, *traffic.mean_lengths(), batch or None, pools=prefill is not None)
    return Simulation(meta, fleet, traffic, tuple(promises), run, delivered, cost, verdict)


def fleet_cap(scenario: Scenario, traffic: Traffic, max_running: int | None) -> int:
    """Requests that one replica runs at once.

    Raises:
        InputError: not even one request fits, or more are asked for than fit.
    """
    tokens, longest = traffic_tokens(traffic, scenario.deployment.engine)
    fits = memory_cap(scenario.deployment, scenario.speculation.tokens, tokens, longest)
    if fits < 1:
        scenario.check_memory(1)
        d = scenario.deployment
        raise InputError(
            f"the longest request, {longest} tokens, does not fit on {d.gpus} x {d.hardware.name} with {d.checkpoint}"
        )
    if max_running is None:
        return fits
    if not 1 <= small_enough("--max-running", max_running) <= fits:
        raise InputError(f"--max-running: expected 1 to {fits}, the most whose caches fit, found {max_running}")
    return max_running


def check_against_one_step(replica: Replica, traffic: Traffic, promises: Sequence[Promise]) -> None:
    """Refuse a promise that not even one request alone on a replica can keep.

    Raises:
        InputError: names the promise and the time of a single step.
    """
    check_promised_outputs(traffic, promises)
    prompt = shortest_prompt(traffic)
    for promise in promises:
        best, what = one_step(replica, prompt, promise.metric)
        if promise.limit < best:
            raise InputError(
                f"--{promise.name}: {duration_text(promise.limit)} is below {what}, {duration_text(best)} for one "
                f"request alone with {prompt:.0f} input tokens: no load is low enough"
            )


def check_promised_outputs(traffic: Traffic, promises: Sequence[Promise]) -> None:
    """Refuse a promise of a time per output token where every output has one token, which has none.

    Raises:
        InputError: names the promise.
    """
    lengths, trace = traffic.lengths, traffic.trace
    if trace is not None:
        longest = int(trace.output.max())
    elif lengths.kind == "empirical":
        longest = max(output for _input, output in lengths.pairs)
    else:
        longest = 2 if lengths.kind == "lognormal" and lengths.shape > 0 else lengths.osl
    for promise in promises:
        if promise.metric == "tpot" and longest == 1:
            raise InputError(f"--{promise.name}: every output is one token, which has no time per output token")


def one_step(replica: Replica, prompt: float, metric: str) -> tuple[float, str]:
    """The least seconds that a latency can have, and what takes them."""
    c = replica.constants
    if metric == "tpot":
        alone = kn.round_time(replica.target, replica.draft, c, 1.0, prompt)
        if c.verify > 1:
            return float(alone / c.verify), "the time of a single round per token even with every draft accepted"
        return float(alone), "the time of a single decode step"
    found = max(0.0, min(math.floor(c.hit_rate * prompt), prompt - 1.0))
    chunk = min(prompt - found, float(c.chunk))
    pairs = chunk * (found + chunk / 2)
    prefill = kn.prefill_time(replica.target, replica.draft, c, chunk, 1.0, pairs, found, 0.0, 0.0)
    return float(prefill + c.delay + c.delay_token * prompt), "the front end and a single prefill step"


def shortest_prompt(traffic: Traffic) -> float:
    """Input tokens of the shortest request that the traffic can hold."""
    lengths = traffic.lengths
    if traffic.trace is not None:
        return float(traffic.trace.prompt.min())
    if lengths.kind == "empirical":
        return float(min(pair[0] for pair in lengths.pairs))
    if lengths.kind == "lognormal":
        return 1.0
    return float(max(1, int(lengths.isl * (lengths.shape if lengths.kind == "uniform" else 1.0))))


def open_meta(scenario: Scenario, traffic: Traffic, fleet: Fleet, seed: int) -> dict[str, Any]:
    """Every resolved input of an open-loop run."""
    meta = describe(scenario)
    for closed_loop_only in ("range_ratio", "requests_per_client"):
        meta.pop(closed_loop_only)
    mean_in, mean_out = traffic.mean_lengths()
    d, s = scenario.deployment, scenario.speculation
    return meta | {
        "tp": d.tp,
        "ep": d.ep,
        "dp": d.dp,
        "spec_tokens": s.tokens,
        "acceptance_length": s.acceptance_length,
        "acceptance_source": s.source.text,
        "traffic": traffic.describe(kept=fleet.keep is not None),
        "lengths": "from the trace" if traffic.trace is not None else traffic.lengths.describe(),
        "mean_input_tokens": float(np.round(mean_in, 3)),
        "mean_output_tokens": float(np.round(mean_out, 3)),
        "duration_s": traffic.duration,
        "replicas": fleet.replicas,
        "max_running": fleet.cap,
        "router": fleet.router,
        "queue_limit": fleet.queue_limit,
        "seed": seed,
        **({} if fleet.keep is None else keeping_meta(fleet.keep)),
    }


def keeping_meta(keep: Keeping) -> dict[str, Any]:
    """How a replica keeps prompts, and how much of them."""
    states = keep.engine.states if keep.engine is not None and keep.stateful else "blocks"
    return {"prefix_cache": states, "kv_tokens_capacity": keep.kv_tokens, "state_slots": keep.state_slots}
