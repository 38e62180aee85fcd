"""How sure a winner is: what it reaches of each promise, with which probability, and with which it was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from simulator.planning.trials import Outcome
from simulator.prediction.odds import Margin
from simulator.traffic.promises import Promise
from simulator.units import KILO

CONFIRMED = "discrete events, ten more seeds"
"""What every winner has passed."""


@dataclass(frozen=True)
class PromiseKept:
    """One promise and what the winner reaches of it, ms, with the 90 % interval; ``probability`` that it holds."""

    promise: str
    limit_ms: float
    reached_ms: float
    kept: bool
    reached_ms_lo: float
    reached_ms_hi: float
    probability: float

    def as_row(self) -> dict[str, Any]:
        """One column per field."""
        return dict(vars(self))


@dataclass(frozen=True)
class Assurance:
    """What discrete events have confirmed, and the ``probability`` that all promises hold in spite of the calibration.

    ``confidence``: the probability that was asked for.
    """

    promises: tuple[PromiseKept, ...]
    probability: float
    confidence: float

    @property
    def confident(self) -> bool:
        """Whether the promises hold with the confidence asked for."""
        return self.probability >= self.confidence

    def as_row(self) -> dict[str, Any]:
        """``promises`` (a list of rows), ``probability_all_hold``, ``confidence``, ``confirmed_by``."""
        return {
            "promises": [promise.as_row() for promise in self.promises],
            "probability_all_hold": self.probability,
            "confidence": self.confidence,
            "confirmed_by": CONFIRMED,
        }


def assurance(promises: Sequence[Promise], outcome: Outcome, margin: Margin, confidence: float) -> Assurance:
    """The promises as one trial reached them, with the intervals and probabilities of the margin."""
    kept = [
        PromiseKept(
            promise=promise.name,
            limit_ms=promise.limit * KILO,
            reached_ms=reached * KILO,
            kept=reached <= promise.limit,
            reached_ms_lo=low * KILO,
            reached_ms_hi=high * KILO,
            probability=probability,
        )
        for promise, reached, (low, high), probability in zip(
            promises, outcome.reached, margin.intervals, margin.each, strict=True
        )
    ]
    return Assurance(tuple(kept), margin.probability, confidence)
