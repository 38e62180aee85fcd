"""An index that chooses blocks of keys for grouped attention: its shape, and what it keeps of every token.

Oracle: the config.json of MiniMaxAI/MiniMax-M3; that one index key serves all index heads is assumed."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field

from simulator.facts.mixers.index import key_bytes
from simulator.facts.plausible import Plausible
from simulator.facts.quantities import Spec, Whole
from simulator.facts.shapes import HeadChannels, Heads

MANY = Plausible(1, 100_000)


class Blocks(Spec):
    """A few small heads score every key; a query sees the blocks with the best keys, and the last ones.

    Index heads are sharded as KV heads are, each of which they choose for.

    Source: MiniMax-M3; Yuan et al., Native Sparse Attention, arXiv 2502.11089.
    """

    index_heads: Heads = Field(gt=0)
    index_dim: HeadChannels = Field(gt=0)
    block: Annotated[Whole, MANY] = Field(gt=0, description="tokens of a block")
    top_blocks: Annotated[Whole, MANY] = Field(gt=0, description="blocks that a query chooses")
    local_blocks: Annotated[Whole, MANY] = Field(default=0, ge=0, description="blocks that it sees in any case")

    @property
    def reach(self) -> float:
        """Most tokens that a query sees."""
        return float((self.top_blocks + self.local_blocks) * self.block)

    @property
    def key_bytes(self) -> float:
        """Bytes of the index key of one token."""
        return key_bytes(self.index_dim)

    def heads_per_gpu(self, ranks: int) -> int:
        """Index heads that each of ``ranks`` GPUs holds; beyond one head per GPU they are replicated."""
        return max(1, math.ceil(self.index_heads / ranks))

    def width(self, ranks: int = 1) -> int:
        """Channels of queries and key of the index on each of ``ranks`` GPUs."""
        return (self.heads_per_gpu(ranks) + 1) * self.index_dim
