"""An option with its size, headroom and price."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from simulator.planning.options import Option
from simulator.planning.replica_kind import ReplicaKind
from simulator.serving.fleet_cost import Cost, fleet_cost


@dataclass(frozen=True)
class SizedFleet:
    """Equal replicas for ``rate_per_s`` requests/s. Spare replicas cost, but the latencies are without them.

    ``knee_per_s``: requests/s beyond which the queue of all replicas grows, by the closed form.
    """

    kind: ReplicaKind
    replicas: int
    spare_replicas: int
    rate_per_s: float
    knee_per_s: float
    cost: Cost

    @property
    def gpus(self) -> int:
        """GPUs in all, with spares."""
        return (self.replicas + self.spare_replicas) * self.kind.tp

    @property
    def headroom_to_knee(self) -> float:
        """Part by which the rate may grow until the knee."""
        return self.knee_per_s / self.rate_per_s - 1.0

    def as_row(self) -> dict[str, Any]:
        """Columns of the kind of replica, the size and the cost."""
        return {
            **self.kind.as_row(),
            "replicas": self.replicas,
            "spare_replicas": self.spare_replicas,
            "gpus": self.gpus,
            "rate_per_s": self.rate_per_s,
            "knee_per_s": self.knee_per_s,
            "headroom_to_knee": self.headroom_to_knee,
            **self.cost.as_row(),
        }


def sized(option: Option, replicas: int, spare: int, rate: float, cost_basis: str) -> SizedFleet:
    """So many replicas of an option, and ``spare`` more, for ``rate`` requests/s in all."""
    gpus = (replicas + spare) * option.gpus
    cost = fleet_cost(option.scenario.deployment.hardware, cost_basis, gpus, rate * option.tokens)
    return SizedFleet(option.kind, replicas, spare, rate, option.capacity * replicas, cost)
