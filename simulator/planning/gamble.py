"""The cheaper gamble beside a winner: what discrete events confirm too, but the calibration leaves less sure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from simulator.serving.scope import Verdict


@dataclass(frozen=True)
class Gamble:
    """Fewer GPUs, or a higher rate, that keep the promises as predicted, with the ``probability`` that they hold.

    ``verdict``: where it stands to what was measured. ``prefill_replicas``: of disaggregated pools, else None.
    """

    name: str
    replicas: int
    gpus: int
    rate_per_s: float
    usd_per_hour: float | None
    probability: float
    verdict: Verdict
    prefill_replicas: int | None = None

    def as_row(self) -> dict[str, Any]:
        """One column per field, the probability as ``probability_all_hold``."""
        row = dict(vars(self))
        del row["verdict"]
        row["probability_all_hold"] = row.pop("probability")
        return row | self.verdict.as_row()
