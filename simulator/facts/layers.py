"""Layer kinds of a decoder and their shapes."""

from __future__ import annotations

import math

from pydantic import Field

from simulator.facts.quantities import Spec


class Attention(Spec):
    """Full (softmax) attention layers."""

    query_heads: int = Field(gt=0)
    kv_heads: int = Field(gt=0)
    head_dim: int = Field(gt=0)
    output_gate: bool = Field(default=False, description="q_proj also emits a gate of the same width")


class GatedDeltaNet(Spec):
    """Gated DeltaNet (linear attention) layers: a recurrent state per sequence instead of a KV cache."""

    key_heads: int = Field(gt=0)
    key_dim: int = Field(gt=0)
    value_heads: int = Field(gt=0)
    value_dim: int = Field(gt=0)
    conv_kernel: int = Field(gt=1)


class MoE(Spec):
    """Mixture of experts, one per layer."""

    experts: int = Field(gt=0)
    top_k: int = Field(gt=0)
    intermediate: int = Field(gt=0)
    shared_intermediate: int = Field(ge=0, description="0: no shared expert")


def kv_heads_per_gpu(attention: Attention, ranks: int) -> int:
    """KV heads that each of ``ranks`` GPUs holds; beyond one head per GPU they are replicated."""
    return max(1, math.ceil(attention.kv_heads / ranks))
