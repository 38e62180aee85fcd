"""Operators of dense feed-forwards: two matrix products and the activation between them."""

from __future__ import annotations

from simulator.cost.operator import Operator
from simulator.cost.rates import ACTIVATION_BYTES, Rates
from simulator.facts.deployment import LayerFormats
from simulator.facts.feed_forward.dense import Dense


def operators(layer: Dense, count: float, formats: LayerFormats, rates: Rates) -> list[Operator]:
    """Operators of ``count`` layers; channels are sharded over all GPUs, each of which has all tokens."""
    hidden, fmt = rates.deployment.model.hidden, formats["dense"]
    width = layer.intermediate / rates.deployment.tp
    entry = "dense up, gate" if layer.gated else "dense up"
    moved = (layer.inputs + 1) * width * ACTIVATION_BYTES
    return [
        rates.gemm(entry, count, hidden, layer.inputs * width, fmt),
        rates.small("dense norm, activation", 2 * count, moved),
        rates.gemm("dense down", count, width, hidden, fmt),
    ]
