"""Attention over compressed keys beside a window of plain ones, all heads on one key: its shape.

Oracle: the config.json of deepseek-ai/DeepSeek-V4-Pro. Its compressors have the shapes of their description."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from simulator.facts.formats import BYTES_PER_PARAM
from simulator.facts.mixers.base import MixerShape
from simulator.facts.mixers.index import Index
from simulator.facts.plausible import Plausible
from simulator.facts.quantities import Whole
from simulator.facts.shapes import HeadChannels, Heads, Tokens, Width, undivided

RATIO = Plausible(2, 100_000)


class CompressedAttention(MixerShape):
    """Attention over the last tokens as they are and over all others ``ratio`` to one, of which an index may choose.

    A key is its own value. The output of groups of heads goes through matrices of low rank.

    Source: DeepSeek-V4, compressed sparse and heavily compressed attention.
    """

    kind: Literal["compressed_attention"] = "compressed_attention"
    query_heads: Heads = Field(gt=0)
    kv_heads: Heads = Field(default=1, gt=0)
    head_dim: HeadChannels = Field(gt=0)
    rope_dim: HeadChannels = Field(gt=0, description="channels of the head that are rotated")
    query_rank: Width = Field(gt=0)
    output_groups: Heads = Field(gt=0)
    output_rank: Width = Field(gt=0, description="channels that the output of a group of heads is made of")
    window: Tokens = Field(gt=0, description="last tokens that a query sees as they are")
    ratio: Annotated[Whole | None, RATIO] = Field(
        default=None, gt=1, description="tokens that are compressed to one; absent: only the window is seen"
    )
    index: Index | None = Field(default=None, description="chooses among the compressed keys; absent: all are seen")

    @model_validator(mode="after")
    def _compressed(self) -> CompressedAttention:
        if self.index is not None and self.ratio is None:
            raise ValueError("index: chooses among compressed keys, so it needs a ratio")
        if self.rope_dim > self.head_dim:
            raise ValueError(f"rope_dim: {self.rope_dim} exceeds head_dim {self.head_dim}")
        return self

    @property
    def keys(self) -> int:
        """Channels of the keys of one token, which are its values too."""
        return self.kv_heads * self.head_dim

    @property
    def overlap(self) -> int:
        """Compressed keys that each token has a part in: two where an index chooses, so that none falls between."""
        return 2 if self.index else 1

    def compressor_parameters(self, width: int, hidden: int) -> int:
        """Parameters of what makes compressed keys of ``width`` channels: matrices of keys and of weights, a bias of
        the weights by place, and a norm; 0 without a ratio."""
        if self.ratio is None:
            return 0
        return self.overlap * width * (2 * hidden + self.ratio) + width

    def parameters(self, hidden: int) -> dict[str, int]:
        """Parameters: queries, keys, output, sinks, norms, compressor; the index with its own compressor apart."""
        found = {"attention": self._whole(hidden) + self._sharded(hidden)}
        if self.index is not None:
            own = self.index.heads * (self.query_rank * self.index.dim + hidden)
            found["indexer"] = 0 if self.index.shared else own + self.compressor_parameters(self.index.dim, hidden)
        return found

    def _whole(self, hidden: int) -> int:
        down = hidden * (self.query_rank + self.keys) + self.query_rank + self.keys
        return down + self.compressor_parameters(self.keys, hidden)

    def _sharded(self, hidden: int) -> int:
        heads = self.query_heads * self.head_dim
        return (
            heads * (self.query_rank + self.output_rank)
            + self.output_groups * self.output_rank * hidden
            + (self.query_heads)
        )

    def share_per_gpu(self, hidden: int, ranks: int) -> dict[str, float]:
        """Heads and their groups are sharded over ``ranks`` GPUs; keys, compressor and index are whole on each."""
        whole, sharded = self._whole(hidden), self._sharded(hidden)
        return {"attention": (whole + sharded / ranks) / (whole + sharded), "indexer": 1.0}

    def cache_bytes(self, fmt: str, ranks: int = 1) -> float:
        """Bytes of one kept key on each of ``ranks`` GPUs, whatever their number."""
        return self.keys * BYTES_PER_PARAM[fmt]

    def compressed(self, context: float) -> float:
        """Compressed keys of a sequence of ``context`` tokens."""
        return context / self.ratio if self.ratio else 0.0

    def cached_tokens(self, context: float) -> float:
        """Keys that a sequence of ``context`` tokens keeps: those of the window, and the compressed ones."""
        return min(context, float(self.window)) + self.compressed(context)

    def caches(self, context: float, fmt: str, ranks: int = 1) -> list[tuple[float, float]]:
        """Also an index key for each compressed one."""
        own = super().caches(context, fmt, ranks)
        return own if self.index is None else [*own, (self.compressed(context), self.index.key_bytes)]

    @property
    def chosen(self) -> float:
        """Compressed keys that a query sees at most."""
        return float(self.index.top_k) if self.index else math.inf

    def read_tokens(self, context: float) -> float:
        """Keys that one query of a sequence of ``context`` tokens sees."""
        return min(context, float(self.window)) + min(self.compressed(context), self.chosen)

    @property
    def key_flops(self) -> float:
        """FLOPs of one pair of query and kept key, all heads: product with the key and sum of keys."""
        return 4.0 * self.query_heads * self.head_dim

    @property
    def pair_flops(self) -> float:
        """FLOPs of one pair of query and token, all heads, without those of the window where there is more."""
        return self.key_flops / (self.ratio or 1)

    @property
    def reach(self) -> float:
        """Most tokens that a query sees."""
        return float(self.window) if self.ratio is None else self.chosen * self.ratio

    def faults(self, ranks: int) -> list[str]:
        """What a number of ranks breaks, each as the end of a sentence that begins with the number."""
        return undivided(ranks, {"query heads": self.query_heads, "output groups": self.output_groups})
