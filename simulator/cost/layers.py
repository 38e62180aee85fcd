"""Operators of the layers of a pass, each kind by its own file.

A new kind is one file in ``mixers/`` or ``feed_forward/`` and a line of a table here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from simulator.cost.feed_forward import dense, experts
from simulator.cost.mixers import (
    attention,
    compressed_attention,
    gated_delta_net,
    kimi_delta,
    latent_attention,
    mamba2,
)
from simulator.cost.operator import Operator
from simulator.cost.rates import Rates
from simulator.facts.deployment import LayerFormats
from simulator.facts.layers import (
    Attention,
    CompressedAttention,
    Dense,
    Experts,
    GatedDeltaNet,
    KimiDelta,
    LatentAttention,
    Mamba2,
    Stack,
)

Kind = Callable[[Any, float, LayerFormats, Rates], list[Operator]]
"""From a shape, its number of layers, their formats and the achieved rates to operators."""

MIXERS: Mapping[type, Kind] = {
    Attention: attention.operators,
    LatentAttention: latent_attention.operators,
    CompressedAttention: compressed_attention.operators,
    GatedDeltaNet: gated_delta_net.operators,
    KimiDelta: kimi_delta.operators,
    Mamba2: mamba2.operators,
}
FEED_FORWARDS: Mapping[type, Kind] = {
    Dense: dense.operators,
    Experts: experts.operators,
}


def operators(stack: Stack, formats: LayerFormats, rates: Rates) -> list[Operator]:
    """Operators of all layers of a pass: mixers, then feed-forwards, each kind at once."""
    ops: list[Operator] = []
    for mixer, count in stack.mixers:
        ops += MIXERS[type(mixer)](mixer, count, formats, rates)
    for layer, count in stack.feed_forwards:
        ops += FEED_FORWARDS[type(layer)](layer, count, formats, rates)
    return ops
