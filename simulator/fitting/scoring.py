"""Errors of predictions against measured rows: per row, as MAPE per metric, and against rivals that know no model."""

from __future__ import annotations

import functools
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from simulator.fitting.fit import Fit
from simulator.fitting.problem import Evaluator, Problem
from simulator.measurements import MeasuredPoint
from simulator.measurements.cells import METRICS, cells_of, measured
from simulator.measurements.configuration import Configuration, configuration
from simulator.prediction.intervals import Z90

KINDS = {"total_tok_s_gpu": "total_tok_s_gpu", "mean_tpot_ms": "tpot", "median_tpot_ms": "tpot"} | {
    "mean_ttft_ms": "ttft",
    "median_ttft_ms": "ttft",
    "p99_ttft_ms": "ttft",
}
"""Metric -> the kind it is reported under."""

Errors = dict[str, list[float]]


def row_errors(
    rows: Iterable[MeasuredPoint],
    predict: Callable[[Configuration], Mapping[str, float]],
    configure: Callable[[MeasuredPoint], Configuration] = configuration,
) -> Errors:
    """Relative errors predicted / measured - 1 of every measured metric, by kind.

    Args:
        rows: measured points.
        predict: of a configuration.
        configure: how a row becomes one.
    """
    out: Errors = defaultdict(list)
    for row in rows:
        found = predict(configure(row))
        for metric in METRICS:
            value = measured(row, metric)
            if value is not None and metric in found:
                out[KINDS[metric]].append(found[metric] / value - 1.0)
    return out


def mape(errors: Errors) -> dict[str, float]:
    """Mean absolute relative error per kind, as a fraction."""
    return {kind: float(np.mean(np.abs(values))) for kind, values in errors.items()}


def predictor(fit: Fit, length: float | None = None) -> Callable[[Configuration], Mapping[str, float]]:
    """Predictions by discrete events with the fitted parameters; ``length`` replaces the fitted acceptance length."""
    values, fitted = fit.problem.values(fit.x)
    evaluate = Evaluator(values, fitted if length is None else length, exact=True)

    def predict(config: Configuration) -> Mapping[str, float]:
        evaluate.prepare([config])
        return evaluate(config)

    return predict


def noise_floor(rows: Sequence[MeasuredPoint]) -> dict[str, float]:
    """MAPE of the median of repeated runs against each of them: what no model can beat. NaN without repeats."""
    groups: dict[Configuration, list[MeasuredPoint]] = defaultdict(list)
    for row in rows:
        groups[configuration(row)].append(row)
    out: dict[str, list[float]] = defaultdict(list)
    for members in groups.values():
        for metric in METRICS:
            values = [v for r in members if (v := measured(r, metric)) is not None]
            if len(values) > 1:
                middle = float(np.median(values))
                out[KINDS[metric]] += [abs(middle / v - 1.0) for v in values]
    return {kind: float(np.mean(v)) for kind, v in out.items()}


def log_log(train: Sequence[MeasuredPoint], test: Sequence[MeasuredPoint]) -> Errors:
    """The rival without a model: log-log interpolation over concurrency inside each curve, where it can be formed."""
    known: dict[tuple[object, ...], dict[str, dict[int, list[float]]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(list))
    )
    for row in train:
        for metric in METRICS:
            value = measured(row, metric)
            if value is not None:
                known[curve(row)][metric][row.concurrency].append(value)
    out: Errors = defaultdict(list)
    for row in test:
        for metric in METRICS:
            value, points = measured(row, metric), known[curve(row)][metric]
            if value is None or not points or not min(points) <= row.concurrency <= max(points):
                continue
            x = sorted(points)
            y = [math.log(float(np.median(points[c]))) for c in x]
            out[KINDS[metric]].append(math.exp(np.interp(math.log(row.concurrency), np.log(x), y)) / value - 1.0)
    return out


def curve(row: MeasuredPoint) -> tuple[object, ...]:
    """What makes a curve: everything of a row but its concurrency."""
    c = configuration(row)
    return (
        c.hardware,
        c.model,
        c.engine,
        c.checkpoint,
        c.precision,
        c.tp,
        c.ep,
        c.dp,
        c.isl,
        c.osl,
        c.spec_tokens,
        c.acceptance_length,
        c.requests_per_client,
    )


def join(parts: Iterable[Mapping[str, list[float]]]) -> Errors:
    """Errors of several parts as one."""
    out: Errors = defaultdict(list)
    for part in parts:
        for kind, values in part.items():
            out[kind] += values
    return out


LEAST_NOISE = 0.01


def noise_of(errors: Sequence[float], variances: Sequence[float]) -> float:
    """Standard deviation that, beside the uncertainty of the parameters, makes 90 % intervals hold 90 % of the errors.

    Args:
        errors: of rows that a fit did not see, relative: predicted / measured - 1, shape (n,).
        variances: of their log predictions by the parameters of that fit, shape (n,).
    """
    squares = (np.log1p(errors) / Z90) ** 2 - np.asarray(variances)
    return max(LEAST_NOISE, math.sqrt(max(0.0, float(np.quantile(squares, 0.9)))))


def parameter_variance(
    fit: Fit, rows: Sequence[MeasuredPoint], model: str | None = None, allow_dequant: bool = False
) -> Errors:
    """Variance of log predictions by parameter uncertainty, in the order of :func:`row_errors`.

    Args:
        fit: whose parameters.
        rows: to predict.
        model: profile name or path to use instead of the model that the rows name.
        allow_dequant: compute in the next wider format that the hardware has.
    """
    configure = functools.partial(configuration, model=model, allow_dequant=allow_dequant)
    cells = cells_of(rows, model=model, allow_dequant=allow_dequant)
    problem = Problem(cells, [], fit.problem.prior, fit.problem.fixed)
    data = problem.jacobian(fit.x)[: problem.y.size] * problem.sd[:, None]
    variances = np.einsum("ij,jk,ik->i", data, fit.covariance, data)
    known: dict[tuple[Configuration, str], float] = {}
    at = 0
    for cell in cells:
        for obs in cell.observations:
            known[cell.configuration, obs.metric] = float(variances[at])
            at += 1
    out: Errors = defaultdict(list)
    for row in rows:
        for metric in METRICS:
            if measured(row, metric) is not None:
                out[KINDS[metric]].append(known[configure(row), metric])
    return out
