"""Operators of full-attention layers: projections, the attention itself over the KV cache, and small kernels."""

from __future__ import annotations

from simulator.cost.operator import KV, QK, Operator, T
from simulator.cost.rates import ACTIVATION_BYTES, Rates
from simulator.facts.formats import Format
from simulator.facts.layers import Attention


def operators(layer: Attention, count: float, fmt: Format, rates: Rates) -> list[Operator]:
    """Operators of ``count`` layers with projections stored in ``fmt``; none for no layers.

    Heads are sharded over the GPUs of an attention rank, tokens are divided among the ranks. A query-key pair costs
    4 FLOPs per channel: two in the product with the key, two in the sum of values.
    """
    if count == 0:
        return []
    d = rates.deployment
    hidden, tp, dp = d.model.hidden, d.attention_tp, d.dp
    heads = layer.query_heads / tp
    width = heads * layer.head_dim
    q_width = width * (2 if layer.output_gate else 1)
    kv_width = 2 * layer.kv_heads_per_gpu(tp) * layer.head_dim
    cached = layer.cache_bytes(d.kv_format, tp) / dp
    quantise = 1 if fmt != "bf16" else 0
    family = f"attention.{rates.computed(d.kv_format)}"
    return [
        rates.gemm("attention qkv", count, hidden, q_width + kv_width, fmt, share=1 / dp),
        rates.kernel(
            family, "attention (KV cache)", count, {QK: 4.0 * width / dp}, {KV: cached, T: cached}, d.kv_format
        ),
        rates.gemm("attention out", count, width, hidden, fmt, share=1 / dp),
        rates.small("attention norm, rope, gate", (4 + quantise) * count, 4 * width * ACTIVATION_BYTES / dp),
    ]
