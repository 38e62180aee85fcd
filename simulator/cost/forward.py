"""Which operators a forward pass consists of, and in which order, for the target model and for its MTP draft.

The order is part of the result: the tables of the kernels are sums over the operators as they come."""

from __future__ import annotations

from collections.abc import Mapping

from simulator.cost import attention, collectives, delta_net, experts, lm_head
from simulator.cost.operator import Operator
from simulator.cost.rates import Rates
from simulator.facts.deployment import Deployment, LayerFormats
from simulator.facts.layers import Attention, Stack


def target_operators(deployment: Deployment, parameters: Mapping[str, float]) -> list[Operator]:
    """Operators of one forward pass of the target model; ``parameters`` are values of all, by name."""
    m, rates = deployment.model, Rates.of(deployment, parameters)
    ops = _layers(m.target_layers, deployment.target_formats, rates)
    ops += lm_head.operators(m.vocabulary, deployment.weights.lm_head, rates)
    ops += collectives.operators(m.target_layers.mixer_layers, rates)
    return ops


def draft_operators(deployment: Deployment, parameters: Mapping[str, float]) -> list[Operator]:
    """Operators of one forward pass of the MTP draft: a projection of two hidden vectors to one, layers of the model's
    kinds, and the target's lm_head.

    The projection computes each attention rank's own tokens.
    """
    m, rates = deployment.model, Rates.of(deployment, parameters)
    if m.draft is None:
        return []
    width = m.hidden * m.draft.projection_share
    ops = [rates.gemm("draft projection", m.draft.layers, 2 * m.hidden, width, "bf16", share=1 / deployment.dp)]
    ops += _layers(m.draft_layers, deployment.draft_formats, rates)
    ops += lm_head.operators(m.vocabulary, deployment.weights.lm_head, rates)
    ops += collectives.operators(m.draft_layers.mixer_layers, rates)
    return ops


def _layers(stack: Stack, formats: LayerFormats, rates: Rates) -> list[Operator]:
    ops: list[Operator] = []
    for layer, count in stack.mixers:
        if isinstance(layer, Attention):
            ops += attention.operators(layer, count, formats["attention"], rates)
        else:
            ops += delta_net.operators(layer, count, formats["gdn"], rates)
    for moe, count in stack.experts:
        ops += experts.operators(moe, count, formats["routed_experts"], formats["shared_expert"], formats.fused, rates)
    return ops
