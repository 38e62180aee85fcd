"""The interpolated Pareto front of throughput per GPU over interactivity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simulator.errors import InputError, unknown_name
from simulator.prediction.spline import FloatArray, monotone_spline

INTERACTIVITY = "interactivity_tok_s_user"
THROUGHPUT = "total_tok_s_gpu"

Rule = Literal["each", "derived"]
RULES: dict[Rule, str] = {
    "each": "every metric splined on its own",
    "derived": "cost and tok/s/MW derived from the splined throughput",
}
"""How the metrics between two points of a front are read."""

DERIVED_SINCE = date(2026, 8, 12)
"""InferenceX pages derive cost and tok/s/MW from the splined throughput since this day (InferenceX-app, pull 726)."""

SAME_CONSTANT = 1e-3
"""A metric is derived where its points agree on the constant to 0.1 %, as those pages do, and else splined."""

DERIVED = {
    "cost_usd_per_mtok": (THROUGHPUT, -1),
    "cost_usd_per_mtok_lo": (f"{THROUGHPUT}_hi", -1),
    "cost_usd_per_mtok_hi": (f"{THROUGHPUT}_lo", -1),
    "tok_s_per_mw": (THROUGHPUT, 1),
}
"""Metric -> the throughput it follows from, and the power of it that it is proportional to."""


def front_rule(rule: str | None, dates: Iterable[str | None] = ()) -> Rule:
    """The rule asked for, else that of the data's date: ``derived`` if any day is 12 August 2026 or later.

    Args:
        rule: ``each`` or ``derived``; None: by the date.
        dates: days of the data, ISO; what is absent or reads differently says nothing.

    Raises:
        InputError: no such rule.

    Example:
        >>> front_rule(None, ["2026-08-11", None]), front_rule(None, ["2026-08-12"]), front_rule("each", ["2026-09-01"])
        ('each', 'derived', 'each')
    """
    if rule is not None:
        for known in RULES:
            if rule == known:
                return known
        raise unknown_name("front rule", rule, RULES)
    return "derived" if any(_since(day) for day in dates) else "each"


def _since(day: str | None) -> bool:
    try:
        return day is not None and date.fromisoformat(day[:10]) >= DERIVED_SINCE
    except ValueError:
        return False


def pareto_front(interactivity: ArrayLike, throughput: ArrayLike) -> NDArray[np.intp]:
    """Indices of the points that no other point dominates, by rising interactivity.

    More interactivity and more throughput are both better; a point is dominated by one at least as good in both and
    better in one. Along the front interactivity strictly rises and throughput strictly falls. Of points with the same
    interactivity the best throughput stays, of identical points the first.

    Args:
        interactivity: tok/s/user.
        throughput: tok/s/GPU.

    Raises:
        ValueError: the arrays are not 1-d and of one length, or hold a number that is not finite.

    Example:
        >>> pareto_front([20.0, 40.0, 40.0, 60.0, 30.0], [9.0, 7.0, 8.0, 5.0, 8.0]).tolist()
        [0, 2, 3]
    """
    x, y = np.asarray(interactivity, dtype=np.float64), np.asarray(throughput, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError(f"expected two 1-d arrays of one length; found shapes {x.shape} and {y.shape}")
    if not (np.all(np.isfinite(x)) and np.all(np.isfinite(y))):
        raise ValueError("interactivity and throughput must be finite")
    order = np.lexsort((-y, -x))
    best_so_far = np.maximum.accumulate(np.concatenate(([-np.inf], y[order])))[:-1]
    return order[y[order] > best_so_far][::-1]


@dataclass(frozen=True, eq=False)
class Frontier:
    """The Pareto front of one series, and every metric of its points as a curve over interactivity.

    By the rule ``each``, every metric is splined on its own (:func:`~simulator.prediction.spline.monotone_spline`), as
    the tables published before 12 August 2026 are, so between two points ``cost x throughput`` is not exactly the price
    per hour; by the rule ``derived`` it is, as in those published since. Outside the band every metric is NaN.

    Attributes:
        columns: metric name (which carries the unit) -> values of the front by rising interactivity, read-only.
        rule: how cost and tok/s/MW are read between two points.
    """

    columns: Mapping[str, FloatArray]
    rule: Rule = "each"
    _read: dict[float, dict[str, float]] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def from_points(cls, columns: Mapping[str, ArrayLike], rule: Rule = "each") -> Frontier:
        """The front of measured or simulated points.

        Args:
            columns: metric name -> one number per point. ``interactivity_tok_s_user`` and ``total_tok_s_gpu`` are
                required, finite and positive. In any other column a number that is not known is NaN or None.
            rule: ``each`` metric on its own, or cost and tok/s/MW ``derived`` from the throughput.

        Raises:
            InputError: no points, a required column missing or not positive, a column not numeric or of another length.
        """
        table = {name: _numbers(name, values) for name, values in columns.items()}
        missing = [name for name in (INTERACTIVITY, THROUGHPUT) if name not in table]
        if missing:
            raise InputError(f"a frontier needs the column {' and '.join(missing)}; found {', '.join(table) or 'none'}")
        size = table[INTERACTIVITY].size
        if size == 0:
            raise InputError("a frontier needs at least one point; found none")
        uneven = [f"{name} has {values.size}" for name, values in table.items() if values.size != size]
        if uneven:
            raise InputError(f"columns differ in length: {INTERACTIVITY} has {size}, {', '.join(uneven)}")
        for name in (INTERACTIVITY, THROUGHPUT):
            bad = table[name][~(np.isfinite(table[name]) & (table[name] > 0.0))]
            if bad.size:
                raise InputError(f"{name} must be finite and positive; found {bad[0]}")
        front = pareto_front(table[INTERACTIVITY], table[THROUGHPUT])
        return cls(MappingProxyType({name: _read_only(values[front]) for name, values in table.items()}), rule)

    @property
    def band(self) -> tuple[float, float]:
        """Lowest and highest interactivity of the front, in tok/s/user."""
        x = self.columns[INTERACTIVITY]
        return float(x[0]), float(x[-1])

    def curve(self, metric: str, interactivity: ArrayLike) -> FloatArray:
        """The metric at each interactivity (tok/s/user), in the metric's own unit; NaN outside the band.

        Raises:
            InputError: the frontier has no such metric.
        """
        if metric not in self.columns:
            raise unknown_name("metric", metric, self.columns)
        if self.rule == "derived" and metric in DERIVED:
            source, power = DERIVED[metric]
            constant = self._constant(metric, source, power)
            if constant is not None:
                return constant * self.curve(source, interactivity) ** power
        return monotone_spline(self.columns[INTERACTIVITY], self.columns[metric], interactivity)

    def _constant(self, metric: str, source: str, power: int) -> float | None:
        """What a metric is times a power of the throughput, or None where the points do not agree on it."""
        if source not in self.columns:
            return None
        constants = self.columns[metric] / self.columns[source] ** power
        low, high = float(np.min(constants)), float(np.max(constants))
        return float(constants[0]) if 0.0 < high <= low * (1.0 + SAME_CONSTANT) else None

    def at(self, interactivity: float) -> dict[str, float]:
        """Every metric at one interactivity (tok/s/user), itself included; metrics are NaN outside the band."""
        place = float(interactivity)
        if place not in self._read:
            self._read[place] = {
                name: place if name == INTERACTIVITY else float(self.curve(name, place)) for name in self.columns
            }
        return dict(self._read[place])


def _numbers(name: str, values: ArrayLike) -> FloatArray:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"column {name} must be numeric: {error}") from error
    if array.ndim != 1:
        raise InputError(f"column {name} must be 1-d; found shape {array.shape}")
    return array


def _read_only(values: FloatArray) -> FloatArray:
    values.flags.writeable = False
    return values
