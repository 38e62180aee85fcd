"""The public functions: one per command, with the command's name and defaults, and the few things they need.

Inputs are names and numbers or frozen scenarios; every answer is a :class:`Result`. Rooms are imported on first use, so
that ``import simulator`` stays cheap.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from simulator.results.progress import Progress, silent

if TYPE_CHECKING:
    from simulator.catalogue import profiles
    from simulator.cost.calibration import Calibration, load_calibration
    from simulator.errors import InputError
    from simulator.facts.reading import load_engine, load_hardware, load_model
    from simulator.fitting.calibrate import Session, calibrate
    from simulator.fitting.evaluate import Evaluation, evaluate
    from simulator.fitting.suggest import Suggestions, suggest
    from simulator.measurements.files import read_measurements, shipped_measurements
    from simulator.planning.answer import Answer
    from simulator.plots.drawing import draw
    from simulator.prediction.compare import Matched, compare
    from simulator.prediction.explain import Explanation, explain
    from simulator.prediction.several import predict
    from simulator.prediction.simulate import Simulation, simulate
    from simulator.results.table import Result, ResultTable
    from simulator.serving.scenario import Acceptance, Scenario, make_scenario
    from simulator.traffic.lengths import Lengths
    from simulator.traffic.promises import Promise
    from simulator.validation.report import Report
    from simulator.validation.verdict import validate
    from simulator.what_if import (
        Backend,
        Inference,
        Study,
        WideSweep,
        infer_acceptance,
        what_if_acceptance,
        what_if_depth,
        what_if_sensitivity,
        what_if_sweep,
        what_if_workload,
    )
    from simulator.what_if.measured import measured_points

__all__ = [
    "Acceptance",
    "Answer",
    "Backend",
    "Calibration",
    "Evaluation",
    "Explanation",
    "Inference",
    "InputError",
    "Matched",
    "Report",
    "Result",
    "ResultTable",
    "Scenario",
    "Session",
    "Simulation",
    "Study",
    "Suggestions",
    "WideSweep",
    "calibrate",
    "compare",
    "draw",
    "evaluate",
    "explain",
    "infer_acceptance",
    "load_calibration",
    "load_engine",
    "load_hardware",
    "load_model",
    "make_scenario",
    "measured_points",
    "plan",
    "predict",
    "profiles",
    "read_measurements",
    "shipped_measurements",
    "simulate",
    "suggest",
    "validate",
    "what_if_acceptance",
    "what_if_depth",
    "what_if_sensitivity",
    "what_if_sweep",
    "what_if_workload",
]

HOMES = {
    "simulator.catalogue": ("profiles",),
    "simulator.cost.calibration": ("Calibration", "load_calibration"),
    "simulator.errors": ("InputError",),
    "simulator.facts.reading": ("load_engine", "load_hardware", "load_model"),
    "simulator.fitting.calibrate": ("Session", "calibrate"),
    "simulator.fitting.evaluate": ("Evaluation", "evaluate"),
    "simulator.fitting.suggest": ("Suggestions", "suggest"),
    "simulator.measurements.files": ("read_measurements", "shipped_measurements"),
    "simulator.planning.answer": ("Answer",),
    "simulator.plots.drawing": ("draw",),
    "simulator.prediction.compare": ("Matched", "compare"),
    "simulator.prediction.explain": ("Explanation", "explain"),
    "simulator.prediction.several": ("predict",),
    "simulator.prediction.simulate": ("Simulation", "simulate"),
    "simulator.results.table": ("Result", "ResultTable"),
    "simulator.serving.scenario": ("Acceptance", "Scenario", "make_scenario"),
    "simulator.validation.report": ("Report",),
    "simulator.validation.verdict": ("validate",),
    "simulator.what_if": (
        "Backend",
        "Inference",
        "Study",
        "WideSweep",
        "infer_acceptance",
        "what_if_acceptance",
        "what_if_depth",
        "what_if_sensitivity",
        "what_if_sweep",
        "what_if_workload",
    ),
    "simulator.what_if.measured": ("measured_points",),
}
"""Room -> the public names that are its own."""


def __getattr__(name: str) -> Any:
    """A name of another room, imported on first use."""
    for module, names in HOMES.items():
        if name in names:
            return getattr(importlib.import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def plan(
    scenario: Scenario | None = None,
    *,
    rate: float | None = None,
    gpus: int | None = None,
    promises: Sequence[str | Promise] = (),
    cv: float = 1.0,
    lengths: str | Lengths = "fixed",
    tp: Sequence[int] = (1, 2, 4, 8),
    ep: Sequence[int] = (1,),
    mtp: Sequence[int] = (0, 1, 2, 3),
    acceptance: Acceptance | None = None,
    max_running: int | None = None,
    spare: int = 0,
    pools: bool = False,
    kv_bandwidth_gb_s: float = 50.0,
    router: str = "least-outstanding",
    seed: int = 0,
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
        promises: at least one, such as ``"ttft-p99=2s"`` or ``"tpot-p95=25ms"``.
        cv: coefficient of variation of the gaps: 1 is Poisson, above it bursty.
        lengths: ``fixed``, ``uniform:0.8``, ``lognormal:CV`` or ``empirical:FILE.csv``.
        tp: GPUs per replica to choose from; what the hardware or model cannot do is left out and named.
        ep: expert-parallel ranks to choose from.
        mtp: draft depths to choose from; 0 is off.
        acceptance: of drafts; None: the fitted or published one.
        max_running: greatest concurrency limit of a replica; None: what fits in memory.
        spare: replicas that stand by; 1 is N+1.
        pools: let disaggregated prefill and decode pools compete.
        kv_bandwidth_gb_s: per GPU between the pools, one way, GB/s.
        router: ``round-robin``, ``least-outstanding`` or ``two-choices``.
        seed: of everything drawn; the same seed gives the same plan.
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
    from simulator.planning.plan import plan as run
    from simulator.serving.scenario import make_scenario
    from simulator.traffic.lengths import lengths_of
    from simulator.traffic.promises import parse_promises
    from simulator.units import GIGA

    base = scenario or make_scenario()
    return run(
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
        seed=seed,
        cost_basis=cost_basis.lower(),
        resume=resume,
        kv_bandwidth=kv_bandwidth_gb_s * GIGA if pools else None,
        progress=progress,
    )
