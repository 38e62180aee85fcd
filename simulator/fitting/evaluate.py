"""Predict every row of a measured file and report the error per row, as MAPE by metric and group, and the interval
coverage."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from simulator.cost.calibration import PRIORS, Calibration, load_calibration
from simulator.errors import InputError
from simulator.fitting.frontiers import Sweep, replica_size, sweeps_of
from simulator.fitting.headline import point_errors
from simulator.fitting.problem import Evaluator
from simulator.measurements import FrontierPoint, MeasuredPoint, OpenLoopPoint
from simulator.measurements.cells import METRICS, checked_configuration, measured
from simulator.measurements.configuration import DEFAULT_DEPTH, Configuration, configuration
from simulator.measurements.files import Files, read_measurements
from simulator.measurements.importing.known import Stated
from simulator.measurements.open_loop import measured_open, open_configuration, predicted
from simulator.prediction.intervals import bounds_of_run
from simulator.prediction.predict import predict_one, versions
from simulator.results.progress import Progress, silent
from simulator.results.table import Result
from simulator.serving.scenario import Scenario, resolve_calibration
from simulator.serving.scope import Verdict, judge

GROUP = ("engine", "hardware", "model", "precision", "spec", "isl", "osl", "tp")


@dataclass(frozen=True)
class Evaluation(Result):
    """Errors as fractions, predicted / measured - 1. ``groups`` has one entry per engine, hardware, model, precision,
    spec, lengths and TP."""

    meta: Mapping[str, Any]
    points: tuple[Mapping[str, Any], ...]
    mape: Mapping[str, float]
    coverage90: Mapping[str, float]
    groups: tuple[Mapping[str, Any], ...]

    def records(self) -> Sequence[Mapping[str, Any]]:
        """The points."""
        return self.points

    def document(self) -> Mapping[str, Any]:
        """``meta``, ``points``, ``mape``, ``coverage90``, ``groups``."""
        return {
            "meta": self.meta,
            "points": self.points,
            "mape": self.mape,
            "coverage90": self.coverage90,
            "groups": self.groups,
        }


def evaluate(
    files: Files,
    calibration: str | None = None,
    *,
    select: str | None = None,
    engine: str = "sglang",
    force: bool = False,
    method: str = "des",
    model: str | None = None,
    allow_dequant: bool = False,
    known: Stated = None,
    progress: Progress = silent,
) -> Evaluation:
    """Predict every row of measured files and report the errors: per row, as MAPE by metric and group, and coverage.

    Args:
        files: result files of tools, CSV files, folders or patterns of them, or rows of :func:`read_measurements`:
            runs, or points of a frontier.
        calibration: name or path; None: the profiles and kernel priors alone.
        select: which rows, such as ``"engine=ATOM and precision=FP8"``.
        engine: behind frontier rows that name none.
        force: apply a calibration outside what it was fitted to.
        method: ``des`` or ``closed-form``.
        model: profile name or path to use instead of the model that the rows of runs name.
        allow_dequant: compute in the next wider format that the hardware has.
        known: what the files do not hold, as of :func:`simulator.read_results`.
        progress: told what is being done.

    Raises:
        InputError: bad files, no row, runs and frontier points together, a row no profile describes, or a calibration
            of another engine, precision or hardware without ``force``.

    Example:
        >>> from simulator import evaluate, read_measurements, shipped_measurements
        >>> rows = read_measurements(shipped_measurements("sglang_mi355x_8k1k.csv"), select="precision=FP4 and tp=4")
        >>> evaluate(rows, "sglang-mi355x-fp4-2026-09").mape["mean_tpot_ms"] < 0.05
        True
    """
    rows = read_measurements(files, select=select, known=known)
    runs = [row for row in rows if isinstance(row, MeasuredPoint | OpenLoopPoint)]
    frontier = [row for row in rows if isinstance(row, FrontierPoint)]
    if runs and frontier:
        raise InputError("points and frontier files together: expected one kind; evaluate them one by one")
    if frontier:
        return evaluate_frontier(frontier, calibration, engine=engine, force=force)
    return evaluate_runs(
        runs, calibration, force=force, method=method, model=model, allow_dequant=allow_dequant, progress=progress
    )


def evaluate_runs(
    rows: Sequence[MeasuredPoint | OpenLoopPoint],
    calibration: str | None = None,
    *,
    force: bool = False,
    method: str = "des",
    model: str | None = None,
    allow_dequant: bool = False,
    progress: Progress = silent,
) -> Evaluation:
    """Predict each row under one calibration; without one, from the profiles and the kernel priors alone.

    Rows of an open loop are predicted by discrete events of as many requests sent at their rate, whatever ``method``.
    A row's own acceptance length is used when it has one; else the calibration's fitted one, else the published
    profile.

    Raises:
        InputError: no row, a row no profile describes, or a calibration of another engine, precision or hardware
            without ``force``.
    """
    if not rows:
        raise InputError("no row to evaluate")
    groups: dict[Configuration, list[MeasuredPoint]] = defaultdict(list)
    opened = {i: row for i, row in enumerate(rows) if isinstance(row, OpenLoopPoint)}
    for row in rows:
        if isinstance(row, MeasuredPoint):
            groups[checked_configuration(row, model=model, allow_dequant=allow_dequant)].append(row)
    curves: dict[Configuration, list[Configuration]] = defaultdict(list)
    for config in groups:
        curves[replace(config, concurrency=1)].append(config)
    predictions: dict[Configuration, tuple[Scenario, Mapping[str, Any]]] = {}
    used: set[str] = set()
    outside: set[str] = set()
    name = calibration or PRIORS
    for base, members in curves.items():
        progress(f"{base.engine} {base.precision} {base.isl}/{base.osl} TP{base.tp} k={base.spec_tokens}")
        chosen, wrong = resolve_calibration(name, base.deployment, force)
        scenario = base.scenario(chosen, wrong)
        used.add(scenario.speculation.source.text)
        outside.update(wrong)
        members.sort(key=lambda c: c.concurrency)
        table = predict_one(scenario, [c.concurrency for c in members], method=method, over_memory="queue")
        predictions |= {member: (scenario, row) for member, row in zip(members, table.rows, strict=True)}
    of_open: dict[int, dict[str, Any]] = {}
    for i, row in opened.items():
        progress(f"{row.engine} {row.precision} {row.isl}/{row.osl} TP{row.tp} {row.request_rate_per_s:g} requests/s")
        base = open_configuration(row, model=model, allow_dequant=allow_dequant)
        chosen, wrong = resolve_calibration(name, base.deployment, force)
        scenario = base.scenario(chosen, wrong)
        used.add(scenario.speculation.source.text)
        outside.update(wrong)
        of_open[i] = _open_point(row, predicted(row, scenario))
    points = tuple(
        of_open[i]
        if isinstance(row, OpenLoopPoint)
        else _point(row, *predictions[configuration(row, model=model, allow_dequant=allow_dequant)])
        for i, row in enumerate(rows)
    )
    meta = {
        "calibration": name,
        "forced_outside_calibration": sorted(outside),
        "method": method,
        "acceptance_sources": sorted(used - {"off"}),
        "on_bounds": load_calibration(name).on_bounds(),
        "rows": len(points),
        "files": sorted({row.file for row in rows}),
        "versions": versions(),
    }
    return Evaluation(meta, points, _mape(points), _coverage(points), _by_group(points))


def _scope_of(point: FrontierPoint, sweep: Sweep, calibration: Calibration) -> Verdict:
    """The verdict on the run of the sweep that is nearest to a point of its front."""
    tp = replica_size(point, sweep.tp)
    near = min((c for size, c in sweep.swept.runs if size == tp), key=lambda c: abs(c - (point.concurrency or c)))
    return judge(replace(sweep.base, tp=tp).scenario(calibration), near)


LABELS = ("file", "line", "hardware", "model", "engine", "precision", "spec", "isl", "osl", "tp", "concurrency")
"""What a row of an evaluation says of the measured row."""


def _point(row: MeasuredPoint, scenario: Scenario, found: Mapping[str, Any]) -> dict[str, Any]:
    out = {name: getattr(row, name) for name in LABELS} | {"acceptance_length": found["acceptance_length"]}
    for metric in METRICS:
        value = measured(row, metric)
        if value is not None:
            out |= _compared(metric, value, found[metric], *bounds_of_run(found, metric, scenario, row.engine_version))
    return out | judge(scenario, row.concurrency, row.engine_version).as_row()


def _open_point(row: OpenLoopPoint, found: Mapping[str, Any]) -> dict[str, Any]:
    out = {name: getattr(row, name) for name in LABELS} | {"acceptance_length": found["acceptance_length"]}
    out["request_rate_per_s"] = row.request_rate_per_s
    for metric in METRICS:
        value = measured_open(row, metric)
        if value is not None:
            out |= _compared(metric, value, found[metric], found[f"{metric}_lo"], found[f"{metric}_hi"])
    return out | {name: found[name] for name in ("scope", "scope_reasons")}


def _compared(metric: str, value: float, found: float, low: float, high: float) -> dict[str, Any]:
    return {
        metric: value,
        f"predicted_{metric}": found,
        f"{metric}_lo": low,
        f"{metric}_hi": high,
        f"error_{metric}": found / value - 1.0,
        f"inside_{metric}": bool(low <= value <= high),
    }


def _mape(points: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    return {
        m: float(np.mean(np.abs(e))) for m in METRICS if (e := [p[f"error_{m}"] for p in points if f"error_{m}" in p])
    }


def _coverage(points: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    return {m: float(np.mean(e)) for m in METRICS if (e := [p[f"inside_{m}"] for p in points if f"inside_{m}" in p])}


def _by_group(points: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], ...]:
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = defaultdict(list)
    for p in points:
        groups[tuple(p[g] for g in GROUP)].append(p)
    return tuple(
        dict(zip(GROUP, key, strict=True))
        | {"rows": len(members), "mape": _mape(members), "coverage90": _coverage(members)}
        for key, members in groups.items()
    )


def evaluate_frontier(
    points: Sequence[FrontierPoint], calibration: str | None = None, *, engine: str = "sglang", force: bool = False
) -> Evaluation:
    """Predict the points of an interpolated frontier: simulate the sweep behind it, take its front, spline each metric.

    Raises:
        InputError: a series with one point, unknown names, or a calibration of something else without ``force``.
    """
    name = calibration or PRIORS
    sweeps = sweeps_of(list(points), engine, None)
    chosen, _ = resolve_calibration(name, sweeps[0].base.deployment, force)
    wrong = sorted({w for s in sweeps for w in resolve_calibration(name, s.base.deployment, force)[1]})
    open_length = next((s.base for s in sweeps if s.base.spec_tokens and s.base.acceptance_length is None), None)
    length: float | None = None
    if open_length is not None:
        at_depth = replace(open_length, spec_tokens=DEFAULT_DEPTH)
        length = at_depth.scenario(chosen).speculation.acceptance_length
    evaluator = Evaluator(chosen.values(), length, exact=True)
    behind = {place: sweep for sweep in sweeps for place in sweep.lines}
    rows = tuple(
        row | _scope_of(point, behind[point.file, point.line], chosen).as_row()
        for point, row in zip(points, point_errors(evaluator, sweeps, list(points)), strict=True)
    )
    metrics = ("total_tok_s_gpu", "cost_usd_per_mtok", "tok_s_per_mw", "concurrency")
    mape = {}
    for m in metrics:
        errors = [abs(r[f"error_{m}"]) for r in rows if r[f"error_{m}"] is not None]
        if errors:
            mape[m] = float(np.mean(errors))
    meta = {
        "calibration": name,
        "forced_outside_calibration": wrong,
        "acceptance_length": length,
        "on_bounds": chosen.on_bounds(),
        "rows": len(rows),
        "kind": "interpolated frontier",
        "versions": versions(),
    }
    return Evaluation(meta, rows, mape, {}, ())
