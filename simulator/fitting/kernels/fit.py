"""Fit the parameters of one accelerator to its kernel tables, class by class."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from simulator.cost.parameters import Parameter, priors, registry
from simulator.cost.rates import KernelRates
from simulator.facts.hardware import Hardware
from simulator.fitting.kernels.classes import KernelClass
from simulator.fitting.kernels.table import KernelRow

Array = NDArray[np.float64]

LOSS_SCALE = 0.3
"""Log errors beyond this count linearly (soft L1): one untuned shape cannot steer a fit."""
ROW_SD = 0.1
"""Log error of a row that weighs as much as one standard deviation of a generic prior."""
LOOSE = 3.0
"""Generic priors are loosened by this: the table is to speak."""
SILENT = 1e-3
"""A parameter that moves no row by this (in weighted log errors) is none of the table's."""
TWO_THIRDS = 0.683
"""The error that two thirds of the rows keep within is one standard deviation, whatever a few untuned shapes do."""
LEAST_SD = 0.05
"""No parameter is better known for an engine than this (log): neighbours, launch gaps and clocks are absent here."""
INSIDE = 0.03
"""Values stay this part of the range (log) from a bound: a warm cache may show more than the memory gives."""


@dataclass(frozen=True)
class Fitted:
    """Fitted parameters of one class and log(model / measured) of its rows.

    ``sd``: of the logarithm, what an engine's own shapes and kernels may differ by included.
    """

    kind: KernelClass
    values: Mapping[str, float]
    sd: Mapping[str, float]
    rows: tuple[KernelRow, ...]
    errors: Array

    @property
    def rms(self) -> float:
        """Root mean square of the log errors."""
        return float(np.sqrt(np.mean(self.errors**2)))

    @property
    def bias(self) -> float:
        """Mean of the log errors."""
        return float(np.mean(self.errors))


def fit_class(
    kind: KernelClass,
    rows: Sequence[KernelRow],
    hardware: Hardware,
    known: Mapping[str, float],
    others: Sequence[KernelRow] = (),
) -> Fitted | None:
    """Least squares of log(model / measured); None without rows.

    Args:
        kind: of kernels.
        rows: of that class.
        hardware: whose times they are.
        known: values of other parameters that are settled already.
        others: rows of other implementations, which widen the spread.
    """
    if not rows:
        return None
    names = kind.parameters(hardware)
    chosen = [registry()[name] for name in names]
    base = {**priors(), **known}
    ends = np.log([[p.low, p.high] for p in chosen])
    edge = INSIDE * (ends[:, 1] - ends[:, 0])
    low, high = ends[:, 0] + edge, ends[:, 1] - edge
    middle = np.clip(np.log([p.value for p in chosen]), low + 1e-9, high - 1e-9)
    width = np.array([LOOSE * p.sd for p in chosen])

    def residuals(x: Array) -> Array:
        errors = log_errors(kind, rows, hardware, {**base, **dict(zip(names, np.exp(x).tolist(), strict=True))})
        return np.concatenate([errors / ROW_SD, (x - middle) / width])

    answer = least_squares(
        residuals, middle, bounds=(low, high), loss="soft_l1", f_scale=LOSS_SCALE / ROW_SD, xtol=1e-8, ftol=1e-8
    )
    values = dict(zip(names, np.exp(answer.x).tolist(), strict=True))
    errors = log_errors(kind, rows, hardware, {**base, **values})
    usual = float(np.quantile(np.abs(errors), TWO_THIRDS))
    if others:
        apart = log_errors(kind, others, hardware, {**base, **values})
        usual = math.hypot(usual, float(np.quantile(np.abs(apart), TWO_THIRDS)))
    shapes = len({kind.shape(row) for row in rows})
    jacobian = np.asarray(answer.jac, dtype=float)
    precision = jacobian.T @ jacobian
    stderr = np.sqrt(np.diag(np.linalg.inv(precision))) * max(usual / ROW_SD, 0.3) * math.sqrt(len(rows) / shapes)
    heard = np.abs(jacobian[: len(rows)]).max(axis=0) > SILENT
    sd = {n: _spread(p, float(e), usual) for n, p, e, ok in zip(names, chosen, stderr, heard, strict=True) if ok}
    return Fitted(kind, {n: values[n] for n in sd}, sd, tuple(rows), errors)


def _spread(parameter: Parameter, stderr: float, usual: float) -> float:
    """The fit's own error, and that the next shape is as far off as these were; no wider than the generic prior."""
    return max(min(math.hypot(stderr, usual), parameter.sd), LEAST_SD)


def log_errors(
    kind: KernelClass, rows: Sequence[KernelRow], hardware: Hardware, parameters: Mapping[str, float]
) -> Array:
    """log(model / measured) of rows under a set of parameters, shape (rows,)."""
    rates = KernelRates(hardware, parameters)
    said = [kind.operator(row, rates).seconds(kind.loads(row, rates), kind.each(row)) for row in rows]
    errors: Array = np.log(np.array(said) / np.array([row.seconds for row in rows]))
    return errors
