"""Numbers with units: what a YAML quantity must state, and the frozen base of all specifications.

A field is declared once: type, unit, meaning and bounds. The YAML validator, the error texts and ``mtpsim profiles``
all derive from these declarations. Values are SI (byte, second, FLOP/s, watt) unless the field name says otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationInfo

from simulator.units import to_si


@dataclass(frozen=True)
class Dimension:
    """What a number measures. YAML must state it as ``{value, unit, source}``; Python code passes the SI value."""

    name: str

    def parse(self, raw: Any, info: ValidationInfo) -> Any:
        """The SI value of a YAML quantity; anything else is passed on as it is."""
        if not (info.context or {}).get("yaml"):
            return raw
        if not isinstance(raw, dict):
            raise ValueError(f"expected {{value, unit, source}} with a unit of {self.name}, found {raw!r}")
        missing = [key for key in ("value", "unit", "source") if key not in raw]
        unknown = [key for key in raw if key not in ("value", "unit", "source", "note")]
        if missing or unknown:
            raise ValueError(f"expected keys value, unit, source (note optional); missing {missing}, unknown {unknown}")
        value = raw["value"]
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"value must be a number, found {value!r}")
        return to_si(float(value), str(raw["unit"]), self.name)


def _dimension(name: str) -> tuple[Dimension, BeforeValidator]:
    dimension = Dimension(name)
    return dimension, BeforeValidator(dimension.parse)


Bytes = Annotated[float, *_dimension("bytes")]


BytesPerSecond = Annotated[float, *_dimension("bytes/s")]


FlopsPerSecond = Annotated[float, *_dimension("FLOP/s")]


Watts = Annotated[float, *_dimension("watts")]


UsdPerHour = Annotated[float, *_dimension("USD/h")]


Fraction = Annotated[float, *_dimension("fraction")]


Count = Annotated[int, *_dimension("count")]


class Spec(BaseModel):
    """Base of all specifications: frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
