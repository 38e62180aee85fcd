"""What a plan may choose from: replicas of every TP, EP and draft depth that fit, and their concurrency limits."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from simulator.bounds import whole
from simulator.errors import InputError
from simulator.facts.deployment import check_deployment
from simulator.facts.launch import relaunched
from simulator.planning.replica_kind import ReplicaKind
from simulator.prediction.kept_prompts import fitting, kept_prompts, with_hit_rate
from simulator.results.words import replica_name
from simulator.serving.fleet import memory_cap, taken_tokens
from simulator.serving.prefix_cache import Keeping
from simulator.serving.replica import Replica, build_replica
from simulator.serving.scenario import Scenario, resolve_speculation
from simulator.serving.scope import WORDS, judge_traffic
from simulator.serving.steady_state import SteadyState, steady_state
from simulator.speculation import acceptance as sp
from simulator.speculation.stated import Acceptance
from simulator.traffic.arrivals import Requests
from simulator.traffic.lengths import Lengths

LIMITS = (1.1, 1.3, 1.6, 2.0)
"""Concurrency limits tried besides what fits in memory, as multiples of the mean number running."""
ALMOST_IDLE = 1e-3
"""Requests/s of a replica that has next to nothing to do, for what does not depend on the rate, such as its knee."""


@dataclass(frozen=True)
class Option:
    """One kind of replica: a deployment with a draft depth, running at most ``cap`` requests at once.

    ``keep``: its room for prompts; None: none are kept. The closed form takes the hit rate of the deployment, which is
    that of an endless cache until a trial has found another.
    """

    scenario: Scenario
    replica: Replica
    moments: tuple[float, float, float, float]
    cap: int
    keep: Keeping | None = None

    @property
    def gpus(self) -> int:
        """GPUs of one replica."""
        return self.scenario.deployment.gpus

    @property
    def family(self) -> str:
        """What sets it apart but for the concurrency limit, such as ``TP4 MTP 3``."""
        return self.kind.name

    @property
    def kind(self) -> ReplicaKind:
        """The replica as an answer names it."""
        d, s = self.scenario.deployment, self.scenario.speculation
        mean_in, _sd_in, mean_out, _sd_out = self.moments
        return ReplicaKind(
            tp=d.tp,
            ep=d.ep,
            spec_tokens=s.tokens,
            acceptance_length=s.acceptance_length,
            acceptance=tuple(s.probabilities),
            acceptance_source=s.source.text,
            max_running=self.cap,
            hit_rate=d.hit_rate,
            verdict=judge_traffic(self.scenario, mean_in, mean_out),
        )

    @functools.cached_property
    def scope_rank(self) -> int:
        """Of two options with as many GPUs that of the less rank wins: the one that more was measured of."""
        return WORDS.index(self.kind.verdict.scope)

    @property
    def tokens(self) -> float:
        """Mean input and output tokens of a request together."""
        mean_in, _sd_in, mean_out, _sd_out = self.moments
        return mean_in + mean_out

    def form(self, rate: float) -> SteadyState:
        """Steady state at ``rate`` requests/s per replica, by the closed form."""
        return steady_state(self.replica, self.scenario.speculation, self.cap, self.moments, rate)

    @functools.cached_property
    def capacity(self) -> float:
        """Requests/s of one replica at the knee, by the closed form."""
        return self.form(ALMOST_IDLE).capacity

    def finding(self, hit_rate: float | None) -> Option:
        """The same with the part of the input that a trial found in prefix caches; None: there are none."""
        if hit_rate is None:
            return self
        scenario = with_hit_rate(self.scenario, hit_rate)
        plan = build_replica(scenario.deployment, scenario.speculation, scenario.calibration.values())
        return replace(self, scenario=scenario, replica=plan)

    def with_cap(self, cap: int) -> Option:
        """The same with another concurrency limit."""
        return replace(self, cap=cap)

    def tighter(self, rate: float) -> list[Option]:
        """The same with concurrency limits a little above the mean number running at ``rate`` per replica."""
        mean = max(1.0, self.form(rate).batch)
        caps = sorted({4 * math.ceil(factor * mean / 4) for factor in LIMITS})
        return [self.with_cap(cap) for cap in caps if cap < self.cap]


def make_options(
    base: Scenario,
    lengths: Lengths,
    acceptance: Acceptance,
    *,
    tp: Sequence[int],
    ep: Sequence[int],
    depths: Sequence[int],
    max_running: int | None = None,
    trace: Requests | None = None,
    prefix_cache: str | None = None,
    router: str = "least-outstanding",
    pools: bool = False,
) -> tuple[list[Option], list[str]]:
    """Every kind of replica that can exist, and why the others cannot.

    With a ``trace`` whose prompts share something, replicas keep prompts as ``prefix_cache`` asks, see
    :func:`simulator.prediction.kept_prompts.kept_prompts`.

    Raises:
        InputError: nothing fits, sizes that are no whole numbers, or one stated acceptance length for several depths.
    """
    for option, sizes in (("--tp", tp), ("--ep", ep)):
        for size in sizes:
            whole(option, size)
    drafting = [k for k in depths if k]
    if len(drafting) > 1 and acceptance.of_one_depth:
        raise InputError(f"{acceptance.given[0]} belongs to one depth, found --mtp {','.join(map(str, depths))}")
    prefixes = None if trace is None else trace.prefixes
    options, left_out = [], []
    for gpus in tp:
        for ranks in ep:
            for k in depths:
                name = replica_name(gpus, k, ranks)
                deployment = base.deployment.model_copy(update={"tp": gpus, "ep": ranks, "dp": 1})
                try:
                    check_deployment(deployment)
                except InputError as fault:
                    left_out.append(f"{name}: {fault}")
                    continue
                try:
                    speculation = depth_speculation(base, acceptance, k)
                except InputError as fault:
                    if acceptance.given and base.deployment.model.draft is not None:
                        raise
                    left_out.append(f"{name}: {str(fault).removeprefix(f'--mtp {k}: ')}")
                    continue
                deployment = relaunched(deployment, k > 0)
                tokens = taken_tokens(deployment.engine, lengths.moments)
                cap = memory_cap(deployment, k, tokens, lengths.longest)
                if cap < 1:
                    left_out.append(f"{name}: not even one request fits in memory")
                    continue
                scenario = replace(base, deployment=deployment, speculation=speculation)
                keep = kept_prompts(scenario, prefixes, prefix_cache, router, pools=pools)
                cap = min(cap, max_running or cap)
                if keep is not None and prefixes is not None and trace is not None:
                    try:
                        cap = fitting(scenario, keep, cap, prefixes.block_tokens, lengths.longest)
                    except InputError as fault:
                        left_out.append(f"{name}: {fault}")
                        continue
                    scenario = with_hit_rate(scenario, float(prefixes.ideal.sum() / trace.prompt.sum()))
                plan = build_replica(scenario.deployment, speculation, base.calibration.values())
                options.append(Option(scenario, plan, lengths.moments, cap, keep))
    if not options:
        raise InputError("no deployment is possible:\n" + "\n".join(left_out))
    return options, left_out


def depth_speculation(base: Scenario, acceptance: Acceptance, k: int) -> sp.Speculation:
    """Acceptance at depth k; what a calibration fitted at another depth is carried over as one rate per position.

    Depths must be compared on one basis: a published table beside a fitted length would favour one of them.
    """
    model, calibration = base.deployment.model, base.calibration
    fitted = calibration.acceptance if model.drafts_itself else None
    if k and not acceptance.given and fitted is not None and fitted.spec_tokens != k:
        rate = sp.rate_of_length(fitted.length, fitted.spec_tokens)
        text = f"rate {rate:.3f} of the length fitted by calibration {calibration.name} at depth {fitted.spec_tokens}"
        return sp.from_positions([rate] * k, k, sp.Source("fitted", text))
    return resolve_speculation(k, acceptance if k else Acceptance(), model, calibration)
