"""The frontier of a winner: its latencies over the rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from simulator.planning.options import Option
from simulator.planning.trials import Trials
from simulator.units import KILO

FRONTIER = (0.2, 0.4, 0.6, 0.8, 0.9, 1.0, 1.1)
"""Rates of the frontier, as parts of the highest that keeps the promises."""


@dataclass(frozen=True)
class FrontierPoint:
    """What one trial at ``rate_per_s`` reached: ms by the name of the promise, infinite if saturated."""

    rate_per_s: float
    state: str
    reached_ms: Mapping[str, float]
    kept: bool

    def as_row(self) -> dict[str, Any]:
        """``rate_per_s``, ``state``, one column per promise such as ``tpot-p95_ms``, ``kept``."""
        reached = {f"{name}_ms": value for name, value in self.reached_ms.items()}
        return {"rate_per_s": self.rate_per_s, "state": self.state, **reached, "kept": self.kept}


def frontier(option: Option, replicas: int, rate: float, trials: Trials) -> list[FrontierPoint]:
    """Trials of a fleet at parts of ``rate`` requests/s, and a little beyond it."""
    points = []
    for part in FRONTIER:
        outcome = trials.run(option, replicas, part * rate)
        reached = {p.name: r * KILO for p, r in zip(trials.promises, outcome.reached, strict=True)}
        points.append(FrontierPoint(part * rate, outcome.state, reached, outcome.kept(trials.promises)))
    return points
