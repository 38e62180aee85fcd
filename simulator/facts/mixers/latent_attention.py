"""Multi-head latent attention (MLA): keys and values of all heads are made of one latent, and only that is cached.

Oracle: the tensor shapes and the config.json of deepseek-ai/DeepSeek-R1."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field

from simulator.facts.formats import BYTES_PER_PARAM
from simulator.facts.mixers.base import MixerShape
from simulator.facts.mixers.index import Index
from simulator.facts.shapes import WIDTH, HeadChannels, Heads, Width, undivided


class LatentAttention(MixerShape):
    """Attention with one cached latent per token, which every GPU of an attention rank holds whole.

    It is computed in two forms that give the same: per head with keys and values made of the latents, or absorbed, all
    heads on the latent itself.

    Source: DeepSeek-V2, arXiv 2405.04434; with an index: DeepSeek-V3.2-Exp.
    """

    kind: Literal["latent_attention"] = "latent_attention"
    query_heads: Heads = Field(gt=0)
    query_rank: Annotated[Width | None, WIDTH] = Field(
        default=None, gt=0, description="channels of the latent of the queries; absent: they have none"
    )
    kv_rank: Width = Field(gt=0)
    nope_dim: HeadChannels = Field(gt=0)
    rope_dim: HeadChannels = Field(gt=0)
    value_dim: HeadChannels = Field(gt=0)
    output_gate: bool = Field(default=False, description="a gate on the output of every head, of its width")
    index: Index | None = Field(default=None, description="absent: a query sees the whole context")

    @property
    def key_dim(self) -> int:
        """Channels of a query and of a key of one head."""
        return self.nope_dim + self.rope_dim

    @property
    def latent(self) -> int:
        """Cached channels of a token: the latent, and the rotated part of the key that all heads share."""
        return self.kv_rank + self.rope_dim

    @property
    def down(self) -> int:
        """Channels that the first projection of the hidden vector gives, whole on every GPU."""
        return (self.query_rank or 0) + self.latent

    @property
    def up(self) -> int:
        """Parameters of one head that make its keys and values of the latent, or take them in."""
        return self.kv_rank * (self.nope_dim + self.value_dim)

    def parameters(self, hidden: int) -> dict[str, int]:
        """Parameters: down, queries, keys and values up, output, gate, norms of the latents; the index apart."""
        found = {"attention": self._whole(hidden) + self._sharded(hidden)}
        if self.index is not None:
            found["indexer"] = self.index.parameters(self.query_rank or hidden, hidden)
        return found

    def _whole(self, hidden: int) -> int:
        return hidden * self.down + self.kv_rank + (self.query_rank or 0)

    def _sharded(self, hidden: int) -> int:
        queries = (self.query_rank or hidden) * self.key_dim
        return self.query_heads * (queries + self.up + hidden * self.value_dim * (2 if self.output_gate else 1))

    def share_per_gpu(self, hidden: int, ranks: int) -> dict[str, float]:
        """Heads are sharded over ``ranks`` GPUs; the projections down and the index are whole on each."""
        whole, sharded = self._whole(hidden), self._sharded(hidden)
        return {"attention": (whole + sharded / ranks) / (whole + sharded), "indexer": 1.0}

    def cache_bytes(self, fmt: str, ranks: int = 1) -> float:
        """Bytes of one cached token on each of ``ranks`` GPUs, whatever their number: the latent, and the index key.

        Example:
            >>> mla = LatentAttention(query_heads=128, kv_rank=512, nope_dim=128, rope_dim=64, value_dim=128)
            >>> mla.cache_bytes("bf16", ranks=1), mla.cache_bytes("bf16", ranks=8)
            (1152.0, 1152.0)
        """
        return self.latent * BYTES_PER_PARAM[fmt] + (self.index.key_bytes if self.index else 0.0)

    @property
    def pair_flops(self) -> float:
        """FLOPs of one pair of query and key, all heads, with keys and values per head: the fewer of the two forms."""
        return 2.0 * self.query_heads * (self.key_dim + self.value_dim)

    @property
    def absorbed_pair_flops(self) -> float:
        """The same on the latent itself: product with all that is cached, and sum of latents."""
        return 2.0 * self.query_heads * (self.latent + self.kv_rank)

    @property
    def reach(self) -> float:
        """Most tokens that a query sees."""
        return math.inf if self.index is None else float(self.index.top_k)

    def faults(self, ranks: int) -> list[str]:
        """What a number of ranks breaks, each as the end of a sentence that begins with the number."""
        return undivided(ranks, {"query heads": self.query_heads})
