"""Which next measurement would narrow a given prediction most.

Linear Gaussian update: with parameter covariance S, a measurement with derivatives J and noise R changes the variance
of a target with derivatives T from ``T S T'`` to ``T (S - S J' (J S J' + R)^-1 J S) T'``. Derivatives are those of log
metrics.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.bounds import whole
from simulator.errors import InputError
from simulator.facts.deployment import check_deployment
from simulator.fitting.bench_commands import Run, bench_command, told_source, tool_of
from simulator.prediction.intervals import Z90, jacobian, noise_class
from simulator.prediction.predict import check_concurrencies
from simulator.results.progress import Progress, silent
from simulator.results.table import Result
from simulator.serving.scenario import (
    Scenario,
    describe,
    make_scenario,
    resolve_speculation,
    resolve_workload,
)
from simulator.speculation.stated import Acceptance

Array = NDArray[np.float64]

MEASURED = ("total_tok_s_gpu", "mean_tpot_ms", "mean_ttft_ms")
"""What one more run would tell."""

WORKLOADS = ((1024, 1024), (8192, 1024), (1024, 8192))
CONCURRENCIES = (4, 16, 64, 256)


@dataclass(frozen=True)
class Suggestion:
    """One candidate run, the half width of the target's 90 % interval after it, as a fraction, and what measures it."""

    isl: int
    osl: int
    tp: int
    spec_tokens: int
    concurrency: int
    half_width: float
    narrowed: float
    command: str

    def as_row(self) -> dict[str, Any]:
        """Plain columns; ``narrowed`` is the share of the parameter part of the interval that goes away."""
        return dict(vars(self))


@dataclass(frozen=True)
class Suggestions(Result):
    """Candidate runs, the most useful first; ``half_width_now`` of the target's interval, as a fraction, is in meta."""

    meta: Mapping[str, Any]
    candidates: tuple[Suggestion, ...]

    def records(self) -> list[dict[str, Any]]:
        """One row per candidate."""
        return [one.as_row() for one in self.candidates]


def suggest(
    target: Scenario | None = None,
    concurrency: int = 64,
    *,
    metric: str = "total_tok_s_gpu",
    top: int | None = 8,
    tool: str | None = None,
    tp: Sequence[int] = (2, 4),
    concurrencies: Sequence[int] = CONCURRENCIES,
    workloads: Sequence[tuple[int, int]] = WORKLOADS,
    progress: Progress = silent,
) -> Suggestions:
    """Which next run would narrow the prediction of a target most; the target itself is one of the candidates.

    Noise that no measurement removes (run to run, model error) stays in the half width; ``narrowed`` is about
    parameters.

    Args:
        target: what is to be predicted; None: the default scenario with MTP 3.
        concurrency: clients of the target.
        metric: what should become narrower, one of :data:`MEASURED`.
        top: candidates to keep, the most useful first; None: all.
        tool: whose commands measure them: ``vllm``, ``sglang``, ``aiperf`` or ``guidellm``; None: the engine's own.
        tp: GPUs per replica of the candidates, besides the target's own.
        concurrencies: clients of the candidates, besides the target's own.
        workloads: (isl, osl) of the candidates, besides the target's own.
        progress: told what is being weighed.

    Raises:
        InputError: an unknown metric or tool, or a concurrency that is not a whole number of at least 1.

    Example:
        >>> from simulator import make_scenario, suggest
        >>> found = suggest(make_scenario(isl=8192, mtp=3), 64, top=3)
        >>> len(found.candidates), found.candidates[0].half_width < found.meta["half_width_now"]
        (3, True)
    """
    target = target or make_scenario(mtp=3)
    if metric not in MEASURED:
        raise InputError(f"--metric {metric}: expected one of {', '.join(MEASURED)}")
    tool = tool_of(tool, target.deployment.engine.name)
    check_concurrencies([concurrency])
    if top is not None:
        whole("--top", top, 1)
    target.check_memory(concurrency)
    names, covariance = target.calibration.uncertainty()
    aim = _slopes(target, [concurrency], names)[metric][0]
    floor = float(getattr(target.calibration.noise, noise_class(metric))) ** 2
    before = float(aim @ covariance @ aim)
    found = []
    for scenario in _candidates(target, tp, workloads):
        progress(f"{scenario.workload.isl}/{scenario.workload.osl} TP{scenario.deployment.tp}")
        fits = [c for c in sorted({*concurrencies, concurrency}) if c <= scenario.max_concurrency]
        if not fits:
            continue
        slopes = _slopes(scenario, fits, names)
        for i, c in enumerate(fits):
            design = np.stack([slopes[m][i] for m in MEASURED])
            noise = np.diag([float(getattr(target.calibration.noise, noise_class(m))) ** 2 for m in MEASURED])
            gain = covariance @ design.T @ np.linalg.solve(design @ covariance @ design.T + noise, design @ covariance)
            after = max(0.0, float(aim @ (covariance - gain) @ aim))
            d, w = scenario.deployment, scenario.workload
            half = Z90 * float(np.sqrt(after + floor))
            share = 1.0 - float(np.sqrt(after / before)) if before > 0 else 0.0
            run = Run(d.weights.repository or d.model.name, w.isl, w.osl, w.range_ratio, c, c * w.requests_per_client)
            command = bench_command(tool, run)
            found.append(Suggestion(w.isl, w.osl, d.tp, scenario.speculation.tokens, c, half, share, command))
    found.sort(key=lambda s: (s.half_width, s.concurrency))
    now = Z90 * float(np.sqrt(before + floor))
    meta = describe(target) | {"concurrency": concurrency, "metric": metric, "half_width_now": now}
    meta |= {"tool": tool, "tool_source": told_source(tool)}
    return Suggestions(meta, tuple(found[:top]))


def _slopes(scenario: Scenario, concurrencies: Sequence[int], names: Sequence[str]) -> dict[str, Array]:
    """Derivatives of what a run tells by all uncertain quantities, also those that the target does not depend on: a
    run that depends on them says less about the others."""
    known, _, table = jacobian(scenario, concurrencies)
    place = [list(names).index(n) for n in known]
    out = {metric: np.zeros((len(concurrencies), len(names))) for metric in MEASURED}
    for metric in MEASURED:
        out[metric][:, place] = table[metric]
    return out


def _candidates(target: Scenario, tp: Sequence[int], workloads: Sequence[tuple[int, int]]) -> list[Scenario]:
    out = []
    depths = sorted({0, target.speculation.tokens or 3}) if target.deployment.model.draft is not None else [0]
    for gpus in sorted({*tp, target.deployment.tp}):
        deployment = target.deployment
        if gpus != deployment.tp:
            deployment = deployment.model_copy(update={"tp": gpus, "ep": 1, "dp": 1})
            check_deployment(deployment)
        for isl, osl in dict.fromkeys([*workloads, (target.workload.isl, target.workload.osl)]):
            for k in depths:
                same = k == target.speculation.tokens
                speculation = (
                    target.speculation
                    if same
                    else resolve_speculation(k, Acceptance(), deployment.model, target.calibration)
                )
                workload = resolve_workload(isl, osl, target.workload.range_ratio, target.workload.requests_per_client)
                out.append(replace(target, deployment=deployment, workload=workload).drafting(speculation))
    return out
