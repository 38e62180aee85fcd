"""Operators of latent attention: absorbed where requests decode, with keys and values per head where prompts come.

Engines take the form with fewer bytes in decode, where one latent serves all heads, and the one with fewer FLOPs in
prefill. With an index every query has keys of its own, so that prompts are absorbed too. Source: SGLang and vLLM, the
MLA attention of DeepSeek models."""

from __future__ import annotations

from dataclasses import replace

from simulator.cost.mixers import index, one_key
from simulator.cost.operator import KV, ONE, QK, Operator, Part, T
from simulator.cost.rates import ACTIVATION_BYTES, Rates
from simulator.facts.deployment import LayerFormats
from simulator.facts.formats import BYTES_PER_PARAM, Format
from simulator.facts.mixers.latent_attention import LatentAttention


def operators(layer: LatentAttention, count: float, formats: LayerFormats, rates: Rates) -> list[Operator]:
    """Operators of ``count`` layers.

    Heads are sharded over the GPUs of an attention rank, tokens are divided among the ranks. Projections down, the
    index and the cached latent are whole on every GPU. Small kernels: the norm before the layer, the norms of the
    latents, rotation and writing to the cache, and the gate where there is one.
    """
    d, fmt = rates.deployment, formats["attention"]
    hidden, dp = d.model.hidden, d.dp
    heads = layer.query_heads / d.attention_tp
    queries, values = heads * layer.key_dim, heads * layer.value_dim
    ops = [
        rates.gemm("mla down", count, hidden, layer.down, fmt, share=1 / dp),
        rates.gemm("mla query up", count, layer.query_rank or hidden, queries, fmt, share=1 / dp),
    ]
    decode, prompts = _on_latents(layer, count, rates)
    if layer.index is None:
        ops += [*_absorbing(layer, count, heads, fmt, rates, Part.DECODES), decode]
        ops += _per_head(layer, count, heads, fmt, rates)
    else:
        ops += [*_absorbing(layer, count, heads, fmt, rates, Part.WHOLE), decode, prompts]
    if layer.output_gate:
        ops.append(rates.gemm("mla output gate", count, hidden, values, fmt, share=1 / dp))
    moved = 2 * (layer.down + queries) * ACTIVATION_BYTES / dp
    ops += [
        rates.gemm("mla out", count, values, hidden, fmt, share=1 / dp),
        rates.small("mla norm, rope, gate", (3 + layer.output_gate) * count, moved),
    ]
    if layer.index is not None and not layer.index.shared:
        own = layer.index
        widths = index.Widths(layer.query_rank or hidden, own.heads, own.dim, own.dim + own.heads)
        ops += index.operators(count, widths, formats["indexer"], rates)
    return ops


def _absorbing(
    layer: LatentAttention, count: float, heads: float, fmt: Format, rates: Rates, part: Part
) -> list[Operator]:
    """Queries onto the latent and latents to values, a product per head: the matrices that make keys and values."""
    share = 1 / rates.deployment.dp
    keys = rates.gemm("mla absorb keys", count, layer.nope_dim, layer.kv_rank, fmt, share=share, copies=heads)
    values = rates.gemm("mla absorb values", count, layer.kv_rank, layer.value_dim, fmt, share=share, copies=heads)
    return [replace(keys, part=part), replace(values, part=part)]


def _on_latents(layer: LatentAttention, count: float, rates: Rates) -> list[Operator]:
    """All heads on the latent itself, which is read once for all of them."""
    d = rates.deployment
    pair = layer.absorbed_pair_flops / d.attention_tp / d.dp * one_key.padded(layer.query_heads / d.attention_tp)
    latent = layer.latent * BYTES_PER_PARAM[d.kv_format] / d.dp
    return one_key.operators("mla (latent cache)", count, {QK: pair}, {KV: latent, T: latent}, rates, layer.reach)


def _per_head(layer: LatentAttention, count: float, heads: float, fmt: Format, rates: Rates) -> list[Operator]:
    """Keys and values of every head, also of what earlier passes over the prompt cached, and attention over them.

    They are BF16 whatever the cache is, which is written and, of earlier passes, read.
    """
    d = rates.deployment
    out = heads * (layer.nope_dim + layer.value_dim)
    latent = layer.latent * BYTES_PER_PARAM[d.kv_format] / d.dp
    up = rates.gemm("mla keys, values up", count, layer.kv_rank, out, fmt, share=1 / d.dp)
    again = latent + out * ACTIVATION_BYTES / d.dp
    moved = {ONE: up.bytes[ONE], T: up.bytes[T] + latent, KV: again}
    up = replace(up, part=Part.PROMPTS, flops={T: up.flops[T], KV: up.flops[T]}, bytes=moved)
    made = heads * (layer.key_dim + layer.value_dim) * ACTIVATION_BYTES / d.dp
    pair = layer.pair_flops / d.attention_tp / d.dp
    core = rates.kernel("attention.bf16", "mla (keys, values)", count, {QK: pair}, {T: made, KV: made})
    return [up, replace(core, part=Part.PROMPTS)]
