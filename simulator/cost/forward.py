"""Which operators a forward pass consists of, and in which order, for the target model and for its MTP draft.

The order is part of the result: the tables of the kernels are sums over the operators as they come."""

from __future__ import annotations

from collections.abc import Mapping

from simulator.cost import attention, collectives, delta_net, experts, lm_head
from simulator.cost.operator import Operator
from simulator.cost.rates import Rates
from simulator.facts.deployment import Deployment
from simulator.facts.model import group_formats
from simulator.facts.weights import share_per_gpu


def target_operators(deployment: Deployment, parameters: Mapping[str, float]) -> list[Operator]:
    """Operators of one forward pass of the target model; ``parameters`` are values of all, by name."""
    m, w, rates = deployment.model, deployment.weights, Rates.of(deployment, parameters)
    ops = attention.operators(m.attention, m.full_layers, w.attention, rates)
    if m.gdn is not None:
        ops += delta_net.operators(m.gdn, m.gdn_layers, w.gdn, rates)
    ops += experts.operators(m.moe, m.layers, w.routed_experts, w.shared_expert, deployment.fused_shared_expert, rates)
    ops += lm_head.operators(m.vocabulary, w.lm_head, rates)
    ops += collectives.operators(m.layers, rates)
    return ops


def draft_operators(deployment: Deployment, parameters: Mapping[str, float]) -> list[Operator]:
    """Operators of one forward pass of the MTP draft: a projection of two hidden vectors to one, full-attention layers
    with experts, and the target's lm_head.

    The projection computes each attention rank's own tokens.
    """
    m, w, rates = deployment.model, deployment.weights, Rates.of(deployment, parameters)
    count, formats = m.mtp_layers, group_formats(w)
    width = m.hidden * share_per_gpu(deployment, "draft_fc")
    experts_fmt, shared_fmt = formats["draft_experts"], formats["draft_shared_expert"]
    fused = deployment.fused_draft_expert
    ops = [rates.gemm("draft projection", count, 2 * m.hidden, width, formats["draft_fc"], share=1 / deployment.dp)]
    ops += attention.operators(m.attention, count, formats["draft_attention"], rates)
    ops += experts.operators(m.moe, count, experts_fmt, shared_fmt, fused, rates)
    ops += lm_head.operators(m.vocabulary, w.lm_head, rates)
    ops += collectives.operators(count, rates)
    return ops
