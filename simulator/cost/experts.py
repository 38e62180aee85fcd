"""Operators of MoE layers: router, sorting, the fused kernel of the routed experts, and the shared expert."""

from __future__ import annotations

from simulator.cost.operator import ONE, D, Operator, T
from simulator.cost.rates import ACTIVATION_BYTES, Rates
from simulator.facts.formats import BITS_FAMILY, Format
from simulator.facts.layers import MoE


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
    ops = [
        rates.gemm("moe router", count, hidden, layer.experts, "bf16"),
        rates.small("moe sort and quantise", count, 2 * hidden * ACTIVATION_BYTES, latency="moe.prep_us"),
        _routed(layer, count, fmt, fused, rates),
        rates.small("moe top-k, gate, add", (3 if fused else 6) * count, 3 * hidden * ACTIVATION_BYTES),
    ]
    if layer.shared_intermediate and not fused:
        width = layer.shared_intermediate / tp
        ops += [
            rates.gemm("shared expert up, gate", count, hidden, 2 * width, shared_fmt),
            rates.gemm("shared expert down", count, width, hidden, shared_fmt),
        ]
    return ops


def _routed(layer: MoE, count: float, fmt: Format, fused: bool, rates: Rates) -> Operator:
    """The fused kernel of gate, up and down projection of all experts that the tokens of a pass chose.

    With expert parallelism the busiest GPU has ``moe.ep_imbalance`` times the mean work. Tuning differs by the stored
    format, so latency, least time and bandwidth go by that; compute by the format computed in, with half its efficiency
    at ``moe.half_width`` columns of an expert per GPU.
    """
    d, p = rates.deployment, rates.parameters
    stored, computed = BITS_FAMILY[fmt], BITS_FAMILY[d.hardware.compute_format(fmt)]
    columns, half = layer.intermediate / (d.tp / d.ep), p["moe.half_width"]
    imbalance = p["moe.ep_imbalance"] if d.ep > 1 else 1.0
    parameters = layer.expert_parameters(d.model.hidden)
    expert_bytes = layer.expert_bytes(d.model.hidden, fmt) / d.tp
    active = layer.top_k + (layer.shared_intermediate / layer.intermediate if fused else 0.0)
    always = expert_bytes * layer.shared_intermediate / layer.intermediate if fused else 0.0
    return Operator(
        name="moe routed experts",
        resource="HBM",
        count=count,
        floor=rates.seconds(f"moe.{stored}.floor_us"),
        latency=rates.seconds(f"moe.{stored}.latency_us"),
        flops_rate=rates.flops(fmt, f"moe.{computed}.compute_eff") * columns / (columns + half),
        byte_rate=rates.bandwidth(f"moe.{stored}.bandwidth_eff"),
        flops={T: 2.0 * parameters * active / d.tp * imbalance},
        bytes={D: expert_bytes * imbalance, ONE: always},
    )
