"""Promises that nothing keeps, and the nearest possible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from simulator.planning.options import Option
from simulator.planning.trials import Outcome
from simulator.traffic.promises import Promise
from simulator.units import KILO


@dataclass(frozen=True)
class Impossible:
    """A promise that no option keeps even for one request alone.

    ``over``: part by which the nearest possible value is above the limit. ``nearest_with``: the option that has it.
    """

    promise: str
    limit_ms: float
    nearest_ms: float
    over: float
    nearest_with: str

    def as_row(self) -> dict[str, Any]:
        """One column per field."""
        return dict(vars(self))


def impossible_promises(lone: Sequence[tuple[Option, Outcome]], promises: Sequence[Promise]) -> list[Impossible]:
    """Each promise that no option keeps even for one request alone, with the nearest possible; else the nearest.

    Args:
        lone: options, each with its trial of one request alone; at least one.
        promises: as in the trials.
    """
    found = []
    for i, promise in enumerate(promises):
        option, outcome = min(lone, key=lambda pair: (pair[1].reached[i], pair[0].family))
        if outcome.reached[i] > promise.limit:
            found.append(_impossible(promise, outcome.reached[i], option))
    if found:
        return found
    option, outcome = min(lone, key=lambda pair: (pair[1].worst(promises), pair[0].family))
    return [_impossible(p, r, option) for p, r in zip(promises, outcome.reached, strict=True) if r > p.limit]


def _impossible(promise: Promise, reached: float, option: Option) -> Impossible:
    over = reached / promise.limit - 1.0
    return Impossible(promise.name, promise.limit * KILO, reached * KILO, over, option.family)
