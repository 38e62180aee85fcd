"""Numbers with units: what a YAML quantity must state, and the frozen base of all specifications.

A field is declared once: type, unit, meaning and bounds. The YAML validator, the error texts and ``mtpsim profiles``
all derive from these declarations. Values are SI (byte, second, FLOP/s, watt) unless the field name says otherwise."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

from simulator.errors import brief
from simulator.units import DIMENSIONS, to_si

MOST = 1_000_000_000
"""No count is larger: products of a few still fit what numbers are computed with, whatever range is plausible."""
COMPUTABLE = 1e-9, 1e24
"""Range of any quantity in SI units, but for zero: sums and squares of what follows from it stay finite."""


@dataclass(frozen=True)
class Dimension:
    """What a number measures. YAML must state it as ``{value, unit, source}``; Python code passes the SI value."""

    name: str

    def parse(self, raw: Any, info: ValidationInfo) -> Any:
        """The SI value of a YAML quantity; anything else is passed on as it is."""
        if not (info.context or {}).get("yaml"):
            return raw
        if not isinstance(raw, dict):
            raise ValueError(f"expected {{value, unit, source}} with a unit of {self.name}, found {brief(raw)}")
        missing = [key for key in ("value", "unit", "source") if key not in raw]
        unknown = [key for key in raw if key not in ("value", "unit", "source", "note")]
        if missing or unknown:
            raise ValueError(f"expected keys value, unit, source (note optional); missing {missing}, unknown {unknown}")
        value = raw["value"]
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"value must be a number, found {brief(value)}")
        if abs(value) > COMPUTABLE[1] or not math.isfinite(value):
            raise ValueError(f"value must be a finite number up to {COMPUTABLE[1]:g}, found {brief(value)}")
        found = to_si(float(value), brief(raw["unit"]).strip("'"), self.name)
        if value and not COMPUTABLE[0] <= abs(found) <= COMPUTABLE[1]:
            low, high = COMPUTABLE
            raise ValueError(f"{value:g} {raw['unit']} cannot be computed with; expected {low:g} to {high:g} {self.si}")
        return int(found) if self.name == "count" and found.is_integer() else found

    @property
    def si(self) -> str:
        """The SI unit, in which values are kept."""
        return next(unit for unit, factor in DIMENSIONS[self.name].items() if factor == 1.0)


def _dimension(name: str) -> tuple[Dimension, BeforeValidator]:
    dimension = Dimension(name)
    return dimension, BeforeValidator(dimension.parse)


Bytes = Annotated[float, *_dimension("bytes")]


BytesPerSecond = Annotated[float, *_dimension("bytes/s")]


FlopsPerSecond = Annotated[float, *_dimension("FLOP/s")]


Watts = Annotated[float, *_dimension("watts")]


UsdPerHour = Annotated[float, *_dimension("USD/h")]


Fraction = Annotated[float, *_dimension("fraction")]


Count = Annotated[int, *_dimension("count"), Field(le=MOST)]


Whole = Annotated[int, Field(le=MOST)]
"""A whole number that stands alone; where it begins is for the field to say."""


def _computable(value: float) -> float:
    if abs(value) > COMPUTABLE[1]:
        raise ValueError(f"expected a number up to {COMPUTABLE[1]:g}, found {value:g}")
    return value


# no bounds of pydantic, which would take the place of a field's own
Finite = Annotated[float, AfterValidator(_computable)]
"""A number that stands alone."""


class Spec(BaseModel):
    """Base of all specifications: frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy without what was computed from the fields."""
        copy = super().model_copy(update=update, deep=deep)
        for name in copy.__dict__.keys() - type(copy).model_fields.keys():
            del copy.__dict__[name]
        return copy
