"""The table of fitted parameters: prior, bounds, unit, meaning and source, declared once in ``parameters.yaml``.

A prior is where a calibration starts from; a calibration replaces some values and leaves the rest at their priors.
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
        """The coordinate in which the prior is normal: log(value) or the value itself."""
        return math.log(value) if self.scale == "log" else value

    def from_internal(self, x: float) -> float:
        """The inverse of :meth:`to_internal`, kept within the bounds."""
        value = math.exp(x) if self.scale == "log" else x
        return min(max(value, self.low), self.high)


@functools.cache
def registry() -> dict[str, Parameter]:
    """All parameters by name, in the order of the file."""
    raw = parse_mapping(resources.files("simulator").joinpath("cost", "parameters.yaml"), "parameters.yaml")
    return {name: Parameter(name=name, **fields) for name, fields in raw.items()}


FAMILY_CORRELATION = 0.8


def prior_covariance(names: Sequence[str]) -> NDArray[np.float64]:
    """Prior covariance of parameters in internal coordinates, shape (len(names), len(names))."""
    chosen = [registry()[n] for n in names]
    same = np.array([[a.family != "" and a.family == b.family for b in chosen] for a in chosen])
    correlation = np.where(same, FAMILY_CORRELATION, 0.0)
    np.fill_diagonal(correlation, 1.0)
    sd = np.array([p.sd for p in chosen])
    return correlation * np.outer(sd, sd)


@functools.cache
def priors() -> Mapping[str, float]:
    """The prior value of every parameter."""
    return {name: float(p.value) for name, p in registry().items()}


def with_values(overrides: Mapping[str, Any], label: str) -> dict[str, float]:
    """Priors with some values replaced.

    Raises:
        InputError: an unknown parameter, or a value outside its bounds.
    """
    values = dict(priors())
    for name, value in overrides.items():
        if name not in values:
            raise unknown_name(f"parameter in {label}", name, values)
        known = registry()[name]
        if isinstance(value, bool) or not isinstance(value, int | float) or not known.low <= value <= known.high:
            raise InputError(
                f"{label}: {name}: expected a number in [{known.low}, {known.high}] {known.unit}, found {value!r}"
            )
        values[name] = float(value)
    return values
