"""Why a row or a curve is not clean: one reason, with its numbers and the rows it concerns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from simulator.consistency import Severity

Verdict = Literal["clean", "note", "suspicious", "impossible"]
Place = tuple[str, int]
"""File and line of a row."""

RANK: Mapping[str, int] = {"clean": 0, "note": 1, "suspicious": 2, "impossible": 3}


@dataclass(frozen=True)
class Reason:
    """Something that does not add up.

    Attributes:
        severity: ``impossible`` (arithmetic or physics forbids it), ``suspicious`` (honest rows rarely look so) or ``note``.
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

    def as_dict(self) -> dict[str, Any]:
        """For JSON; ``places`` become ``{"file", "line"}``."""
        return {
            "severity": self.severity,
            "kind": self.kind,
            "message": self.message,
            "places": [{"file": file, "line": line} for file, line in self.places],
            "data": dict(self.data),
        }
