"""Operators of Gated DeltaNet layers: projections, the gated delta rule on the recurrent state, and small kernels."""

from __future__ import annotations

from dataclasses import replace

from simulator.cost.operator import ST, Operator, T
from simulator.cost.rates import ACTIVATION_BYTES, Rates
from simulator.facts.deployment import LayerFormats
from simulator.facts.mixers.gated_delta_net import GatedDeltaNet

CHUNK = 64
"""Tokens per chunk of the chunked delta rule (flash-linear-attention's default)."""
LAUNCHES = 30
"""Kernels and copies that the chunked delta rule over prompts launches one by one: inferred from
runs of Qwen3.5 under ATOM alone, at the time of a launch that six models without it have there; some 8 of them are
the rule itself in flash-linear-attention."""


def operators(layer: GatedDeltaNet, count: float, formats: LayerFormats, rates: Rates) -> list[Operator]:
    """Operators of ``count`` layers.

    Heads are sharded over the GPUs of an attention rank, tokens are divided among the ranks.
    """
    d, fmt = rates.deployment, formats["gdn"]
    hidden, tp, dp = d.model.hidden, d.attention_tp, d.dp
    keys, values = layer.keys / tp, layer.values / tp
    heads = layer.value_heads / tp
    flops = prefill_flops(layer) / tp
    state = layer.state_bytes(d.engine.state_dtype) / tp
    moved = {ST: state / dp, T: moved_per_token(layer) / tp / dp}
    small_bytes = 3 * (keys + values) * ACTIVATION_BYTES / dp
    rule = rates.kernel("gdn", "gated delta rule (state)", count, {T: flops / dp}, moved)
    return [
        rates.gemm("gdn qkvz", count, hidden, 2 * keys + 2 * values, fmt, share=1 / dp),
        rates.gemm("gdn beta, decay", count, hidden, 2 * heads, "bf16", share=1 / dp),
        replace(rule, launched=LAUNCHES),
        rates.gemm("gdn out", count, values, hidden, fmt, share=1 / dp),
        rates.small("gdn convolution, norm, gate", 3 * count, small_bytes),
    ]


def prefill_flops(layer: GatedDeltaNet) -> float:
    """FLOPs of the chunked delta rule per token, all heads."""
    return layer.value_heads * delta_rule_flops(layer.key_dim, layer.value_dim)


def delta_rule_flops(key_dim: int, value_dim: int) -> float:
    """FLOPs of the chunked delta rule per token and value head.

    Three products with the state (what to erase, the update, the read-out), 6 d_k d_v FLOPs, and
    products inside the chunk of C tokens, C (3 d_k + 2 d_v) FLOPs as half of each is masked.
    Source: Yang et al., Parallelizing Linear Transformers with the Delta Rule, arXiv 2406.06484.
    """
    return 6.0 * key_dim * value_dim + CHUNK * (3.0 * key_dim + 2.0 * value_dim)


def moved_per_token(layer: GatedDeltaNet) -> float:
    """HBM bytes of the delta rule per token beside the state, all heads: queries, keys, values and outputs."""
    return (2.0 * layer.keys + 2.0 * layer.values) * ACTIVATION_BYTES
