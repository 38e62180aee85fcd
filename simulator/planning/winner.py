"""The winner of a plan: one fleet, or a pool that prefills and a pool that decodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from simulator.planning.assurance import Assurance
from simulator.planning.gamble import Gamble
from simulator.planning.replica_kind import ReplicaKind
from simulator.planning.sized_fleet import SizedFleet
from simulator.results.words import replica_name
from simulator.serving.fleet_cost import Cost
from simulator.serving.scope import POOLS, Verdict
from simulator.units import GIGA, KILO


@dataclass(frozen=True)
class Winner:
    """The fleet that keeps the promises with the least GPUs, or at the highest rate, with the confidence asked for.

    ``gamble``: what is cheaper but less sure, if anything is.
    """

    fleet: SizedFleet
    sure: Assurance
    gamble: Gamble | None = None

    @property
    def name(self) -> str:
        """Such as ``TP4 MTP 3``."""
        return self.fleet.kind.name

    @property
    def kind(self) -> ReplicaKind:
        """What one replica is."""
        return self.fleet.kind

    @property
    def replicas(self) -> int:
        """Replicas, without spares."""
        return self.fleet.replicas

    @property
    def gpus(self) -> int:
        """GPUs in all, with spares."""
        return self.fleet.gpus

    @property
    def rate_per_s(self) -> float:
        """Requests/s that it serves."""
        return self.fleet.rate_per_s

    @property
    def cost(self) -> Cost:
        """What it costs, spares included."""
        return self.fleet.cost

    def as_row(self) -> dict[str, Any]:
        """Columns of the fleet, then how sure it is, and the ``gamble``."""
        return self.fleet.as_row() | self.sure.as_row() | _row_of(self.gamble)


@dataclass(frozen=True)
class Pool:
    """Equal replicas of one of two pools, without spares."""

    kind: ReplicaKind
    replicas: int

    @property
    def gpus(self) -> int:
        """GPUs of the pool."""
        return self.replicas * self.kind.tp


@dataclass(frozen=True)
class PoolWinner:
    """Disaggregated pools that keep the promises with fewer GPUs than any fleet. A spare is one replica of each pool.

    ``kv_bandwidth``: bytes/s per GPU between the pools. ``kv_transfer``: seconds that the caches of a mean prompt take.
    ``knee_per_s``: requests/s beyond which a queue grows, by the closed form.
    """

    prefill: Pool
    decode: Pool
    kv_bandwidth: float
    kv_transfer: float
    spare_replicas: int
    rate_per_s: float
    knee_per_s: float
    cost: Cost
    sure: Assurance
    gamble: Gamble | None = None

    @property
    def name(self) -> str:
        """Such as ``TP4 prefill + TP2 MTP 3 decode``."""
        return pools_name(self.prefill.kind, self.decode.kind)

    @property
    def kind(self) -> ReplicaKind:
        """What one replica is that decodes."""
        return self.decode.kind

    @property
    def verdict(self) -> Verdict:
        """Where such pools stand to what was measured."""
        return self.decode.kind.verdict.also(POOLS)

    @property
    def replicas(self) -> int:
        """Replicas that decode, without spares."""
        return self.decode.replicas

    @property
    def gpus(self) -> int:
        """GPUs of both pools, with spares."""
        spares = self.spare_replicas * (self.prefill.kind.tp + self.decode.kind.tp)
        return self.prefill.gpus + self.decode.gpus + spares

    @property
    def headroom_to_knee(self) -> float:
        """Part by which the rate may grow until the knee."""
        return self.knee_per_s / self.rate_per_s - 1.0

    def as_row(self) -> dict[str, Any]:
        """Columns of the replica that decodes, of both pools, how sure they are and their cost."""
        return {
            **self.decode.kind.as_row(),
            "name": self.name,
            "replicas": self.decode.replicas,
            "prefill_tp": self.prefill.kind.tp,
            "prefill_replicas": self.prefill.replicas,
            "prefill_max_running": self.prefill.kind.max_running,
            "kv_bandwidth_gb_s_per_gpu": self.kv_bandwidth / GIGA,
            "kv_transfer_ms": KILO * self.kv_transfer,
            "spare_replicas": self.spare_replicas,
            "gpus": self.gpus,
            "rate_per_s": self.rate_per_s,
            "knee_per_s": self.knee_per_s,
            "headroom_to_knee": self.headroom_to_knee,
            **self.sure.as_row(),
            **_row_of(self.gamble),
            **self.verdict.as_row(),
            **self.cost.as_row(),
        }


def _row_of(gamble: Gamble | None) -> dict[str, Any]:
    return {"gamble": None if gamble is None else gamble.as_row()}


def prefill_name(kind: ReplicaKind) -> str:
    """Such as ``TP4 prefill``: such a replica drafts nothing."""
    return f"{replica_name(kind.tp, None)} prefill"


def decode_name(kind: ReplicaKind) -> str:
    """Such as ``TP2 MTP 3 decode``."""
    return f"{kind.name} decode"


def pools_name(prefill: ReplicaKind, decode: ReplicaKind) -> str:
    """Such as ``TP4 prefill + TP2 MTP 3 decode``."""
    return f"{prefill_name(prefill)} + {decode_name(decode)}"
