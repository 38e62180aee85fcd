"""Operators of softmax attention: projections, the attention itself over the KV cache, and small kernels."""

from __future__ import annotations

from dataclasses import replace

from simulator.cost.mixers import index
from simulator.cost.operator import KV, QK, Operator, T
from simulator.cost.rates import ACTIVATION_BYTES, KernelRates, Rates
from simulator.facts.deployment import LayerFormats
from simulator.facts.mixers.attention import Attention
from simulator.units import NANO

WALKED = 128
"""Head dimension whose decode kernel takes time by the length of a sequence alone: inferred from runs under ATOM on
MI355X, where models with 128 show it (Llama-3.3-70B, MiniMax-M2.5) and those with 64 or 256 do not (gpt-oss-120b,
Qwen3.5); other kernels serve them, by assumption."""


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
        replace(core, window=layer.reach, walk=walk(layer.head_dim, family, rates)),
        rates.gemm("attention out", count, out, hidden, fmt, share=1 / dp),
        rates.small("attention norm, rope, gate", kernels * count, 4 * width * ACTIVATION_BYTES / dp),
    ]
    if layer.blocks is not None:
        own, dim = layer.blocks.heads_per_gpu(tp), layer.blocks.index_dim
        ops += index.operators(count, index.Widths(hidden, own, dim, dim), formats["indexer"], rates)
    return ops


def walk(head_dim: int, family: str, rates: KernelRates) -> float:
    """Seconds per cached token of a sequence that has the GPU to itself."""
    return rates.parameters[f"{family}.walk_ns"] * NANO if head_dim == WALKED else 0.0


def _name(layer: Attention) -> str:
    if layer.blocks is not None:
        return "attention (KV cache, blocks)"
    return "attention (KV cache)" if layer.window is None else "attention (KV cache, window)"
