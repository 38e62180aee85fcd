"""Which operators a forward pass consists of, and in which order, for the target model and for its MTP draft.

The order is part of the result: the tables of the kernels are sums over the operators as they come."""

from __future__ import annotations

from collections.abc import Mapping

from simulator.cost import collectives, layers, lm_head
from simulator.cost.operator import Operator
from simulator.cost.rates import Rates
from simulator.facts.checkpoint import group_formats
from simulator.facts.deployment import Deployment


def target_operators(deployment: Deployment, parameters: Mapping[str, float]) -> list[Operator]:
    """Operators of one forward pass of the target model; ``parameters`` are values of all, by name."""
    m, rates = deployment.model, Rates.of(deployment, parameters)
    ops = layers.operators(m.target_layers, deployment.target_formats, rates)
    ops += lm_head.operators(m.vocabulary, deployment.weights.lm_head, rates)
    ops += collectives.operators(m.target_layers, rates)
    return ops


def draft_operators(deployment: Deployment, parameters: Mapping[str, float]) -> list[Operator]:
    """Operators of one forward pass of the MTP draft: a projection of two hidden vectors to one, layers of the model's
    kinds, and the target's lm_head.

    The projection computes each attention rank's own tokens.
    """
    m, rates = deployment.model, Rates.of(deployment, parameters)
    if m.draft is None:
        return []
    width, fmt = m.hidden * m.draft.projection_share, group_formats(deployment.weights)["draft_fc"]
    ops = [rates.gemm("draft projection", m.draft.layers, 2 * m.hidden, width, fmt, share=1 / deployment.dp)]
    ops += layers.operators(m.draft_layers, deployment.draft_formats, rates)
    ops += lm_head.operators(m.vocabulary, deployment.weights.lm_head, rates)
    ops += collectives.operators(m.draft_layers, rates)
    return ops
