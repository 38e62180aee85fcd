"""One kind of replica, as an answer names it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from simulator.results.words import replica_name
from simulator.serving.scope import Verdict


@dataclass(frozen=True)
class ReplicaKind:
    """GPUs, expert-parallel ranks, draft depth and concurrency limit of one replica.

    ``acceptance``: probability per position that a draft is accepted, ``acceptance_length`` the tokens per round that
    follow. ``hit_rate``: part of the input that prefix caches hold. ``verdict``: where it stands to what the
    calibration was fitted to.
    """

    tp: int
    ep: int
    spec_tokens: int
    acceptance_length: float
    acceptance: tuple[float, ...]
    acceptance_source: str
    max_running: int
    verdict: Verdict
    hit_rate: float = 0.0

    @property
    def name(self) -> str:
        """What sets it apart but for the concurrency limit, such as ``TP4 MTP 3``."""
        return replica_name(self.tp, self.spec_tokens, self.ep)

    def as_row(self) -> dict[str, Any]:
        """One column per field, the name first."""
        return {
            "name": self.name,
            "tp": self.tp,
            "ep": self.ep,
            "spec_tokens": self.spec_tokens,
            "acceptance_length": self.acceptance_length,
            "acceptance": list(self.acceptance),
            "acceptance_source": self.acceptance_source,
            "max_running": self.max_running,
            **({"hit_rate_gpu": self.hit_rate} if self.hit_rate else {}),
            **self.verdict.as_row(),
        }
