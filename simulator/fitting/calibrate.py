"""One calibration from files to a finished content: fit, errors in sample and held out, noise, and what stayed
unknown."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed

from simulator.cost.calibration import (
    ACCEPTANCE,
    COST_MODEL,
    Calibration,
    digest,
    length_coordinate,
    length_of_coordinate,
    prior_values,
)
from simulator.cost.parameters import on_bounds, values_of
from simulator.errors import InputError
from simulator.facts.identity import known_hardware, known_model
from simulator.files.paths import user_path
from simulator.fitting.curves import curves_of
from simulator.fitting.fit import Fit, fit, fit_from_many_starts
from simulator.fitting.frontiers import Sweep, sweeps_of
from simulator.fitting.prior import Prior, default_prior, prior_from
from simulator.fitting.problem import Problem
from simulator.fitting.scoring import Errors, join, mape, noise_of, parameter_variance, predictor, row_errors
from simulator.fitting.writing import write
from simulator.measurements import FrontierPoint, MeasuredPoint, OpenLoopPoint, Row, Table
from simulator.measurements import select as selected
from simulator.measurements.cells import cells_of
from simulator.measurements.configuration import DEFAULT_DEPTH, Configuration, configuration
from simulator.measurements.gathering import gather_each
from simulator.measurements.importing.known import Stated
from simulator.prediction.predict import versions
from simulator.results.progress import Progress, silent
from simulator.results.table import Result
from simulator.serving.scenario import resolve_calibration

Configure = Callable[[MeasuredPoint], Configuration]
"""How a measured row becomes a configuration."""
UNKNOWN_NOISE = {"throughput": 0.03, "tpot": 0.035, "ttft": 0.12}
"""Noise of a fit with too little data to measure its own: the held-out error of the shipped calibrations."""

NOISE_OF_KIND = {"total_tok_s_gpu": "throughput", "tpot": "tpot", "ttft": "ttft"}
STRONG_CORRELATION = 0.8
LENGTH_DECIMALS = 4
JOBS = 2
UNINFORMED = 0.95


@dataclass(frozen=True)
class Session(Result):
    """A finished calibration: the fit, the file's content, and the rows it came from.

    ``meta`` is what the fit was made of: everything in the file but parameters and covariance.
    """

    meta: Mapping[str, Any]
    fit: Fit
    content: dict[str, Any]
    points: tuple[MeasuredPoint, ...]
    skipped: int = 0
    """Rows of an open loop, which are not used."""

    def records(self) -> list[dict[str, Any]]:
        """One row per fitted quantity, last the acceptance length of MTP rows that state none.

        ``stderr`` and ``prior_sd`` are in fitted coordinates, log or logit: their ratio is near 1 where the data said
        nothing. ``moved_sd`` is how far the data moved it, in prior standard deviations.

        Example:
            >>> from simulator import calibrate, shipped_measurements
            >>> file = shipped_measurements("sglang_mi355x_8k1k.csv")
            >>> found = calibrate(file, select="precision=FP4 and concurrency=4", cross_validate=False)
            >>> row = found.records()[-1]
            >>> row["parameter"], row["unit"], 2 < row["value"] < 3.5
            ('acceptance.length', 'tokens/round', True)
        """
        rows = [{"parameter": name, **fields} for name, fields in self.content["parameters"].items()]
        if "acceptance" in self.content:
            start = self.fit.problem.prior
            i = start.names.index(ACCEPTANCE)
            value, prior = (length_of_coordinate(float(x[i]), DEFAULT_DEPTH) for x in (self.fit.x, start.mean))
            rows.append({"parameter": ACCEPTANCE, **_entry(self.fit, i, value, prior, "tokens/round")})
        return rows

    def document(self) -> dict[str, Any]:
        """The content of the calibration file."""
        return self.content

    def write(self, path: str | Path) -> None:
        """Write the calibration file; it is whole or not there.

        Raises:
            InputError: not a ``.yaml`` path, or one that cannot be written.
        """
        write(self.content, user_path("-o", path))


def read_rows(
    paths: Sequence[str | Path], expression: str | None, known: Stated = None
) -> tuple[list[Table], list[Any]]:
    """Read files and select rows; ``known`` is what the files do not hold.

    Raises:
        InputError: unreadable files, faults in them, a run that two files hold, or nothing selected.
    """
    tables = gather_each(paths, known)
    rows = [row for table in tables for row in table.rows]
    seen: dict[Row, Row] = {}
    for row in rows:
        first = seen.setdefault(replace(row, file="", line=0), row)
        if first is not row:
            raise InputError(f"{row.file}: line {row.line}: duplicate of {first.file} line {first.line}, use once")
    return tables, list(selected(rows, expression)) if expression else rows


def calibrate(
    files: str | Path | Sequence[str | Path],
    *,
    name: str | None = None,
    description: str = "",
    select: str | None = None,
    prior: str | None = None,
    engine: str = "sglang",
    checkpoint: str | None = None,
    cross_validate: bool = True,
    model: str | None = None,
    allow_dequant: bool = False,
    known: Stated = None,
    progress: Progress = silent,
) -> Session:
    """Fit the physical parameters to measured runs, frontier points, or both; ``write(path)`` keeps the answer.

    Args:
        files: result files of tools, CSV files, folders or patterns of them. Rows of an open loop are not used.
        name: of the calibration; None: that of the first file.
        description: one line for people.
        select: which rows, such as ``"precision=FP8"``, see :func:`simulator.measurements.select`.
        prior: calibration to start from instead of the kernel priors (its scope must match).
        engine: behind frontier rows that name none.
        checkpoint: of frontier rows that name none.
        cross_validate: also leave each concurrency out in turn, which measures the noise.
        model: profile name or path to use instead of the model that the rows of runs name.
        allow_dequant: compute in the next wider format that the hardware has.
        known: what the files do not hold, as of :func:`simulator.read_results`.
        progress: told what is being done.

    Raises:
        InputError: bad files, nothing to fit, or several engines or hardware without a selection.

    Example:
        >>> from simulator import calibrate, shipped_measurements
        >>> file = shipped_measurements("sglang_mi355x_8k1k.csv")
        >>> found = calibrate(file, select="precision=FP4 and tp=4 and spec=off", cross_validate=False)
        >>> found.content["errors"]["in_sample"]["tpot"] < 0.05
        True
    """
    paths = [files] if isinstance(files, str | Path) else list(files)
    name = name or Path(paths[0]).stem
    tables, rows = read_rows(paths, select, known)
    skipped = sum(isinstance(row, OpenLoopPoint) for row in rows)
    rows = [row for row in rows if not isinstance(row, OpenLoopPoint)]
    if skipped and not rows:
        raise InputError(f"nothing to fit: all {skipped} rows are of an open loop; expected rows with a concurrency")
    points = [r for r in rows if isinstance(r, MeasuredPoint)]
    sweeps = sweeps_of([r for r in rows if isinstance(r, FrontierPoint)], engine, checkpoint)
    configure = functools.partial(configuration, model=model, allow_dequant=allow_dequant)
    scope = _scope(points, sweeps, configure)
    start = _prior(prior, points, sweeps, configure)
    cells = cells_of(points, model=model, allow_dequant=allow_dequant)
    if not cells and not sweeps:
        raise InputError("nothing to fit: no row states a throughput, TPOT or TTFT")
    problem = Problem(cells, sweeps, start, values_of(start.known))
    progress(f"fitting {len(problem.y)} values")
    found = fit_from_many_starts(problem) if sweeps else fit(problem)
    written = as_written(found)
    in_sample = row_errors(points, predictor(written), configure)
    for error in _sweep_errors(written, sweeps):
        in_sample["total_tok_s_gpu"].append(error)
    errors: dict[str, Any] = {"in_sample": mape(in_sample), "rows": len(rows)}
    noise, source = dict(UNKNOWN_NOISE), "held-out errors of the shipped calibrations: too little data here for its own"
    held = _held_out(points, start, model, allow_dequant, progress) if cross_validate else None
    if held is not None:
        off, variances = held
        errors["leave_one_concurrency_out"] = mape(off)
        noise |= {NOISE_OF_KIND[kind]: noise_of(values, variances[kind]) for kind, values in off.items()}
        source = "90 % of the errors with each concurrency left out in turn, beside what the parameters explain"
    content = _content(found, name, description, scope, tables, rows, select, errors, noise, source)
    meta = {k: v for k, v in content.items() if k not in ("parameters", "covariance")}
    return Session(meta, found, content, tuple(points), skipped)


def _prior(name: str | None, points: Sequence[MeasuredPoint], sweeps: Sequence[Sweep], configure: Configure) -> Prior:
    unknown = any(r.spec == "mtp" and r.acceptance_length is None for r in points)
    unknown |= any(s.base.spec_tokens > 0 and s.base.acceptance_length is None for s in sweeps)
    first = configure(points[0]) if points else sweeps[0].base
    if name is None:
        return default_prior(unknown, first.deployment.hardware, first.deployment.engine.name)
    calibration, _ = resolve_calibration(name, first.deployment)
    return prior_from(calibration, unknown)


def _scope(points: Sequence[MeasuredPoint], sweeps: Sequence[Sweep], configure: Configure) -> dict[str, list[Any]]:
    runs = [configure(p) for p in points]
    bases = runs + [s.base for s in sweeps]
    scope: dict[str, list[Any]] = {
        "hardware": sorted({known_hardware(b.deployment.hardware) for b in bases}),
        "model": sorted({known_model(b.deployment.model) for b in bases}),
        "engine": sorted({b.deployment.engine.name for b in bases}),
        "precision": sorted({b.precision for b in bases}),
        "checkpoint": sorted({b.deployment.checkpoint for b in bases}),
        "tp": sorted({b.tp for b in bases} | {tp for s in sweeps for tp in s.tp}),
        "isl": sorted({b.isl for b in bases}),
        "concurrency": sorted({p.concurrency for p in points}),
        "spec": sorted({"mtp" if b.spec_tokens else "off" for b in bases}),
    }
    for what in ("hardware", "model", "engine"):
        if len(scope[what]) > 1:
            raise InputError(
                f"rows of several {what} values in one fit: found {', '.join(scope[what])}; expected one. "
                f'Choose with --select "{what}={scope[what][0]}"'
            )
    swept = [run for sweep in sweeps for run in sweep.grid]
    scope["curves"] = [curve.model_dump() for curve in curves_of(runs + swept)]
    used = {run.deployment.launch.recipe for run in runs + swept}
    scope["recipes"] = sorted(name for name in used if name is not None)
    scope["images"] = sorted({p.engine_version for p in points if p.engine_version})
    return scope


def _held_out(
    points: Sequence[MeasuredPoint], start: Prior, model: str | None, allow_dequant: bool, progress: Progress
) -> tuple[Errors, Errors] | None:
    """Errors with each concurrency left out and the variances of their log predictions by the parameters, or None when
    fewer than three concurrencies exist."""
    held = sorted({p.concurrency for p in points})
    if len(held) < 3:
        return None
    progress(f"leaving each of {len(held)} concurrencies out")
    parts = Parallel(n_jobs=JOBS)(delayed(_without)(points, c, start, model, allow_dequant) for c in held)
    return join(errors for errors, _variances in parts), join(variances for _errors, variances in parts)


def _without(
    points: Sequence[MeasuredPoint], concurrency: int, start: Prior, model: str | None, allow_dequant: bool
) -> tuple[Errors, Errors]:
    train = [p for p in points if p.concurrency != concurrency]
    test = [p for p in points if p.concurrency == concurrency]
    cells = cells_of(train, model=model, allow_dequant=allow_dequant)
    found = fit(Problem(cells, [], start, values_of(start.known)))
    configure = functools.partial(configuration, model=model, allow_dequant=allow_dequant)
    errors = dict(row_errors(test, predictor(found), configure))
    return errors, dict(parameter_variance(found, test, model, allow_dequant))


def _sweep_errors(found: Fit, sweeps: Sequence[Sweep]) -> list[float]:
    """Relative throughput errors of frontier points, read on the whole front."""
    if not sweeps:
        return []
    from simulator.fitting.headline import front_errors

    return [float(e.throughput) for e in front_errors(found, sweeps)]


def _content(
    found: Fit,
    name: str,
    description: str,
    scope: dict[str, list[Any]],
    tables: Sequence[Table],
    rows: Sequence[Any],
    expression: str | None,
    errors: dict[str, Any],
    noise: dict[str, float],
    noise_source: str,
) -> dict[str, Any]:
    content: dict[str, Any] = {
        "format": 1,
        "cost_model": COST_MODEL,
        "name": name,
        "description": description,
        "scope": scope,
        "parameters": _parameters(found),
        "priors": {n: p.model_dump() for n, p in prior_values(found.problem.prior.known).items()},
        "covariance": {"names": list(found.problem.prior.names), "matrix": _rounded(found.covariance)},
        "noise": {k: round(v, 4) for k, v in noise.items()},
        "noise_source": noise_source,
        "errors": _round_errors(errors),
        "identifiability": unidentified(found),
        "data": [_source(table, rows, expression) for table in tables],
        "versions": versions(),
    }
    length = found.problem.values(found.x)[1]
    if length is not None:
        i = found.problem.prior.names.index(ACCEPTANCE)
        step = length_of_coordinate(found.x[i] + found.stderr[i], DEFAULT_DEPTH) - length
        content["acceptance"] = {
            "length": round(length, LENGTH_DECIMALS),
            "spec_tokens": DEFAULT_DEPTH,
            "stderr": round(step, 4),
        }
    content["hash"] = digest(content)
    return content


def as_written(found: Fit) -> Fit:
    """The fit with its coordinates as the file states them, rounded: what a file says of itself is true of the file."""
    x = found.x.copy()
    for i, name in enumerate(found.problem.prior.names):
        if name == ACCEPTANCE:
            length = round(length_of_coordinate(float(x[i]), DEFAULT_DEPTH), LENGTH_DECIMALS)
            x[i] = length_coordinate(length, DEFAULT_DEPTH)
        else:
            p = found.problem.prior.known[name]
            x[i] = p.to_internal(_significant(p.from_internal(float(x[i]))))
    return replace(found, x=x)


def _parameters(found: Fit) -> dict[str, Any]:
    out = {}
    prior = found.problem.prior
    for i, name in enumerate(prior.names):
        if name == ACCEPTANCE:
            continue
        p = prior.known[name]
        value, before = p.from_internal(float(found.x[i])), p.from_internal(float(prior.mean[i]))
        out[name] = _entry(found, i, value, before, p.unit)
    return out


def _entry(found: Fit, i: int, value: float, prior: float, unit: str) -> dict[str, Any]:
    """Coordinate ``i`` of a fit, its value and prior in ``unit``; errors in its own coordinate."""
    return {
        "value": _significant(value),
        "unit": unit,
        "stderr": round(float(found.stderr[i]), 4),
        "prior": _significant(prior),
        "prior_sd": round(float(math.sqrt(found.problem.prior.covariance[i, i])), 4),
        "moved_sd": round(float(found.moved[i]), 2),
    }


def unidentified(found: Fit) -> list[str]:
    """Sentences on what the data cannot tell: parameters left at their prior, and pairs that move together."""
    names = found.problem.prior.names
    silent = [n for n, s in zip(names, found.shrinkage, strict=True) if s > UNINFORMED]
    out = [f"the data says nothing, the prior stands: {', '.join(silent)}"] if silent else []
    out += on_bounds({n: found.problem.values(found.x)[0][n] for n in names if n != ACCEPTANCE})
    correlation = found.correlation()
    for i, a in enumerate(names):
        for j in range(i):
            if abs(correlation[i, j]) > STRONG_CORRELATION:
                out.append(f"{names[j]} and {a}: only a combination is known (correlation {correlation[i, j]:+.2f})")
    return out


def _source(table: Table, rows: Sequence[Any], expression: str | None) -> dict[str, Any]:
    used = sorted(r.line for r in rows if r.file == table.path)
    return {"file": Path(table.path).name, "sha256": table.sha256, "select": expression or "", "rows": used}


def _rounded(matrix: np.ndarray[Any, np.dtype[np.float64]]) -> list[list[float]]:
    return [[_significant(float(v), 6) for v in row] for row in matrix]


def _significant(value: float, digits: int = 5) -> float:
    return float(f"{value:.{digits}g}")


def _round_errors(errors: dict[str, Any]) -> dict[str, Any]:
    return {k: {m: round(v, 4) for m, v in e.items()} if isinstance(e, dict) else e for k, e in errors.items()}


def as_calibration(content: dict[str, Any]) -> Calibration:
    """The content as a validated calibration."""
    return Calibration.model_validate(content)
