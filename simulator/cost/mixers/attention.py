"""Operators of softmax attention: projections, the attention itself over the KV cache, and small kernels."""

from __future__ import annotations

from dataclasses import replace

from simulator.cost.mixers import index
from simulator.cost.operator import KV, QK, Operator, T
from simulator.cost.rates import ACTIVATION_BYTES, Rates
from simulator.facts.deployment import LayerFormats
from simulator.facts.mixers.attention import Attention


def operators(layer: Attention, count: float, formats: LayerFormats, rates: Rates) -> list[Operator]:
    """Operators of ``count`` layers.

    Heads are sharded over the GPUs of an attention rank, tokens are divided among the ranks. Of blocks that an index
    chooses, whole ones are read. Small kernels: the norm before the layer; rotation and writing to the cache; head
    norms and gate where there are any. Engines quantise activations in the kernel before the product (vLLM's fusion
    passes, norms of aiter and TensorRT-LLM).
    """
    d, fmt = rates.deployment, formats["attention"]
    hidden, tp, dp = d.model.hidden, d.attention_tp, d.dp
    heads = layer.query_heads / tp
    width, out = heads * layer.head_dim, heads * layer.values
    q_width = width + (out if layer.output_gate else 0)
    kv_width = layer.kv_heads_per_gpu(tp) * (layer.head_dim + layer.values)
    pair = layer.pair_flops / tp / dp
    cached = layer.head_bytes(d.kv_format, tp) / dp
    kernels = 2 + layer.qk_norm + layer.output_gate
    family = f"attention.{rates.computed(d.kv_format)}"
    core = rates.kernel(family, _name(layer), count, {QK: pair}, {KV: cached, T: cached}, d.kv_format)
    ops = [
        rates.gemm("attention qkv", count, hidden, q_width + kv_width, fmt, share=1 / dp),
        replace(core, window=layer.reach),
        rates.gemm("attention out", count, out, hidden, fmt, share=1 / dp),
        rates.small("attention norm, rope, gate", kernels * count, 4 * width * ACTIVATION_BYTES / dp),
    ]
    if layer.blocks is not None:
        own, dim = layer.blocks.heads_per_gpu(tp), layer.blocks.index_dim
        ops += index.operators(count, index.Widths(hidden, own, dim, dim), formats["indexer"], rates)
    return ops


def _name(layer: Attention) -> str:
    if layer.blocks is not None:
        return "attention (KV cache, blocks)"
    return "attention (KV cache)" if layer.window is None else "attention (KV cache, window)"
