"""From checked inputs to a plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from simulator.errors import InputError
from simulator.planning.answer import Answer
from simulator.planning.checks import check_asked, check_choices, check_promised, check_steps
from simulator.planning.disaggregated import with_pools
from simulator.planning.least_gpus import plan_gpus
from simulator.planning.ledger import Ledger
from simulator.planning.most_rate import plan_rate
from simulator.planning.options import Option, make_options
from simulator.planning.trials import Trials
from simulator.prediction.predict import versions
from simulator.results.progress import Progress, silent
from simulator.serving.batch import constants_of
from simulator.serving.fleet import check_fleet
from simulator.serving.pools import bytes_per_second
from simulator.serving.scenario import Scenario, cost_basis_price, describe, for_lengths, make_scenario
from simulator.serving.scope import OUTSIDE
from simulator.speculation.stated import Acceptance
from simulator.traffic.arrivals import Requests, Traffic, make_traffic, read_requests
from simulator.traffic.busiest import Spell, busiest_spell
from simulator.traffic.lengths import Lengths, lengths_of
from simulator.traffic.promises import Promise, parse_promises
from simulator.traffic.trace import Rates
from simulator.units import GIGA


def plan(
    scenario: Scenario | None = None,
    *,
    rate: float | None = None,
    gpus: int | None = None,
    trace: str | None = None,
    promises: Sequence[str | Promise] = (),
    cv: float = 1.0,
    lengths: str | Lengths | None = None,
    tp: Sequence[int] = (1, 2, 4, 8),
    ep: Sequence[int] = (1,),
    mtp: Sequence[int] = (0, 1, 2, 3),
    acceptance: Acceptance | None = None,
    max_running: int | None = None,
    spare: int = 0,
    pools: bool = False,
    kv_bandwidth_gb_s: float = 50.0,
    router: str = "least-outstanding",
    prefix_cache: str | None = None,
    seed: int = 0,
    confidence: float = 95.0,
    cost_basis: str = "hyperscaler",
    resume: str | None = None,
    progress: Progress = silent,
) -> Answer:
    """The cheapest deployment that keeps latency promises, or the highest rate of so many GPUs.

    Args:
        scenario: hardware, model, engine, calibration and nominal lengths; its TP and depth play no part. None: the
            default one.
        rate: requests per second in all: find the least GPUs; exactly one of this and ``gpus``.
        gpus: GPUs in all: find the highest rate.
        trace: file of a trace or of rates over time: rate, burstiness and lengths of its busiest ten minutes, instead
            of ``rate``, ``cv`` and ``lengths``; rates alone have no lengths. With ``gpus``, burstiness and lengths.
        promises: at least one, such as ``"ttft-p99=2s"`` or ``"tpot-p95=25ms"``.
        cv: coefficient of variation of the gaps: 1 is Poisson, above it bursty.
        lengths: ``fixed``, ``uniform:0.8``, ``lognormal:CV`` or ``empirical:FILE.csv``; None: uniform from the
            scenario's range ratio (0.8), as the published benchmarks draw them.
        tp: GPUs per replica to choose from; what the hardware or model cannot do is left out and named.
        ep: expert-parallel ranks to choose from.
        mtp: draft depths to choose from; 0 is off.
        acceptance: of drafts; None: the fitted or published one.
        max_running: greatest concurrency limit of a replica; None: what fits in memory.
        spare: replicas that stand by; 1 is N+1.
        pools: let disaggregated prefill and decode pools compete.
        kv_bandwidth_gb_s: per GPU between the pools, one way, GB/s.
        router: ``round-robin``, ``least-outstanding`` or ``two-choices``; with prefix caches ``prefix-aware`` or
            ``sticky`` too.
        prefix_cache: ``on`` or ``off``; None: on where the trace says what prompts share. Trials then take its
            requests in their order, at drawn times.
        seed: of everything drawn; the same seed gives the same plan.
        confidence: per cent with which all promises shall hold in spite of what the calibration leaves uncertain.
        cost_basis: ``hyperscaler``, ``neocloud`` or ``rental``.
        resume: file that keeps what was simulated, to go on after an interruption.
        progress: told what is being done.

    Raises:
        InputError: bad arguments, or a promise below the time of a single step of every option.

    Example:
        >>> from simulator import make_scenario, plan
        >>> found = plan(make_scenario(isl=1024), rate=2.0, promises=["ttft-p99=2s"], tp=(2,), mtp=(0,))
        >>> found.winner.gpus
        2
    """
    base = scenario or make_scenario()
    source, requests = "", None
    if trace is not None:
        spell = busiest_spell(trace)
        requests = _requests_of(trace)
        lengths, cv, source = _of_spell(spell, rate, cv, lengths)
        rate = spell.rate if gpus is None else None
    return plan_fleet(
        base,
        lengths_of(lengths, base.workload),
        parse_promises(promises),
        rate=rate,
        gpus=gpus,
        acceptance=acceptance,
        tp=tp,
        ep=ep,
        depths=mtp,
        cv=cv,
        max_running=max_running,
        spare=spare,
        router=router.lower(),
        trace=requests,
        prefix_cache=None if prefix_cache is None else prefix_cache.lower(),
        seed=seed,
        confidence=confidence,
        cost_basis=cost_basis.lower(),
        resume=resume,
        kv_bandwidth=bytes_per_second(kv_bandwidth_gb_s) if pools else None,
        source=source,
        progress=progress,
    )


def _requests_of(path: str) -> Requests | None:
    """The requests of a trace that says what its prompts share; None: it does not."""
    found, prefixes, _notes = read_requests(path)
    if isinstance(found, Rates) or prefixes is None or not prefixes.ideal.any():
        return None
    return Requests(found.send, found.prompt, found.output, prefixes)


def _of_spell(
    spell: Spell, rate: float | None, cv: float, lengths: str | Lengths | None
) -> tuple[str | Lengths | None, float, str]:
    """Lengths and burstiness of a spell, and where they are from; refused where the user states them too."""
    beside = [name for name, given in (("--rate", rate is not None), ("--cv", cv != 1.0)) if given]
    if spell.lengths is not None and lengths is not None:
        beside.append("--lengths")
    if beside:
        raise InputError(f"--trace says what comes; expected no {' and no '.join(beside)} beside it")
    return spell.lengths or lengths, spell.cv, spell.text


def plan_fleet(
    base: Scenario,
    lengths: Lengths,
    promises: Sequence[Promise],
    *,
    rate: float | None = None,
    gpus: int | None = None,
    acceptance: Acceptance | None = None,
    tp: Sequence[int] = (1, 2, 4, 8),
    ep: Sequence[int] = (1,),
    depths: Sequence[int] = (0, 1, 2, 3),
    cv: float = 1.0,
    max_running: int | None = None,
    spare: int = 0,
    router: str = "least-outstanding",
    trace: Requests | None = None,
    prefix_cache: str | None = None,
    seed: int = 0,
    confidence: float = 95.0,
    cost_basis: str = "hyperscaler",
    resume: str | None = None,
    kv_bandwidth: float | None = None,
    source: str = "",
    progress: Progress = silent,
) -> Answer:
    """The cheapest fleet for a ``rate`` (requests/s), or the highest rate of so many ``gpus``.

    Args:
        base: hardware, model, engine, calibration; its TP, depth and workload play no part.
        lengths: of the requests.
        promises: at least one.
        rate: requests/s in all; exactly one of this and ``gpus``.
        gpus: GPUs in all.
        acceptance: of drafts; None: the fitted or published one.
        tp: GPUs per replica to choose from; what the hardware or model cannot do is left out and named.
        ep: expert-parallel ranks to choose from.
        depths: draft depths to choose from, 0 is off.
        cv: coefficient of variation of the gaps between requests.
        max_running: greatest concurrency limit of a replica; None: what fits in memory.
        spare: replicas that stand by for a failure and cost as much (1: N+1).
        router: a key of :data:`simulator.serving.fleet.ROUTERS` or of ``PREFIX_ROUTERS``.
        trace: requests whose prompts share something, with those lengths; None: unknown.
        prefix_cache: ``on``, ``off`` or None, see :func:`simulator.prediction.kept_prompts.kept_prompts`.
        seed: of everything drawn; the same seed gives the same plan.
        confidence: per cent with which all promises shall hold in spite of what the calibration leaves uncertain.
        cost_basis: ``hyperscaler``, ``neocloud`` or ``rental``.
        resume: file that keeps what was simulated, to go on after an interruption.
        kv_bandwidth: bytes/s per GPU between nodes: disaggregated prefill and decode pools compete too.
        source: where rate, burstiness and lengths are from, in words.
        progress: told what is being done.

    Raises:
        InputError: bad arguments, or a promise below the time of a single step of every option.
    """
    if lengths.kind == "empirical":
        base = for_lengths(base, lengths.moments[0])
    check_promised(promises)
    check_fleet(1, router, None, seed)
    cost_basis_price(base.deployment, cost_basis)
    check_asked(rate, gpus)
    check_choices(rate, spare, kv_bandwidth, max_running, confidence)
    traffic = make_traffic(rate if rate is not None else 1.0, lengths, cv=cv)
    options, left_out = make_options(
        base,
        lengths,
        acceptance or Acceptance(),
        tp=tp,
        ep=ep,
        depths=depths,
        max_running=max_running,
        trace=trace,
        prefix_cache=prefix_cache,
        router=router,
        pools=kv_bandwidth is not None,
    )
    keeping = any(option.keep is not None for option in options)
    if keeping:
        traffic = replace(traffic, walk=trace)
    check_steps(options, traffic, promises)
    meta = _meta(base, lengths, promises, traffic, seed, router, cost_basis, rate, gpus) | {
        "tp_choices": list(tp),
        "ep_choices": list(ep),
        "spec_tokens_choices": list(depths),
        "spare_replicas": spare,
        **({"traffic_source": source} if source else {}),
        "confidence": confidence / 100,
        "kv_bandwidth_gb_s_per_gpu": None if kv_bandwidth is None else kv_bandwidth / GIGA,
        "outside_calibration": outside(options),
        **({"prefix_cache": "on", "hit_rate_ideal": options[0].scenario.deployment.hit_rate} if keeping else {}),
    }
    inputs = meta | {"max_running": max_running, "plans": [o.replica.target.tobytes().hex() for o in options]}
    with Ledger(resume, inputs, also=_of_replicas(options), promises=len(promises)) as ledger:
        trials = Trials(traffic, tuple(promises), router, seed, ledger, progress, confidence / 100)
        if gpus is not None:
            return plan_rate(options, trials, gpus, spare=spare, cost_basis=cost_basis, meta=meta, left_out=left_out)
        assert rate is not None
        answer = plan_gpus(options, trials, rate, spare=spare, cost_basis=cost_basis, meta=meta, left_out=left_out)
        if kv_bandwidth is None:
            return answer
        return with_pools(answer, options, trials, rate, kv_bandwidth, spare, cost_basis)


def _of_replicas(options: Sequence[Option]) -> dict[str, object]:
    """What of the replicas decides the outcomes besides their tables, and which program found them."""
    parts = [(o.replica.draft, constants_of([o.replica])) for o in options]
    return {
        "replicas": [[part.tobytes().hex() for part in pair] for pair in parts],
        "acceptances": [list(o.scenario.speculation.probabilities) for o in options],
        "limits": [o.cap for o in options],
        "versions": versions(),
    }


def outside(options: Sequence[Option]) -> list[str]:
    """Where options leave what the calibration was fitted to, each reason once."""
    verdicts = [option.kind.verdict for option in options]
    reasons = [r for verdict in verdicts for r in verdict.reasons if r.word in OUTSIDE]
    return list(dict.fromkeys(r.text for r in reasons))


def _meta(
    base: Scenario,
    lengths: Lengths,
    promises: Sequence[Promise],
    traffic: Traffic,
    seed: int,
    router: str,
    cost_basis: str,
    rate: float | None,
    gpus: int | None,
) -> dict[str, object]:
    meta = describe(base)
    for closed_loop_only in ("range_ratio", "requests_per_client", "isl", "osl"):
        meta.pop(closed_loop_only)
    kind = {1.0: "Poisson", 0.0: "even"}.get(traffic.cv, f"gamma gaps, cv {traffic.cv:g}")
    return meta | {
        "rate_per_s": rate,
        "gpus": gpus,
        "arrivals": kind,
        "cv": traffic.cv,
        "lengths": lengths.describe(),
        "lengths_option": lengths.option,
        "isl": lengths.isl,
        "osl": lengths.osl,
        "promises": [{"promise": p.name, "limit_s": p.limit} for p in promises],
        "router": router,
        "cost_basis": cost_basis,
        "seed": seed,
    }
