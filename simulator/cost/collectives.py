"""Communication of the layers: what the GPUs of a replica send each other after mixers and after feed-forwards."""

from __future__ import annotations

import math
from dataclasses import replace

from simulator.cost.operator import Operator, T
from simulator.cost.rates import ACTIVATION_BYTES, Rates
from simulator.facts.layers import Stack
from simulator.facts.quick_reduce import WIRE_BITS, least_bytes
from simulator.units import GIGA

NETWORK_PORT = 50 * GIGA
"""Bytes/s between nodes per GPU, one way: one 400 Gb/s network port per GPU."""


def operators(stack: Stack, rates: Rates) -> list[Operator]:
    """Collectives of the layers of a pass: an all-reduce of one hidden vector per token after each mixer and after each
    feed-forward; none on one GPU.

    With data-parallel attention the tokens are gathered for the feed-forward and the sums scattered back, and attention
    is reduced inside the GPUs of a rank.
    """
    d = rates.deployment
    message = d.model.hidden * ACTIVATION_BYTES
    if d.tp == 1:
        return []
    if d.dp == 1:
        return all_reduce("all-reduce", stack.mixer_layers + stack.feed_forward_layers, message, d.tp, rates)
    routed = sum(count for _, count in stack.experts)
    ops: list[Operator] = []
    for name, count in (("experts", routed), ("dense", stack.feed_forward_layers - routed)):
        if count:
            ops += [
                rates.collective(f"all-gather to {name}", count, {T: message}, d.tp, passes=1),
                rates.collective(f"reduce-scatter from {name}", count, {T: message}, d.tp, passes=1),
            ]
    if d.attention_tp > 1 and stack.mixers:
        ops += all_reduce("all-reduce in attention group", stack.mixer_layers, message / d.dp, d.attention_tp, rates)
    return ops


def hand_over(rates: Rates) -> Operator:
    """Hidden vectors from each pipeline stage to the next: every GPU sends its own part of the tokens' vectors.

    Over the links of the scale-up domain where it holds all stages, else over a network port of each GPU.
    """
    d = rates.deployment
    network = d.hardware.scale_up
    inside = d.gpus <= network.gpus
    speed = network.bandwidth if inside else NETWORK_PORT
    return Operator(
        name="hand over to the next stage",
        resource="links",
        count=d.pp - 1,
        latency=rates.seconds("comm.latency_us"),
        flops_rate=d.hardware.peak_flops.bf16,
        byte_rate=speed * rates.parameters["comm.bandwidth_eff"],
        bytes={T: d.model.hidden * ACTIVATION_BYTES / d.tp},
    )


def all_reduce(name: str, count: float, message: float, gpus: int, rates: Rates) -> list[Operator]:
    """All-reduces of ``message`` bytes per token, quantised on the wire in the passes whose message is large enough.

    Source: ROCm quick reduce (github.com/sgl-project/sglang/pull/6619).
    """
    engine = rates.deployment.engine
    plain = rates.collective(name, count, {T: message}, gpus, passes=2)
    least = least_bytes(engine.all_reduce_library, gpus, engine.all_reduce_format) / message
    if math.isinf(least):
        return [plain]
    quantised = rates.quantised(plain, {T: message}, WIRE_BITS[engine.all_reduce_format])
    return [replace(plain, most=least), replace(quantised, name=f"{name}, quantised", least=least)]
