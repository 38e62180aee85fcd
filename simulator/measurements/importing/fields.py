"""Fields of one record: found by a dotted path, checked, converted, and noted as a fault where they cannot be true."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from simulator.bounds import parse_number
from simulator.errors import brief
from simulator.measurements.importing.taken import Record
from simulator.measurements.parsing import Faults
from simulator.units import KILO, SECONDS

LATENCY = {
    **{unit: seconds * KILO for unit, seconds in SECONDS.items()},
    "sec": KILO,
    "seconds": KILO,
    "milliseconds": 1.0,
    "ns": SECONDS["us"],
}
"""Unit as tools write it -> ms."""
MEAN_MEDIAN_P99 = ("mean", "median", "p99")


class Fields:
    """The values of one record of a file; what is wrong with them goes to ``faults``."""

    def __init__(self, found: Mapping[str, Any], record: Record, faults: Faults, place: str = "") -> None:
        """Read ``found`` into ``record``; ``place`` is what a message calls it, by default its number."""
        self.found, self.record, self.faults = found, record, faults
        self.place = place or f"record {record.number}"

    def get(self, path: str) -> Any:
        """What stands at a path of keys and places in lists; None if nothing does."""
        value: Any = self.found
        for key in path.split("."):
            if isinstance(value, Mapping):
                value = value.get(key)
            elif isinstance(value, list) and key.isdigit() and int(key) < len(value):
                value = value[int(key)]
            else:
                return None
        return value

    def first(self, *paths: str) -> str | None:
        """The first of several paths at which something stands."""
        return next((path for path in paths if self.get(path) not in (None, "")), None)

    def fault(self, path: str, what: str) -> None:
        """Note what is wrong with a field."""
        self.faults.add(f"{self.place}, key {path!r}: {what}")

    def number(self, path: str | None, *, zero: bool = False, infinite: bool = False) -> float | None:
        """A number, or None where there is none or a faulty one.

        Args:
            path: of the field; None: there is none.
            zero: nought is a value too.
            infinite: infinity is one.
        """
        value = None if path is None else self.get(path)
        if path is None or value is None or value == "":
            return None
        expected = f"a {'finite ' if not infinite else ''}number {'>=' if zero else '>'} 0"
        try:
            if isinstance(value, str):
                text = value.strip()
                found = math.inf if infinite and text.lower() in ("inf", "infinity") else parse_number(text)
            elif isinstance(value, bool) or not isinstance(value, int | float):
                raise ValueError
            else:
                found = float(value)
        except (ValueError, OverflowError):
            self.fault(path, f"found {brief(value)}, expected {expected}")
            return None
        if math.isnan(found) or (math.isinf(found) and not infinite) or found < 0 or (found == 0 and not zero):
            self.fault(path, f"found {_shown(value)}, expected {expected}")
            return None
        return found

    def count(self, path: str | None, *, zero: bool = False) -> int | None:
        """A whole number."""
        found = self.number(path, zero=zero)
        if found is None or path is None:
            return None
        if found != int(found):
            self.fault(path, f"found {found:g}, expected a whole number")
            return None
        return int(found)

    def text(self, path: str | None) -> str | None:
        """A text that is not blank; numbers and truths as text."""
        value = None if path is None else self.get(path)
        if isinstance(value, list) and value and isinstance(value[0], str):
            value = value[0]
        if value is None or isinstance(value, Mapping | list):
            return None
        return ("false", "true")[value] if isinstance(value, bool) else str(value).strip() or None

    def numbers(self, path: str) -> list[float] | None:
        """A list of numbers from nought up, one per request; None where there is none."""
        found = self.get(path)
        if not isinstance(found, Sequence) or isinstance(found, str) or not found:
            return None
        for i, value in enumerate(found):
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
                self.fault(f"{path}[{i}]", f"found {_shown(value)}, expected a finite number >= 0")
                return None
        return [float(value) for value in found]

    def take(self, column: str, *paths: str, definition: str = "as it stands", weak: bool = False) -> None:
        """Take a text, from the first path that has one."""
        path = self.first(*paths)
        if path is not None:
            self.record.put(column, self.text(path), path, definition=definition, weak=weak)

    def take_count(self, column: str, *paths: str, definition: str = "as it stands", zero: bool = False) -> None:
        """Take a whole number."""
        path = self.first(*paths)
        if path is not None:
            self.record.put(column, self.count(path, zero=zero), path, definition=definition)

    def take_number(self, column: str, *paths: str, unit: str = "", definition: str = "as it stands") -> None:
        """Take a number that needs no conversion."""
        path = self.first(*paths)
        if path is not None:
            self.record.put(column, self.number(path), path, unit, definition)

    def take_latency(self, column: str, *paths: str, unit: str, definition: str, zero: bool = False) -> None:
        """Take a latency into ms.

        Args:
            column: of ours, in ms.
            paths: the first that has a value counts.
            unit: of the field; one of :data:`LATENCY`.
            definition: what it is.
            zero: nought means that there is none, and not a fault.
        """
        path = self.first(*paths)
        if path is None:
            return
        value = self.number(path, zero=zero)
        if not value:
            return
        if unit not in LATENCY:
            self.fault(path, f"unit {brief(unit)}, expected one of {', '.join(LATENCY)}")
            return
        scale = LATENCY[unit]
        how = definition if scale == 1.0 else f"{definition}; x {scale:g} to ms"
        self.record.put(column, value * scale, path, unit, how)

    def latencies(
        self, name: str, patterns: Mapping[str, Sequence[str]], unit: str, definition: str, *, zero: bool = False
    ) -> None:
        """Take statistics of one latency: ``mean_NAME_ms`` and so on.

        Args:
            name: ``ttft``, ``tpot``, ``itl`` or ``e2e``.
            patterns: statistic -> paths.
            unit: of all of them.
            definition: what it is.
            zero: nought means that there is none.
        """
        for statistic, paths in patterns.items():
            self.take_latency(f"{statistic}_{name}_ms", *paths, unit=unit, definition=definition, zero=zero)


def _shown(value: Any) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return brief(value)
