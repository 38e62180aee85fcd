"""Operators of Kimi delta attention: projections, gates, the delta rule on the recurrent state, and small kernels."""

from __future__ import annotations

from dataclasses import replace

from simulator.cost.mixers.gated_delta_net import LAUNCHES, delta_rule_flops
from simulator.cost.operator import ST, Operator, T
from simulator.cost.rates import ACTIVATION_BYTES, Rates
from simulator.facts.deployment import LayerFormats
from simulator.facts.mixers.kimi_delta import KimiDelta


def operators(layer: KimiDelta, count: float, formats: LayerFormats, rates: Rates) -> list[Operator]:
    """Operators of ``count`` layers.

    Heads are sharded over the GPUs of an attention rank, tokens are divided among the ranks. The first matrices of the
    gates of low rank are whole on every GPU. The decay per channel is counted as one per head is.
    """
    d, fmt = rates.deployment, formats["gdn"]
    hidden, tp, dp = d.model.hidden, d.attention_tp, d.dp
    width, heads, rank = layer.width / tp, layer.heads / tp, layer.head_dim
    moved = {ST: layer.state_bytes(d.engine.state_dtype) / tp / dp, T: 5 * width * ACTIVATION_BYTES / dp}
    flops = heads * delta_rule_flops(layer.head_dim, layer.head_dim)
    low, full = layer.low_rank_gates, 4 if layer.full_rank_gate else 3
    rule = rates.kernel("gdn", "kda delta rule (state)", count, {T: flops / dp}, moved)
    return [
        rates.gemm("kda qkv, gate", count, hidden, full * width, fmt, share=1 / dp),
        rates.gemm("kda beta, gates down", count, hidden, heads + low * rank, fmt, share=1 / dp),
        rates.gemm("kda gates up", count, rank, width, fmt, share=1 / dp, copies=low),
        replace(rule, launched=LAUNCHES),
        rates.gemm("kda out", count, width, hidden, fmt, share=1 / dp),
        rates.small("kda convolution, norm, gate", 3 * count, 6 * width * ACTIVATION_BYTES / dp),
    ]
