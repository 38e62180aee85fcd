"""How sure a winner is: what it reaches of each promise, with which probability, and what 95 % take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from simulator.planning.margin import Margin
from simulator.planning.trials import Outcome
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
class MoreReplicas:
    """Replicas and GPUs (with spares) with which all promises hold with 95 %, and by which part they are more.

    None: not even three times as many hold with 95 %.
    """

    margin: float | None
    replicas: int | None
    gpus: int | None

    def as_row(self) -> dict[str, Any]:
        """``margin_for_95_percent``, ``replicas_for_95_percent``, ``gpus_for_95_percent``."""
        return {
            "margin_for_95_percent": self.margin,
            "replicas_for_95_percent": self.replicas,
            "gpus_for_95_percent": self.gpus,
        }


@dataclass(frozen=True)
class MorePools:
    """As :class:`MoreReplicas`, of replicas that decode and replicas that prefill."""

    margin: float | None
    replicas: int | None
    prefill_replicas: int | None
    gpus: int | None

    def as_row(self) -> dict[str, Any]:
        """Those of :class:`MoreReplicas` and ``prefill_replicas_for_95_percent``."""
        return {
            "margin_for_95_percent": self.margin,
            "replicas_for_95_percent": self.replicas,
            "prefill_replicas_for_95_percent": self.prefill_replicas,
            "gpus_for_95_percent": self.gpus,
        }


@dataclass(frozen=True)
class LowerRate:
    """Requests/s at which the same fleet keeps all promises with 95 %, and by which part they are fewer.

    None: not even at a third of the rate.
    """

    margin: float | None
    rate_per_s: float | None

    def as_row(self) -> dict[str, Any]:
        """``margin_for_95_percent``, ``rate_for_95_percent``."""
        return {"margin_for_95_percent": self.margin, "rate_for_95_percent": self.rate_per_s}


@dataclass(frozen=True)
class Assurance:
    """What discrete events have confirmed, and the ``probability`` that all promises hold in spite of the calibration.

    ``for_95_percent``: what makes that probability 95 %.
    """

    promises: tuple[PromiseKept, ...]
    probability: float
    for_95_percent: MoreReplicas | MorePools | LowerRate

    def as_row(self) -> dict[str, Any]:
        """``promises`` (a list of rows), ``probability_all_hold``, those for 95 %, ``confirmed_by``."""
        return {
            "promises": [promise.as_row() for promise in self.promises],
            "probability_all_hold": self.probability,
            **self.for_95_percent.as_row(),
            "confirmed_by": CONFIRMED,
        }


def assurance(
    promises: Sequence[Promise], outcome: Outcome, margin: Margin, for_95_percent: MoreReplicas | MorePools | LowerRate
) -> Assurance:
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
    return Assurance(tuple(kept), margin.probability, for_95_percent)
