"""The accuracy splits: fit on one part of the shipped data, predict the other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from scipy.optimize import minimize_scalar

from simulator.cost.parameters import values_of
from simulator.fitting.fit import Fit, fit
from simulator.fitting.prior import default_prior
from simulator.fitting.problem import Problem
from simulator.fitting.scoring import (
    Errors,
    curve,
    join,
    log_log,
    mape,
    noise_floor,
    predictor,
    row_errors,
)
from simulator.measurements import MeasuredPoint
from simulator.measurements.cells import METRICS, cells_of, measured
from simulator.measurements.configuration import DEFAULT_DEPTH, configuration

Rows = Sequence[MeasuredPoint]


@dataclass(frozen=True)
class SplitResult:
    """Errors of one split as MAPE fractions: the model, the rival without a model, and the noise floor."""

    name: str
    goal: str
    model: dict[str, float]
    rival: dict[str, float]
    floor: dict[str, float]
    rows: int


def fit_rows(rows: Rows) -> Fit:
    """Fit all fitted parameters, and an acceptance length if an MTP row leaves it open."""
    unknown = any(r.spec == "mtp" and r.acceptance_length is None for r in rows)
    deployment = configuration(rows[0]).deployment
    prior = default_prior(unknown, deployment.hardware, deployment.engine.name)
    return fit(Problem(cells_of(rows), [], prior, values_of(prior.known)))


def best_length(base: Fit, rows: Rows) -> float:
    """The one acceptance length that explains MTP rows best, all else as fitted: least squares of log TPOT and
    throughput."""

    def loss(length: float) -> float:
        errors = row_errors(rows, predictor(base, length))
        return float(sum(np.log1p(e) ** 2 for kind in ("total_tok_s_gpu", "tpot") for e in errors[kind]))

    found = minimize_scalar(loss, bounds=(1.0, DEFAULT_DEPTH + 1.0), method="bounded", options={"xatol": 1e-3})
    return float(found.x)


def transfer(name: str, goal: str, train: Rows, test: Rows) -> SplitResult:
    """Fit ``train``, predict ``test``."""
    errors = row_errors(test, predictor(fit_rows(train)))
    return SplitResult(name, goal, mape(errors), mape(log_log(train, test)), noise_floor(test), len(test))


def in_sample(name: str, goal: str, rows: Rows) -> SplitResult:
    """Fit and predict the same rows."""
    errors = row_errors(rows, predictor(fit_rows(rows)))
    return SplitResult(name, goal, mape(errors), {}, noise_floor(rows), len(rows))


@dataclass(frozen=True)
class Fold:
    """One concurrency left out: errors of the model and of the rival there.

    ``points``: one mapping per metric of each held-out row, with ``metric, measured, predicted, concurrency``.
    """

    concurrency: int
    model: Errors
    rival: Errors
    points: list[dict[str, Any]]


def leave_one_concurrency_out(name: str, goal: str, rows: Rows, jobs: int = 2) -> tuple[SplitResult, list[Fold]]:
    """For each concurrency: fit all others, predict it."""
    folds = Parallel(n_jobs=jobs)(delayed(_fold)(rows, c) for c in sorted({r.concurrency for r in rows}))
    model, rival = join(f.model for f in folds), join(f.rival for f in folds)
    return SplitResult(name, goal, mape(model), mape(rival), noise_floor(rows), len(rows)), folds


def _fold(rows: Rows, concurrency: int) -> Fold:
    train = [r for r in rows if r.concurrency != concurrency]
    test = [r for r in rows if r.concurrency == concurrency]
    found = fit_rows(train)
    predict = predictor(found)
    points = [
        {"metric": metric, "measured": value, "predicted": prediction[metric], "concurrency": row.concurrency}
        for row in test
        for prediction in [predict(configuration(row))]
        for metric in METRICS
        if (value := measured(row, metric)) is not None
    ]
    errors, rival = dict(row_errors(test, predict)), dict(log_log(train, test))
    return Fold(concurrency, errors, rival, points)


def unseen_acceptance(name: str, goal: str, rows: Rows) -> SplitResult:
    """Fit Off and the rows whose drafts are never accepted; predict the other MTP rows with one acceptance length."""
    train = [r for r in rows if r.spec == "off" or r.acceptance_length == 1.0]
    test = [r for r in rows if r.spec == "mtp" and r.acceptance_length is None]
    base = fit_rows(train)
    length = best_length(base, test)
    errors = row_errors(test, predictor(base, length))
    return SplitResult(f"{name} (AL {length:.2f})", goal, mape(errors), {}, noise_floor(test), len(test))


def two_end_points(name: str, goal: str, rows: Rows) -> tuple[SplitResult, dict[str, float]]:
    """Per curve: fit its lowest and highest concurrency, predict the interior. Also returns the TPOT error of each
    curve."""
    curves: dict[tuple[object, ...], list[MeasuredPoint]] = defaultdict(list)
    for row in rows:
        if row.mean_tpot_ms is not None or row.median_tpot_ms is not None:
            curves[curve(row)].append(row)
    errors: list[Errors] = []
    rival: list[Errors] = []
    inside: list[MeasuredPoint] = []
    by_curve: dict[str, float] = {}
    for key, members in curves.items():
        low, high = min(r.concurrency for r in members), max(r.concurrency for r in members)
        ends = [r for r in members if r.concurrency in (low, high)]
        interior = [r for r in members if low < r.concurrency < high]
        if not interior:
            continue
        found = row_errors(interior, predictor(fit_rows(ends)))
        errors.append(found)
        rival.append(log_log(ends, interior))
        inside += interior
        by_curve[" ".join(str(k) for k in key if k is not None)] = mape(found)["tpot"]
    return SplitResult(name, goal, mape(join(errors)), mape(join(rival)), noise_floor(inside), len(inside)), by_curve


def pick(rows: Rows, keep: Callable[[MeasuredPoint], bool]) -> list[MeasuredPoint]:
    """The rows for which ``keep`` is true."""
    return [r for r in rows if keep(r)]
