"""Which operators a forward pass consists of, and in which order, for the target model and for its MTP draft.

The order is part of the result: the tables of the kernels are sums over the operators as they come."""

from __future__ import annotations

from collections.abc import Mapping

from simulator.cost import attention, collectives, delta_net, experts, lm_head
from simulator.cost.operator import Operator
from simulator.cost.rates import Rates
from simulator.facts.deployment import Deployment


def target_operators(deployment: Deployment, parameters: Mapping[str, float]) -> list[Operator]:
    """Operators of one forward pass of the target model; ``parameters`` are values of all, by name."""
    m, w, rates = deployment.model, deployment.weights, Rates(deployment, parameters)
    ops = attention.operators(m.attention, m.full_layers, w.attention, rates)
    if m.gdn is not None:
        ops += delta_net.operators(m.gdn, m.gdn_layers, w.gdn, rates)
    ops += experts.operators(m.moe, m.layers, w.routed_experts, w.shared_expert, w.fused_shared_expert, rates)
    ops += lm_head.operators(m.vocabulary, w.lm_head, rates)
    ops += collectives.operators(m.layers, rates)
    return ops


def draft_operators(deployment: Deployment, parameters: Mapping[str, float]) -> list[Operator]:
    """Operators of one forward pass of the MTP draft: a projection of two hidden vectors to one, full-attention layers
    with experts, and the target's lm_head.

    A draft whose experts have another format than the target's has no fused shared expert.
    """
    m, w, rates = deployment.model, deployment.weights, Rates(deployment, parameters)
    count = m.mtp_layers
    fused = w.fused_shared_expert and w.draft_experts == w.routed_experts
    ops = [rates.gemm("draft projection", count, 2 * m.hidden, m.hidden / deployment.tp, w.draft_dense)]
    ops += attention.operators(m.attention, count, w.draft_dense, rates)
    ops += experts.operators(m.moe, count, w.draft_experts, w.draft_experts, fused, rates)
    ops += lm_head.operators(m.vocabulary, w.lm_head, rates)
    ops += collectives.operators(count, rates)
    return ops
