"""The options that did not win, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from simulator.planning.assurance import Assurance
from simulator.planning.replica_kind import ReplicaKind
from simulator.planning.sized_fleet import SizedFleet
from simulator.planning.trials import Outcome
from simulator.results.words import METHODS
from simulator.serving.saturation import SATURATED, TOO_SHORT
from simulator.traffic.promises import Promise

CLOSED_FORM, DISCRETE_EVENTS = METHODS["closed-form"], METHODS["des"]
"""What settled the size of an option."""


@dataclass(frozen=True)
class RunnerUp:
    """An option that did not win: ``fails`` says on what.

    ``fleet`` and ``method`` (what settled its size): None if no number of replicas keeps the promises.
    ``sure``: of the fleet that had won until pools needed fewer GPUs, else None.
    """

    kind: ReplicaKind
    fails: str
    fleet: SizedFleet | None = None
    method: str | None = None
    sure: Assurance | None = None

    @property
    def name(self) -> str:
        """Such as ``TP4 MTP 3``."""
        return self.kind.name

    @property
    def replicas(self) -> int | None:
        """Replicas, without spares."""
        return None if self.fleet is None else self.fleet.replicas

    @property
    def gpus(self) -> int | None:
        """GPUs in all, with spares."""
        return None if self.fleet is None else self.fleet.gpus

    @property
    def rate_per_s(self) -> float | None:
        """Requests/s that it serves."""
        return None if self.fleet is None else self.fleet.rate_per_s

    def as_row(self) -> dict[str, Any]:
        """Columns of the fleet, ``method`` and ``fails``; of a kind without a fleet no method."""
        if self.fleet is None:
            return self.kind.as_row() | {"replicas": None, "gpus": None, "fails": self.fails}
        sure = {} if self.sure is None else self.sure.as_row()
        return self.fleet.as_row() | sure | {"method": self.method, "fails": self.fails}


def hopeless(kind: ReplicaKind, alone: Outcome, promises: Sequence[Promise]) -> RunnerUp:
    """A kind of replica that does not keep the promises even with one request alone."""
    return RunnerUp(kind, failing(alone, promises, "even one request alone"))


def failing(outcome: Outcome, promises: Sequence[Promise], where: str) -> str:
    """Which promises a trial broke, and by how much."""
    if outcome.state in (SATURATED, TOO_SHORT):
        return f"{where}: {outcome.state}"
    broken = [
        f"{p.name} {100 * (r / p.limit - 1):.0f} % over"
        for p, r in zip(promises, outcome.reached, strict=True)
        if r > p.limit
    ]
    return f"{where}: {', '.join(broken) or 'nothing in this trial'}"
