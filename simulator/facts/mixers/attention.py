"""Softmax attention with grouped or equal heads, over the whole context, a window or chosen blocks of it: its shape.

Oracle: the tensor shapes and the config.json of Qwen/Qwen3.5-397B-A17B."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from simulator.facts.formats import BYTES_PER_PARAM
from simulator.facts.mixers.base import MixerShape
from simulator.facts.mixers.blocks import Blocks
from simulator.facts.shapes import CHANNELS, TOKENS, HeadChannels, Heads, Tokens, undivided


class Attention(MixerShape):
    """Softmax attention: a KV cache that grows with every token, or up to a window.

    Source: Ainslie et al., GQA, arXiv 2305.13245; windows: Beltagy et al., Longformer, arXiv 2004.05150.
    """

    kind: Literal["attention"] = "attention"
    query_heads: Heads = Field(gt=0)
    kv_heads: Heads = Field(gt=0)
    head_dim: HeadChannels = Field(gt=0)
    value_dim: Annotated[HeadChannels | None, CHANNELS] = Field(
        default=None, gt=0, description="channels of a value head; absent: as many as of a key head"
    )
    window: Annotated[Tokens | None, TOKENS] = Field(
        default=None, gt=0, description="tokens that a query sees, itself included; absent: the whole context"
    )
    blocks: Blocks | None = Field(default=None, description="chosen by an index; absent: the whole context or window")
    output_gate: bool = Field(default=False, description="q_proj also emits a gate of the same width")
    qk_norm: bool = Field(default=False, description="a norm over each head of the queries and of the keys")
    sinks: bool = Field(default=False, description="one learned logit per query head")
    bias: bool = Field(default=False, description="the projections have biases")

    @model_validator(mode="after")
    def _one_reach(self) -> Attention:
        if self.window is not None and self.blocks is not None:
            raise ValueError("window and blocks: expected one of them, found both")
        return self

    @property
    def values(self) -> int:
        """Channels of a value head."""
        return self.value_dim or self.head_dim

    def parameters(self, hidden: int) -> dict[str, int]:
        """Parameters: q (with its output gate), k, v, o; biases, sinks and the two head norms where there are any; the
        projections of an index of blocks apart."""
        queries, gate, out = self._widths
        kv = self.kv_heads * (self.head_dim + self.values)
        total = hidden * (queries + gate + out) + self.kv_projection_parameters(hidden)
        total += (queries + gate + kv + hidden) * self.bias
        found = {"attention": total + 2 * self.head_dim * self.qk_norm + self.query_heads * self.sinks}
        return found if self.blocks is None else found | {"indexer": hidden * self.blocks.width()}

    @property
    def _widths(self) -> tuple[int, int, int]:
        """Channels of all queries, of the output gate, and of what the output projection takes."""
        out = self.query_heads * self.values
        return self.query_heads * self.head_dim, out * self.output_gate, out

    def kv_projection_parameters(self, hidden: int) -> int:
        """Parameters of the matrices of the k and v projections."""
        return hidden * self.kv_heads * (self.head_dim + self.values)

    def kv_heads_per_gpu(self, ranks: int) -> int:
        """KV heads that each of ``ranks`` GPUs holds; beyond one head per GPU they are replicated."""
        return max(1, math.ceil(self.kv_heads / ranks))

    def share_per_gpu(self, hidden: int, ranks: int) -> dict[str, float]:
        """Part of the parameters that each of ``ranks`` GPUs holds: 1 / ranks, and k and v by whole heads."""
        kv = self.kv_projection_parameters(hidden)
        rest = self.parameters(hidden)["attention"] - kv
        share = (rest / ranks + kv * (self.kv_heads_per_gpu(ranks) / self.kv_heads)) / (rest + kv)
        return {"attention": share} | (
            {} if self.blocks is None else {"indexer": self.blocks.width(ranks) / self.blocks.width()}
        )

    def head_bytes(self, fmt: str, ranks: int = 1) -> float:
        """Bytes of keys and values of one token on each of ``ranks`` GPUs."""
        return self.kv_heads_per_gpu(ranks) * (self.head_dim + self.values) * BYTES_PER_PARAM[fmt]

    def cache_bytes(self, fmt: str, ranks: int = 1) -> float:
        """KV-cache bytes of one token on each of ``ranks`` GPUs, with the index key where an index chooses blocks.

        Example:
            >>> Attention(query_heads=32, kv_heads=2, head_dim=256).cache_bytes("bf16", ranks=4)
            1024.0
        """
        cache = self.head_bytes(fmt, ranks)
        return cache if self.blocks is None else cache + self.blocks.key_bytes

    def cached_tokens(self, context: float) -> float:
        """All tokens, or the last ones that a window spans; of blocks all, as any may be chosen."""
        return context if self.window is None else min(context, float(self.window))

    @property
    def pair_flops(self) -> float:
        """FLOPs of one pair of query and key, all heads: 2 per channel of the key, 2 per channel of the value."""
        return 2.0 * self.query_heads * (self.head_dim + self.values)

    @property
    def reach(self) -> float:
        """Most tokens that a query sees."""
        if self.blocks is not None:
            return self.blocks.reach
        return math.inf if self.window is None else float(self.window)

    def faults(self, ranks: int) -> list[str]:
        """What a number of ranks breaks, each as the end of a sentence that begins with the number."""
        faults = undivided(ranks, {"query heads": self.query_heads})
        if self.kv_heads % ranks and ranks % self.kv_heads:
            faults.append(f"must divide or be a multiple of the {self.kv_heads} KV heads")
        return faults
