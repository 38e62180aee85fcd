"""Operators of MoE layers: router, sorting, the fused kernel of the routed experts, and the shared expert."""

from __future__ import annotations

from simulator.cost.operator import ONE, D, Operator, T
from simulator.cost.rates import ACTIVATION_BYTES, Rates
from simulator.facts.formats import Format
from simulator.facts.layers import MoE

NO_KERNEL_US = 0.05
"""A preparation shorter than this is no kernel: the times of the fused kernel include top-k and sorting."""


def operators(layer: MoE, count: float, fmt: Format, shared_fmt: Format, fused: bool, rates: Rates) -> list[Operator]:
    """Operators of ``count`` layers.

    Args:
        layer: the experts.
        count: layers.
        fmt: of the routed experts.
        shared_fmt: of the shared expert where it is not fused.
        fused: the shared expert is computed in the routed experts' kernel, in their format.
        rates: of the deployment.
    """
    hidden, tp = rates.deployment.model.hidden, rates.deployment.tp
    apart = rates.parameters["moe.prep_us"] > NO_KERNEL_US
    ops = [rates.gemm("moe router", count, hidden, layer.experts, "bf16")]
    if apart:
        ops.append(rates.small("moe sort and quantise", count, 2 * hidden * ACTIVATION_BYTES, latency="moe.prep_us"))
    kernels = (3 if fused else 6) - (not apart)
    ops += [
        _routed(layer, count, fmt, fused, rates),
        rates.small("moe top-k, gate, add", kernels * count, 3 * hidden * ACTIVATION_BYTES),
    ]
    if rates.deployment.ep > 1:
        ops.append(rates.small("moe expert parallelism", count, 0.0, latency="moe.ep_latency_us"))
    if layer.shared_intermediate and not fused:
        width = layer.shared_intermediate / tp
        ops += [
            rates.gemm("shared expert up, gate", count, hidden, 2 * width, shared_fmt),
            rates.gemm("shared expert down", count, width, hidden, shared_fmt),
        ]
    return ops


def _routed(layer: MoE, count: float, fmt: Format, fused: bool, rates: Rates) -> Operator:
    """The fused kernel of the routed experts; with expert parallelism that of the busiest GPU."""
    d = rates.deployment
    busiest = rates.imbalance(d.ep)
    parameters = layer.expert_parameters(d.model.hidden)
    expert_bytes = layer.expert_bytes(d.model.hidden, fmt) / d.tp
    shared = layer.shared_intermediate / layer.intermediate if fused else 0.0
    return rates.routed(
        count,
        fmt,
        layer.intermediate / (d.tp / d.ep),
        flops={T: 2.0 * parameters * (layer.top_k + shared) / d.tp * busiest},
        moved={D: expert_bytes * busiest, ONE: expert_bytes * shared},
        speed=rates.expert_speed(fmt, layer.experts),
    )
