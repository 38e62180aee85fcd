"""Layer kinds of a decoder: their shapes, and what follows from a shape by counting.

Counts are of one layer. Parameters are pure numbers, sizes bytes; ``hidden`` is the width of the residual stream in
channels, and ``ranks`` the number of GPUs over which the layer is sharded. Oracle: the tensor shapes and the
config.json of Qwen/Qwen3.5-397B-A17B."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field

from simulator.facts.formats import BYTES_PER_PARAM, CONV_STATE_BYTES, STATE_BYTES
from simulator.facts.plausible import Plausible
from simulator.facts.quantities import Spec, Whole

Heads = Annotated[Whole, Plausible(1, 10_000)]
HeadChannels = Annotated[Whole, Plausible(8, 10_000)]
Width = Annotated[Whole, Plausible(16, 1_000_000)]


class Attention(Spec):
    """Full (softmax) attention layers: a KV cache that grows with every token."""

    query_heads: Heads = Field(gt=0)
    kv_heads: Heads = Field(gt=0)
    head_dim: HeadChannels = Field(gt=0)
    output_gate: bool = Field(default=False, description="q_proj also emits a gate of the same width")

    def parameters(self, hidden: int) -> int:
        """Parameters: q (with its output gate), k, v, o, and the two head norms."""
        query_output = hidden * self.query_heads * self.head_dim * (3 if self.output_gate else 2)
        return query_output + self.kv_projection_parameters(hidden) + 2 * self.head_dim

    def kv_projection_parameters(self, hidden: int) -> int:
        """Parameters of the k and v projections."""
        return 2 * hidden * self.kv_heads * self.head_dim

    def kv_heads_per_gpu(self, ranks: int) -> int:
        """KV heads that each of ``ranks`` GPUs holds; beyond one head per GPU they are replicated."""
        return max(1, math.ceil(self.kv_heads / ranks))

    def share_per_gpu(self, hidden: int, ranks: int) -> float:
        """Part of the parameters that each of ``ranks`` GPUs holds: 1 / ranks, and k and v by whole heads."""
        kv = self.kv_projection_parameters(hidden)
        rest = self.parameters(hidden) - kv
        return (rest / ranks + kv * (self.kv_heads_per_gpu(ranks) / self.kv_heads)) / (rest + kv)

    def cache_bytes(self, fmt: str, ranks: int = 1) -> float:
        """KV-cache bytes of one token on each of ``ranks`` GPUs.

        Example:
            >>> Attention(query_heads=32, kv_heads=2, head_dim=256).cache_bytes("bf16", ranks=4)
            1024.0
        """
        return 2 * self.kv_heads_per_gpu(ranks) * self.head_dim * BYTES_PER_PARAM[fmt]

    def faults(self, ranks: int) -> list[str]:
        """What a number of ranks breaks, each as the end of a sentence that begins with the number."""
        faults = undivided(ranks, {"query heads": self.query_heads})
        if self.kv_heads % ranks and ranks % self.kv_heads:
            faults.append(f"must divide or be a multiple of the {self.kv_heads} KV heads")
        return faults


class GatedDeltaNet(Spec):
    """Gated DeltaNet (linear attention) layers: a recurrent state per sequence instead of a KV cache.

    Source: Yang et al., Gated Delta Networks, arXiv 2412.06464.
    """

    key_heads: Heads = Field(gt=0)
    key_dim: HeadChannels = Field(gt=0)
    value_heads: Heads = Field(gt=0)
    value_dim: HeadChannels = Field(gt=0)
    conv_kernel: Annotated[Whole, Plausible(2, 100)] = Field(gt=1)

    @property
    def keys(self) -> int:
        """Channels of all key heads; as many of the queries."""
        return self.key_heads * self.key_dim

    @property
    def values(self) -> int:
        """Channels of all value heads; as many of the output gate z."""
        return self.value_heads * self.value_dim

    @property
    def conv_channels(self) -> int:
        """Channels that the convolution runs over: queries, keys and values."""
        return 2 * self.keys + self.values

    def parameters(self, hidden: int) -> int:
        """Parameters: q, k, v, z, b, a and output projections, convolution, decay and norm."""
        projections = hidden * (self.conv_channels + 2 * self.values + 2 * self.value_heads)
        return projections + self.conv_channels * self.conv_kernel + 2 * self.value_heads + self.value_dim

    def state_bytes(self, dtype: str) -> float:
        """Bytes of one copy of a sequence's state: a matrix per value head in ``dtype``, and the BF16 convolution's.

        On each GPU of an attention rank it is this over the number of its GPUs: state heads and channels are sharded.

        Example:
            >>> net = GatedDeltaNet(key_heads=16, key_dim=128, value_heads=64, value_dim=128, conv_kernel=4)
            >>> net.state_bytes("bf16")
            2170880.0
        """
        recurrent = self.value_heads * self.key_dim * self.value_dim * STATE_BYTES[dtype]
        convolution = (self.conv_kernel - 1) * self.conv_channels * CONV_STATE_BYTES
        return recurrent + convolution

    def faults(self, ranks: int) -> list[str]:
        """What a number of ranks breaks, each as the end of a sentence that begins with the number."""
        return undivided(ranks, {"GDN key heads": self.key_heads, "GDN value heads": self.value_heads})


class MoE(Spec):
    """Mixture of experts, one per layer. Each expert has a gate, an up and a down projection."""

    experts: Annotated[Whole, Plausible(1, 10_000)] = Field(gt=0)
    top_k: Annotated[Whole, Plausible(1, 1_000)] = Field(gt=0)
    intermediate: Width = Field(gt=0)
    shared_intermediate: Width = Field(ge=0, description="0: no shared expert")

    def expert_parameters(self, hidden: int) -> int:
        """Parameters of one routed expert."""
        return 3 * hidden * self.intermediate

    def expert_bytes(self, hidden: int, fmt: str) -> float:
        """Stored bytes of one routed expert (6.685 MB in MXFP4, 25.17 MB in BF16)."""
        return self.expert_parameters(hidden) * BYTES_PER_PARAM[fmt]

    def shared_expert_parameters(self, hidden: int) -> int:
        """Parameters of the shared expert; 0 without one."""
        return 3 * hidden * self.shared_intermediate

    def shared_gate_parameters(self, hidden: int) -> int:
        """Parameters of the scalar gate of the shared expert; 0 without one."""
        return hidden if self.shared_intermediate else 0

    def router_parameters(self, hidden: int) -> int:
        """Parameters of the router."""
        return hidden * self.experts


def undivided(ranks: int, sizes: dict[str, int]) -> list[str]:
    """The sizes, by what they count, that ``ranks`` does not divide: each as the end of a sentence about the ranks."""
    return [f"must divide the {size} {what}" for what, size in sizes.items() if size % ranks]
