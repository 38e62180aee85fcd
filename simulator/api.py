"""The public functions of the package: names and numbers in, frozen scenarios and result tables out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from simulator.cost.calibration import load_calibration
from simulator.errors import InputError
from simulator.facts.reading import load_engine, load_hardware, load_model
from simulator.prediction.compare import Matched, compare
from simulator.prediction.explain import Explanation, explain
from simulator.prediction.several import sweep
from simulator.results.table import ResultTable
from simulator.serving.scenario import (
    Acceptance,
    Scenario,
    resolve_calibration,
    resolve_deployment,
    resolve_speculation,
    resolve_workload,
)

if TYPE_CHECKING:
    from simulator.what_if import (
        infer_acceptance,
        what_if_acceptance,
        what_if_depth,
        what_if_sensitivity,
        what_if_sweep,
        what_if_workload,
    )

__all__ = [
    "Acceptance",
    "Explanation",
    "InputError",
    "Matched",
    "ResultTable",
    "Scenario",
    "compare",
    "explain",
    "infer_acceptance",
    "load_calibration",
    "load_engine",
    "load_hardware",
    "load_model",
    "make_scenario",
    "predict",
    "what_if_acceptance",
    "what_if_depth",
    "what_if_sensitivity",
    "what_if_sweep",
    "what_if_workload",
]


def __getattr__(name: str) -> Any:
    """Studies are imported on first use: a prediction needs none of what they load."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from simulator import what_if

    return getattr(what_if, name)


def make_scenario(
    *,
    hardware: str = "mi355x",
    model: str = "qwen3.5-397b-a17b",
    precision: str | None = None,
    checkpoint: str | None = None,
    engine: str = "sglang",
    tp: int = 2,
    ep: int = 1,
    dp: int = 1,
    isl: int = 1024,
    osl: int = 1024,
    mtp: int = 0,
    acceptance_length: float | None = None,
    acceptance_rate: float | None = None,
    acceptance: Sequence[float] | None = None,
    acceptance_profile: str | None = None,
    calibration: str | None = None,
    force: bool = False,
    kv_dtype: str | None = None,
    allow_dequant: bool = False,
    requests_per_client: int = 10,
    range_ratio: float = 0.8,
) -> Scenario:
    """A checked scenario; the arguments are the options of ``mtpsim predict``.

    Names of profiles are case-insensitive, and a path to a YAML file is accepted wherever a name is. Without
    ``precision`` and ``checkpoint`` the precision is FP4: MXFP4 on AMD, NVFP4 on NVIDIA.

    Args:
        hardware: profile name or path.
        model: profile name or path.
        precision: ``bf16``, ``fp8`` or ``fp4``.
        checkpoint: name or repository of one checkpoint of the model.
        engine: profile name or path.
        tp: GPUs of the replica.
        ep: expert-parallel ranks inside them.
        dp: attention data-parallel ranks inside them.
        isl: nominal input length, tokens.
        osl: nominal output length, tokens.
        mtp: draft depth, 0 for off.
        acceptance_length: mean tokens per round, in [1, mtp + 1].
        acceptance_rate: one probability for all positions.
        acceptance: conditional probability per position, ``mtp`` of them.
        acceptance_profile: name or path of a published table.
        calibration: name or path; None: the shipped one that matches, else the kernel priors.
        force: apply a calibration outside what it was fitted to.
        kv_dtype: KV-cache format; None: the engine's.
        allow_dequant: compute in the next wider format that the hardware has.
        requests_per_client: requests that each client sends.
        range_ratio: lengths are uniform integers in [range_ratio x L, L].

    Raises:
        InputError: bad input, with what was found and what was expected.

    Example:
        >>> make_scenario(tp=2, mtp=3, acceptance_length=2.8).max_concurrency > 64
        True
    """
    if precision is None and checkpoint is None:
        precision = "fp4"
    deployment = resolve_deployment(
        hardware=hardware,
        model=model,
        engine=engine,
        tp=tp,
        precision=precision,
        checkpoint=checkpoint,
        ep=ep,
        dp=dp,
        kv_dtype=kv_dtype,
        allow_dequant=allow_dequant,
    )
    chosen, forced = resolve_calibration(calibration, deployment, force, isl)
    if isinstance(mtp, bool) or not isinstance(mtp, int):
        raise InputError(f"--mtp: expected a whole number, 0 for off, found {mtp!r}")
    stated = Acceptance(acceptance_length, acceptance_rate, acceptance, acceptance_profile)
    return Scenario(
        deployment=deployment,
        workload=resolve_workload(isl, osl, range_ratio, requests_per_client),
        speculation=resolve_speculation(mtp, stated, deployment.model, chosen),
        calibration=chosen,
        forced=forced,
    )


def predict(
    scenarios: Scenario | Sequence[Scenario],
    concurrencies: Sequence[int] | None = None,
    *,
    method: str = "des",
    seed: int = 0,
    cost_basis: str = "hyperscaler",
    intervals: bool = True,
    over_memory: str = "refuse",
) -> ResultTable:
    """What one or several scenarios deliver at each concurrency: one row each, and every input beside them.

    Args:
        scenarios: one or several, see :func:`make_scenario`.
        concurrencies: closed-loop clients, each at least 1; None: those of 4, 8, ... 256 that fit in memory.
        method: ``des`` (discrete events) or ``closed-form``.
        seed: of lengths and accepted drafts.
        cost_basis: ``hyperscaler``, ``neocloud`` or ``rental``.
        intervals: add ``*_lo`` and ``*_hi``, the ends of 90 % intervals.
        over_memory: ``refuse`` a concurrency whose caches do not fit, ``leave-out`` it, or ``queue`` what does not.

    Raises:
        InputError: bad arguments, or what does not fit in memory (with the arithmetic).
    """
    return sweep(
        [scenarios] if isinstance(scenarios, Scenario) else scenarios,
        concurrencies,
        method=method,
        seed=seed,
        cost_basis=cost_basis,
        intervals=intervals,
        over_memory=over_memory,
    )
