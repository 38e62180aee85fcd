"""Operators of compressed attention: projections, compressor, attention over window and compressed keys."""

from __future__ import annotations

from dataclasses import replace

from simulator.cost.mixers import index, one_key
from simulator.cost.operator import KV, QK, Operator, T
from simulator.cost.rates import ACTIVATION_BYTES, Rates
from simulator.facts.deployment import LayerFormats
from simulator.facts.mixers.compressed_attention import CompressedAttention


def operators(layer: CompressedAttention, count: float, formats: LayerFormats, rates: Rates) -> list[Operator]:
    """Operators of ``count`` layers.

    Heads and their groups are sharded over the GPUs of an attention rank, tokens are divided among the ranks. Keys,
    compressor and index are whole on every GPU. Small kernels: as in latent attention.
    """
    d, fmt = rates.deployment, formats["attention"]
    hidden, tp, dp = d.model.hidden, d.attention_tp, d.dp
    heads, groups = layer.query_heads / tp, layer.output_groups / tp
    width, rank = heads * layer.head_dim, groups * layer.output_rank
    down = layer.query_rank + layer.keys
    ops = [
        rates.gemm("compressed attention down", count, hidden, down, fmt, share=1 / dp),
        rates.gemm("compressed attention query up", count, layer.query_rank, width, fmt, share=1 / dp),
        *_attention(layer, count, rates),
        rates.gemm(
            "compressed attention groups", count, width / groups, layer.output_rank, fmt, share=1 / dp, copies=groups
        ),
        rates.gemm("compressed attention out", count, rank, hidden, fmt, share=1 / dp),
        rates.small("compressed attention norm, rope", 3 * count, 2 * (down + width) * ACTIVATION_BYTES / dp),
    ]
    if layer.ratio is not None:
        made = 2 * layer.overlap * layer.keys
        ops.append(rates.gemm("compressor", count, hidden, made, fmt, share=1 / dp))
    if layer.index is not None and not layer.index.shared:
        own = layer.index
        made = 2 * layer.overlap * own.dim + own.heads
        widths = index.Widths(layer.query_rank, own.heads, own.dim, made, float(layer.ratio or 1))
        ops += index.operators(count, widths, formats["indexer"], rates)
    return ops


def _attention(layer: CompressedAttention, count: float, rates: Rates) -> list[Operator]:
    """One kernel over the keys of the window and the compressed ones; the second part starts with the first."""
    d = rates.deployment
    pair, kept = layer.key_flops / d.attention_tp / d.dp, layer.cache_bytes(d.kv_format) / d.dp
    near = one_key.operators(
        "compressed attention (window)", count, {QK: pair}, {KV: kept, T: kept}, rates, float(layer.window)
    )
    if layer.ratio is None:
        return near
    ratio = float(layer.ratio)
    far = one_key.operators(
        "compressed attention (compressed)",
        1.0,
        {QK: count * pair / ratio},
        {KV: count * kept / ratio, T: count * kept / ratio},
        rates,
        layer.reach,
    )
    return [*near, *(replace(op, latency=0.0) for op in far)]
