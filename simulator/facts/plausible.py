"""The range in which a number of a profile is plausible, declared beside the number, and the check against it.

Wide: from the smallest accelerator or model that anybody serves with to several generations ahead. What lies outside is
nearly always a slip of a unit, so it is refused until someone insists. Zero, where a field allows it, means none.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from simulator.units import DIMENSIONS


@dataclass(frozen=True)
class Plausible:
    """Marks a field: ``Annotated[Bytes, Plausible(8, 2_000, "GB")]``.

    Attributes:
        low: least plausible value, in ``unit``.
        high: greatest plausible value, in ``unit``.
        unit: of both; empty for a number that stands without one.
    """

    low: float
    high: float
    unit: str = ""

    @property
    def factor(self) -> float:
        """From ``unit`` to the value that the field holds."""
        return _FACTORS[self.unit] if self.unit else 1.0

    def holds(self, value: float) -> bool:
        """Whether a value of the field, in SI, is plausible."""
        # a file may state a bound in another unit, so the last digits of a conversion do not decide
        slack = 1e-9
        return value == 0 or self.low * self.factor * (1 - slack) <= value <= self.high * self.factor * (1 + slack)

    def sentence(self, value: float, unit: str = "") -> str:
        """What was found and what would be plausible, in ``unit``, that of the file."""
        scale = _FACTORS.get(unit, self.factor)
        shown = unit if unit in _FACTORS else self.unit
        low, high, found = (_plain(x / scale) for x in (self.low * self.factor, self.high * self.factor, value))
        tail = "" if shown in ("", "count", "fraction") else f" {shown}"
        return (
            f"{found}{tail} is implausible; expected {low} to {high}{tail}, or --allow-implausible, which takes it as "
            "it is"
        )


_FACTORS = {unit: factor for units in DIMENSIONS.values() for unit, factor in units.items()}


def _plain(x: float) -> str:
    return f"{x:,.6g}" if 1e-4 <= abs(x) < 1e6 or x == 0 else f"{x:,.0f}" if 1e6 <= abs(x) < 1e12 else f"{x:g}"


def implausible(spec: BaseModel, raw: Any) -> list[tuple[tuple[Any, ...], str]]:
    """Every number of a specification, and of those inside it, that is outside its plausible range.

    Args:
        spec: validated.
        raw: what it was read from, for the units of the file.

    Returns:
        Key path and sentence of each.
    """
    return list(_walk(spec, raw, ()))


def _walk(node: Any, raw: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], str]]:
    if isinstance(node, BaseModel):
        for name, range_ in _fields(type(node)):
            value, below = getattr(node, name), raw.get(name) if isinstance(raw, Mapping) else None
            if value is None:
                continue
            if range_ is None:
                yield from _walk(value, below, (*path, name))
            else:
                yield from _numbers(range_, value, below, (*path, name))
    elif isinstance(node, Mapping):
        for key, value in node.items():
            yield from _walk(value, raw.get(key) if isinstance(raw, Mapping) else None, (*path, key))
    elif isinstance(node, list | tuple):
        for i, value in enumerate(node):
            yield from _walk(value, raw[i] if isinstance(raw, list) and i < len(raw) else None, (*path, i))


def _numbers(range_: Plausible, value: Any, raw: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], str]]:
    if isinstance(value, Mapping | list):
        entries = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, one in entries:
            if not range_.holds(one):
                yield (*path, key), range_.sentence(one)
    elif not range_.holds(value):
        unit = str(raw.get("unit", "")) if isinstance(raw, Mapping) else ""
        yield path, range_.sentence(value, unit)


@functools.cache
def _fields(kind: type[BaseModel]) -> tuple[tuple[str, Plausible | None], ...]:
    """The fields to look at: those with a range, and those that may hold further specifications."""
    out: list[tuple[str, Plausible | None]] = []
    for name, field in kind.model_fields.items():
        ranges = [mark for mark in field.metadata if isinstance(mark, Plausible)]
        out.append((name, ranges[0] if ranges else None))
    return tuple(out)
