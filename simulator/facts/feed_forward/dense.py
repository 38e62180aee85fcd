"""A dense feed-forward: two matrices, or three with a gate."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from simulator.facts.feed_forward.base import FeedForwardShape
from simulator.facts.shapes import Width, undivided


class Dense(FeedForwardShape):
    """One feed-forward for all tokens.

    Source of the gated form: Shazeer, GLU Variants Improve Transformer, arXiv 2002.05202.
    """

    kind: Literal["dense"] = "dense"
    intermediate: Width = Field(gt=0)
    gated: bool = Field(default=True, description="a gate beside the up projection: three matrices rather than two")

    @property
    def inputs(self) -> int:
        """Matrices that take the hidden vector: up, and gate where there is one."""
        return 2 if self.gated else 1

    def parameters(self, hidden: int) -> dict[str, int]:
        """Parameters of up (with its gate) and down projection."""
        return {"dense": (self.inputs + 1) * hidden * self.intermediate}

    def share_per_gpu(self, hidden: int, ranks: int) -> dict[str, float]:
        """An equal part: the intermediate channels are sharded."""
        return {"dense": 1 / ranks}

    def faults(self, ranks: int) -> list[str]:
        """What a number of ranks breaks, each as the end of a sentence that begins with the number."""
        return undivided(ranks, {"dense intermediate": self.intermediate})
