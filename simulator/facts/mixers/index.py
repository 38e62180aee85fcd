"""An index that chooses the keys which a query sees: its shape, and what it keeps of every token.

Oracle: the tensor shapes and the config.json of deepseek-ai/DeepSeek-V3.2."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field

from simulator.facts.plausible import Plausible
from simulator.facts.quantities import Spec, Whole
from simulator.facts.shapes import HeadChannels, Heads

SCALED = 128
"""Channels of a key that share a scale."""
SCALE_BYTES = 4.0


def key_bytes(dim: int) -> float:
    """Bytes of the index key of one token, whatever the format of the cache: FP8 with scales of 32 bits.

    Source: vLLM, ``vllm/model_executor/models/deepseek_v2.py``; SGLang keeps the same.

    Example:
        >>> key_bytes(128)
        132.0
    """
    return dim + SCALE_BYTES * math.ceil(dim / SCALED)


class Index(Spec):
    """Scores every key with a few small heads; the attention then sees the ``top_k`` best.

    Every GPU has it whole, as one score needs all of its heads.

    Source: DeepSeek-V3.2-Exp, DeepSeek Sparse Attention.
    """

    heads: Heads = Field(gt=0)
    dim: HeadChannels = Field(gt=0)
    top_k: Annotated[Whole, Plausible(1, 1_000_000)] = Field(gt=0, description="keys that a query sees")
    shared: bool = Field(default=False, description="takes the choice of another layer: no weights, no keys, no work")

    def parameters(self, queries: int, hidden: int) -> int:
        """Parameters: queries made of ``queries`` channels, one key, a weight per head, and the norm of the key."""
        if self.shared:
            return 0
        return queries * self.heads * self.dim + hidden * (self.dim + self.heads) + 2 * self.dim

    @property
    def key_bytes(self) -> float:
        """Bytes of the index key of one token."""
        return 0.0 if self.shared else key_bytes(self.dim)
