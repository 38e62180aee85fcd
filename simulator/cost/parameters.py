"""The table of fitted parameters: prior, bounds, unit, meaning and source, declared once in ``parameters.yaml``.

A prior is where a calibration starts from; a calibration replaces some values and leaves the rest at their priors. The
table's own priors are generic; those of an accelerator are a table of the same parameters with other values and spreads
(:mod:`simulator.cost.priors`), which functions here take as ``known``.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.errors import InputError, unknown_name
from simulator.facts.reading import parse_mapping


@dataclass(frozen=True)
class Parameter:
    """One parameter of the cost model. ``sd`` is in log units when ``scale`` is ``log``, else in the unit itself.

    ``fitted`` is false for what a kernel measurement settles better than any end-to-end run could. Priors of one
    ``family`` are correlated by :data:`FAMILY_CORRELATION`: the same kind of kernel, measured on the same bench.
    """

    name: str
    value: float
    unit: str
    scale: str
    sd: float
    low: float
    high: float
    meaning: str
    source: str
    fitted: bool = True
    family: str = ""

    def to_internal(self, value: float) -> float:
        """The coordinate in which the prior is normal and every number lies within the bounds.

        The logit of where the value (its logarithm, where ``scale`` is ``log``) stands between the bounds, shifted and
        scaled so that at the prior it equals the value (its logarithm), and that ``sd`` away from the nearer bound is
        one standard deviation away: beside a bound the other side has all the room. Kept finite at the bounds.
        """
        return self._origin + self._pace * _logit(self.share(value))

    def from_internal(self, x: float) -> float:
        """The inverse of :meth:`to_internal`; within the bounds whatever ``x`` is."""
        low, high = self._ends
        place = (x - self._origin) / self._pace
        share = 1.0 / (1.0 + math.exp(-place)) if place > -FAR else 0.0
        found = low + share * (high - low)
        return min(max(math.exp(found) if self.scale == "log" else found, self.low), self.high)

    def beyond(self, value: float) -> str | None:
        """What is wrong with a value outside the bounds; None if it is inside."""
        if self.low <= value <= self.high:
            return None
        return f"expected a number in [{self.low:g}, {self.high:g}] {self.unit}, found {value:g}"

    def share(self, value: float) -> float:
        """Where a value stands between the bounds, 0 to 1, on the parameter's scale."""
        low, high = self._ends
        return (self._plain(value) - low) / (high - low)

    def at_bound(self, value: float) -> str | None:
        """``lower`` or ``upper`` if a value is within :data:`ON_BOUND` of that bound, else None.

        Example:
            >>> registry()["routing.correlation"].at_bound(0.979), registry()["routing.correlation"].at_bound(0.5)
            ('upper', None)
        """
        share = self.share(value)
        if share < ON_BOUND:
            return "lower"
        return "upper" if share > 1.0 - ON_BOUND else None

    def _plain(self, value: float) -> float:
        return math.log(value) if self.scale == "log" else value

    @functools.cached_property
    def _ends(self) -> tuple[float, float]:
        return self._plain(self.low), self._plain(self.high)

    @functools.cached_property
    def _pace(self) -> float:
        share, step = self.share(self.value), self.sd / (self._ends[1] - self._ends[0])
        away = share - step if share > 0.5 else share + step
        return self.sd / abs(_logit(share) - _logit(away))

    @functools.cached_property
    def _origin(self) -> float:
        return self._plain(self.value) - self._pace * _logit(self.share(self.value))


ON_BOUND = 0.01
"""A value this part of the range from a bound counts as on it: the data would have it beyond."""
FAR = 700.0
"""Coordinates so many paces below the middle are at the lower bound: the exponential would overflow."""
EDGE = 1e-6
"""Coordinates stay finite by keeping this part of the range from a bound."""


def _logit(share: float) -> float:
    inside = min(max(share, EDGE), 1.0 - EDGE)
    return math.log(inside / (1.0 - inside))


Known = Mapping[str, Parameter]
"""Parameters by name, with the priors of some hardware."""


@functools.cache
def registry() -> dict[str, Parameter]:
    """All parameters by name with their generic priors, in the order of the file."""
    raw = parse_mapping(resources.files("simulator").joinpath("cost", "parameters.yaml"), "parameters.yaml")
    return {name: Parameter(name=name, **fields) for name, fields in raw.items()}


NO_SUCH = "no such parameter; mtpsim profiles parameters lists them"
FAMILY_CORRELATION = 0.8


def prior_covariance(names: Sequence[str], known: Known | None = None) -> NDArray[np.float64]:
    """Prior covariance of parameters in internal coordinates, shape (len(names), len(names))."""
    known = registry() if known is None else known
    chosen = [known[n] for n in names]
    same = np.array([[a.family != "" and a.family == b.family for b in chosen] for a in chosen])
    correlation = np.where(same, FAMILY_CORRELATION, 0.0)
    np.fill_diagonal(correlation, 1.0)
    sd = np.array([p.sd for p in chosen])
    return correlation * np.outer(sd, sd)


@functools.cache
def priors() -> Mapping[str, float]:
    """The generic prior value of every parameter."""
    return values_of(registry())


def values_of(known: Known) -> dict[str, float]:
    """The prior value of every parameter of a table."""
    return {name: float(p.value) for name, p in known.items()}


def with_values(overrides: Mapping[str, Any], label: str, table: Known | None = None) -> dict[str, float]:
    """Priors with some values replaced.

    Raises:
        InputError: an unknown parameter, or a value outside its bounds.
    """
    table = registry() if table is None else table
    values = values_of(table)
    for name, value in overrides.items():
        if name not in values:
            raise unknown_name(f"parameter in {label}", name, values)
        known = table[name]
        if isinstance(value, bool) or not isinstance(value, int | float) or not known.low <= value <= known.high:
            raise InputError(
                f"{label}: {name}: expected a number in [{known.low}, {known.high}] {known.unit}, found {value!r}"
            )
        values[name] = float(value)
    return values


def on_bounds(values: Mapping[str, float]) -> list[str]:
    """A sentence on every parameter that a fit pushed to a bound, where the value says less than its error claims.

    Example:
        >>> on_bounds({"routing.correlation": 0.98, "routing.skew": 1.0})
        ['routing.correlation is on its upper bound, 0.98 fraction: the data would have it beyond']
    """
    out = []
    for name, value in values.items():
        p = registry()[name]
        if (side := p.at_bound(value)) is not None:
            bound = p.low if side == "lower" else p.high
            out.append(f"{name} is on its {side} bound, {bound:g} {p.unit}: the data would have it beyond")
    return out
