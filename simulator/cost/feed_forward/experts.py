"""Operators of MoE layers: router, sorting, the fused kernel of the routed experts, and the shared expert."""

from __future__ import annotations

from simulator.cost.operator import ONE, D, Operator, T
from simulator.cost.rates import ACTIVATION_BYTES, Rates
from simulator.facts.deployment import LayerFormats
from simulator.facts.feed_forward.experts import Experts

NO_KERNEL_US = 0.05
"""A preparation shorter than this is no kernel: the times of the fused kernel include top-k and sorting."""


def operators(layer: Experts, count: float, formats: LayerFormats, rates: Rates) -> list[Operator]:
    """Operators of ``count`` layers. Projections to a latent width and back are whole on every GPU, as the router is.

    A shared expert that is fused is computed in the kernel of the routed ones, in their format; apart, it has kernels
    of its own: activation, gate and sum beside the matrix products.
    """
    hidden, tp = rates.deployment.model.hidden, rates.deployment.tp
    width, shared_apart = layer.width(hidden), layer.shared_intermediate > 0 and not _fused(layer, formats)
    apart = rates.parameters["moe.prep_us"] > NO_KERNEL_US
    ops = [rates.gemm("moe router", count, hidden, layer.experts, "bf16")]
    if layer.latent:
        ops.append(rates.gemm("moe to latent", count, hidden, layer.latent, formats["latent"]))
    if apart:
        ops.append(rates.small("moe sort and quantise", count, 2 * width * ACTIVATION_BYTES, latency="moe.prep_us"))
    kernels = (6 if shared_apart else 3) - (not apart)
    ops += [
        _routed(layer, count, formats, rates),
        rates.small("moe top-k, gate, add", kernels * count, 3 * hidden * ACTIVATION_BYTES),
    ]
    if rates.deployment.ep > 1:
        ops.append(rates.small("moe expert parallelism", count, 0.0, latency="moe.ep_latency_us"))
    if layer.latent:
        ops.append(rates.gemm("moe from latent", count, layer.latent, hidden, formats["latent"]))
    if shared_apart:
        columns, fmt = layer.shared_intermediate / tp, formats["shared_expert"]
        ops += [
            rates.gemm("shared expert up, gate", count, hidden, layer.inputs * columns, fmt),
            rates.gemm("shared expert down", count, columns, hidden, fmt),
        ]
    return ops


def _fused(layer: Experts, formats: LayerFormats) -> bool:
    """Whether the kernel of the routed experts has the shared one too, which needs the same width."""
    return formats.fused and layer.latent is None


def _routed(layer: Experts, count: float, formats: LayerFormats, rates: Rates) -> Operator:
    """The fused kernel of the routed experts; with expert parallelism that of the busiest GPU."""
    d, fmt = rates.deployment, formats["routed_experts"]
    busiest = rates.imbalance(d.ep)
    parameters = layer.expert_parameters(d.model.hidden)
    expert_bytes = layer.expert_bytes(d.model.hidden, fmt) / d.tp
    shared = layer.shared_expert_parameters(d.model.hidden) / parameters if _fused(layer, formats) else 0.0
    return rates.routed(
        count,
        fmt,
        layer.intermediate / (d.tp / d.ep),
        flops={T: 2.0 * parameters * (layer.top_k + shared) / d.tp * busiest},
        moved={D: expert_bytes * busiest, ONE: expert_bytes * shared},
        speed=rates.expert_speed(fmt, layer.width(d.model.hidden), layer.experts),
    )
