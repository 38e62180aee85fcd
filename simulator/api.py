"""The public functions: one per command, with the command's name and defaults, and the few things they need.

Inputs are names and numbers or frozen scenarios; every answer is a :class:`Result`. Rooms are imported on first use, so
that ``import simulator`` stays cheap.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simulator.cost.calibration import Calibration, load_calibration
    from simulator.errors import InputError
    from simulator.facts.reading import load_engine, load_hardware, load_model
    from simulator.fitting.calibrate import Session
    from simulator.fitting.evaluate import Evaluation
    from simulator.fitting.suggest import Suggestions, suggest
    from simulator.measurements import Row
    from simulator.planning.answer import Answer
    from simulator.plots.drawing import draw
    from simulator.prediction.compare import Matched, compare
    from simulator.prediction.explain import Explanation, explain
    from simulator.prediction.several import predict
    from simulator.prediction.simulate import Simulation
    from simulator.results.table import Result, ResultTable
    from simulator.serving.scenario import Acceptance, Scenario, make_scenario
    from simulator.traffic.lengths import Lengths
    from simulator.traffic.promises import Promise
    from simulator.validation.report import Report
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
    "simulator.cost.calibration": ("Calibration", "load_calibration"),
    "simulator.errors": ("InputError",),
    "simulator.facts.reading": ("load_engine", "load_hardware", "load_model"),
    "simulator.fitting.calibrate": ("Session",),
    "simulator.fitting.evaluate": ("Evaluation",),
    "simulator.fitting.suggest": ("Suggestions", "suggest"),
    "simulator.planning.answer": ("Answer",),
    "simulator.plots.drawing": ("draw",),
    "simulator.prediction.compare": ("Matched", "compare"),
    "simulator.prediction.explain": ("Explanation", "explain"),
    "simulator.prediction.several": ("predict",),
    "simulator.prediction.simulate": ("Simulation",),
    "simulator.results.table": ("Result", "ResultTable"),
    "simulator.serving.scenario": ("Acceptance", "Scenario", "make_scenario"),
    "simulator.validation.report": ("Report",),
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

Files = str | Path | Sequence[Any]
Progress = Callable[[str], None]


def __getattr__(name: str) -> Any:
    """A name of another room, imported on first use."""
    for module, names in HOMES.items():
        if name in names:
            return getattr(importlib.import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _silent(text: str) -> None:
    """Tell nobody."""


def shipped_measurements(name: str) -> Path:
    """Path of a measured CSV file that ships with the package, such as ``sglang_mi355x_8k1k.csv``.

    Raises:
        InputError: no such file; those that ship are named.

    Example:
        >>> shipped_measurements("atom_mi355x_tp4.csv").name
        'atom_mi355x_tp4.csv'
    """
    from simulator.errors import unknown_name
    from simulator.fitting.shipped import measured_file

    path = measured_file(name)
    if not path.is_file():
        raise unknown_name("shipped measurements", name, (p.name for p in path.parent.glob("*.csv")))
    return path


def read_measurements(files: Files, *, select: str | None = None) -> tuple[Row, ...]:
    """Rows of one or several measured CSV files; rows that were read already are passed on.

    Args:
        files: a path, or paths, or rows.
        select: which rows, such as ``"engine=ATOM and precision=FP8"``.

    Raises:
        InputError: unreadable files, faults in them, or a selection that leaves nothing.

    Example:
        >>> len(read_measurements(shipped_measurements("sglang_mi355x_8k1k.csv"), select="precision=FP4"))
        18
    """
    from simulator.measurements import read_csv
    from simulator.measurements import select as chosen

    rows: list[Row] = []
    for one in [files] if isinstance(files, str | Path) else files:
        rows += read_csv(one).rows if isinstance(one, str | Path) else [one]
    return tuple(chosen(rows, select)) if select else tuple(rows)


def evaluate(
    files: Files,
    calibration: str | None = None,
    *,
    select: str | None = None,
    engine: str = "sglang",
    force: bool = False,
    method: str = "des",
    progress: Progress = _silent,
) -> Evaluation:
    """Predict every row of measured files and report the errors: per row, as MAPE by metric and group, and coverage.

    Args:
        files: paths of CSV files, or rows of :func:`read_measurements`: runs, or points of a frontier.
        calibration: name or path; None: the profiles and kernel priors alone.
        select: which rows, such as ``"engine=ATOM and precision=FP8"``.
        engine: behind frontier rows that name none.
        force: apply a calibration outside what it was fitted to.
        method: ``des`` or ``closed-form``.
        progress: told what is being done.

    Raises:
        InputError: bad files, no row, runs and frontier points together, a row no profile describes, or a calibration
            of another engine, precision or hardware without ``force``.

    Example:
        >>> rows = read_measurements(shipped_measurements("sglang_mi355x_8k1k.csv"), select="precision=FP4 and tp=4")
        >>> evaluate(rows, "sglang-mi355x-fp4-2026-09").mape["mean_tpot_ms"] < 0.05
        True
    """
    from simulator.errors import InputError
    from simulator.fitting.evaluate import evaluate_frontier, evaluate_runs
    from simulator.measurements import FrontierPoint, MeasuredPoint

    rows = read_measurements(files, select=select)
    runs = [row for row in rows if isinstance(row, MeasuredPoint)]
    frontier = [row for row in rows if isinstance(row, FrontierPoint)]
    if runs and frontier:
        raise InputError("points and frontier files together: expected one kind; evaluate them one by one")
    if frontier:
        return evaluate_frontier(frontier, calibration, engine=engine, force=force)
    return evaluate_runs(runs, calibration, force=force, method=method, progress=progress)


def validate(
    files: Files,
    calibration: str | None = None,
    *,
    select: str | None = None,
    force: bool = False,
    method: str = "des",
) -> Report:
    """Check whether measured curves are possible and plausible, row by row.

    Args:
        files: paths of CSV files, or rows of :func:`read_measurements`.
        calibration: name or path; None: the shipped one that matches each row, else the priors.
        select: which rows, such as ``"engine = ATOM and precision = FP8"``.
        force: apply a calibration outside what it was fitted to.
        method: ``des`` or ``closed-form``.

    Raises:
        InputError: bad files, an unknown calibration, or one made for something else without ``force``.

    Example:
        >>> validate(shipped_measurements("sglang_mi355x_8k1k.csv"), select="precision=FP4").verdict
        'clean'
    """
    from simulator.validation.verdict import judge

    return judge(read_measurements(files, select=select), calibration, force, method=method)


def calibrate(
    files: str | Path | Sequence[str | Path],
    *,
    name: str | None = None,
    select: str | None = None,
    prior: str | None = None,
    engine: str = "sglang",
    cross_validate: bool = True,
    progress: Progress = _silent,
) -> Session:
    """Fit the physical parameters to measured runs, frontier points, or both; ``write(path)`` keeps the answer.

    Args:
        files: paths of CSV files.
        name: of the calibration; None: that of the first file.
        select: which rows, such as ``"precision=FP8"``.
        prior: calibration to start from instead of the kernel priors.
        engine: behind frontier rows that name none.
        cross_validate: also leave each concurrency out in turn, which measures the noise.
        progress: told what is being done.

    Raises:
        InputError: bad files, nothing to fit, or several engines or hardware without a selection.

    Example:
        >>> file = shipped_measurements("sglang_mi355x_8k1k.csv")
        >>> found = calibrate(file, select="precision=FP4 and tp=4 and spec=off", cross_validate=False)
        >>> found.content["errors"]["in_sample"]["tpot"] < 0.05
        True
    """
    from simulator.fitting.calibrate import calibrate as run

    paths = [files] if isinstance(files, str | Path) else list(files)
    return run(
        paths,
        name=name or Path(paths[0]).stem,
        expression=select,
        prior=prior,
        engine=engine,
        cross_validate=cross_validate,
        progress=progress,
    )


def simulate(
    scenario: Scenario | None = None,
    *,
    rate: float | None = None,
    profile: str | None = None,
    trace: str | None = None,
    cv: float = 1.0,
    duration: str | float | None = None,
    lengths: str | Lengths = "fixed",
    replicas: int = 1,
    router: str = "least-outstanding",
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
        profile: CSV file ``start_s,requests_per_s``, the rate over the day.
        trace: CSV file ``arrival_s,input_tokens,output_tokens``, or JSONL with the fields of the Mooncake trace.
        cv: coefficient of variation of the gaps: 1 is Poisson, above it bursty, 0 even.
        duration: such as ``"10min"``, or seconds; None: an hour, a profile's day, a trace's own length.
        lengths: ``fixed``, ``uniform:0.8``, ``lognormal:CV`` or ``empirical:FILE.csv``.
        replicas: equal replicas behind the router.
        router: ``round-robin``, ``least-outstanding`` or ``two-choices``.
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
    from simulator.prediction.simulate import PrefillPool
    from simulator.prediction.simulate import simulate as run
    from simulator.serving.scenario import make_scenario
    from simulator.traffic.arrivals import make_traffic
    from simulator.units import GIGA, parse_duration

    base = scenario or make_scenario()
    seconds = parse_duration("--duration", duration) if isinstance(duration, str) else duration
    drawn = _lengths(lengths, base)
    return run(
        base,
        make_traffic(rate, drawn, duration=seconds, cv=cv, profile=profile, trace=trace),
        replicas=replicas,
        router=router.lower(),
        max_running=max_running,
        queue_limit=queue_limit,
        prefill=None if prefill_tp is None else PrefillPool(prefill_tp, prefill_replicas, kv_bandwidth_gb_s * GIGA),
        promises=_promises(promises),
        seed=seed,
        cost_basis=cost_basis.lower(),
    )


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
    progress: Progress = _silent,
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
        >>> found.winner["gpus"]
        2
    """
    from simulator.planning.plan import plan as run
    from simulator.serving.scenario import make_scenario
    from simulator.units import GIGA

    base = scenario or make_scenario()
    return run(
        base,
        _lengths(lengths, base),
        _promises(promises),
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


def profiles(kind: str | None = None, name: str | None = None) -> ResultTable:
    """All shipped profiles, those of one kind, or every number of one with its unit and source.

    Args:
        kind: ``hardware``, ``model``, ``engine``, ``acceptance``, ``calibration`` or ``parameters``.
        name: of one profile, or the path of your own file, which is checked.

    Raises:
        InputError: no such kind or profile, or a faulty file.

    Example:
        >>> profiles("hardware").column("name")[:2]
        ['b200', 'b300']
    """
    from simulator import catalogue
    from simulator.results.table import ResultTable

    rows = catalogue.entries(kind) if name is None else catalogue.numbers(kind or "", name)
    if name is None and kind is not None and kind.lower() == catalogue.PARAMETERS:
        rows = catalogue.parameters()
    return ResultTable({"kind": kind, "name": name}, tuple(rows))


def _lengths(lengths: str | Lengths, scenario: Scenario) -> Lengths:
    from simulator.traffic.lengths import parse_lengths

    if not isinstance(lengths, str):
        return lengths
    return parse_lengths(lengths, scenario.workload.isl, scenario.workload.osl)


def _promises(promises: Sequence[str | Promise]) -> list[Promise]:
    from simulator.traffic.promises import parse_promise

    return [parse_promise(one) if isinstance(one, str) else one for one in promises]
