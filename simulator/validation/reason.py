"""Why a row or a curve is not clean: one reason, with its numbers and the rows it concerns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from simulator.validation.consistency import Severity

Verdict = Literal["clean", "note", "unchecked", "suspicious", "impossible"]
Place = tuple[str, int]
"""File and line of a row."""

VERDICTS: tuple[Verdict, ...] = ("clean", "note", "unchecked", "suspicious", "impossible")
"""From the best to the worst. ``unchecked``: nothing was found, but no profile says what to expect of the row."""
RANK: Mapping[str, int] = {verdict: i for i, verdict in enumerate(VERDICTS)}

METRIC_WORDS = {
    "total_tok_s_gpu": ("throughput", "tok/s/GPU"),
    "mean_tpot_ms": ("mean TPOT", "ms"),
    "median_tpot_ms": ("median TPOT", "ms"),
    "mean_ttft_ms": ("mean TTFT", "ms"),
    "median_ttft_ms": ("median TTFT", "ms"),
    "p99_ttft_ms": ("p99 TTFT", "ms"),
}
"""Metric -> its name and unit in a sentence."""


@dataclass(frozen=True)
class Reason:
    """Something that does not add up.

    Attributes:
        severity: ``impossible`` (by arithmetic or physics), ``suspicious`` (honest rows rarely look so), ``note``.
        kind: stable name of the check, such as ``above_roof``.
        message: the reason in words, with the numbers.
        places: the rows it concerns; of one row, or of a whole curve.
        data: the numbers by name, the unit in the name.
    """

    severity: Severity
    kind: str
    message: str
    places: tuple[Place, ...]
    data: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def as_dict(self, place: Place | None = None) -> dict[str, Any]:
        """For JSON; ``places`` become ``{"file", "line"}``.

        Args:
            place: the row that it is told of; then only that place is named, and how many rows it concerns.
        """
        if place is not None:
            return {
                "severity": self.severity,
                "kind": self.kind,
                "message": self.message,
                "places": [{"file": place[0], "line": place[1]}],
                "rows": len(self.places),
                "data": dict(self.data),
            }
        return {
            "severity": self.severity,
            "kind": self.kind,
            "message": self.message,
            "places": [{"file": file, "line": line} for file, line in self.places],
            "data": dict(self.data),
        }


def number(value: float, digits: int = 3) -> str:
    """A number to so many significant digits, never in powers of ten.

    Example:
        >>> number(12345.6, 4), number(0.01234, 3), number(9.1, 4)
        ('12346', '0.0123', '9.1')
    """
    places = max(0, digits - 1 - math.floor(math.log10(abs(value)))) if value else 0
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def quantity(metric: str, value: float) -> str:
    """A value with its name and unit.

    Example:
        >>> quantity("mean_tpot_ms", 9.1)
        'mean TPOT 9.1 ms'
    """
    name, unit = METRIC_WORDS[metric]
    return f"{name} {number(value, 4)} {unit}"
