"""Which operators a forward pass consists of, and in which order, for the target model and for its draft.

The order is part of the result: the tables of the kernels are sums over the operators as they come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from simulator.cost import collectives, layers, lm_head
from simulator.cost.operator import Operator
from simulator.cost.rates import Rates
from simulator.facts.deployment import Deployment
from simulator.facts.layers import Stack


def target_operators(deployment: Deployment, parameters: Mapping[str, float]) -> list[Operator]:
    """Operators of one forward pass of the target model; ``parameters`` are values of all, by name.

    A token passes all pipeline stages, which wait for the one with the most layers.
    """
    m, rates = deployment.model, Rates.of(deployment, parameters)
    ops = _of_stages(layers.operators(m.target_layers, deployment.target_formats, rates), deployment)
    ops += lm_head.operators(m.vocabulary, deployment.weights.lm_head, rates)
    ops += _of_stages(collectives.operators(m.target_layers, rates), deployment)
    return [*ops, collectives.hand_over(rates)] if deployment.pp > 1 else ops


def _of_stages(operators: list[Operator], deployment: Deployment) -> list[Operator]:
    """Operators of layers where each pipeline stage takes as long as the one with the most of them."""
    if deployment.pp == 1:
        return operators
    uneven = deployment.stage_share * deployment.pp
    return [replace(op, count=op.count * uneven) for op in operators]


def draft_operators(deployment: Deployment, parameters: Mapping[str, float]) -> list[Operator]:
    """Operators of one forward pass of the draft: projections of hidden vectors, its layers, and an lm_head, its own or
    the target's; none of a draft that runs no pass.

    The projections compute each attention rank's own tokens.
    """
    d, draft = deployment, deployment.model.draft
    if draft is None or d.model.draft_layers == Stack():
        return []
    m, rates, formats = d.model, Rates.of(d.as_draft, parameters), d.formats
    head = "draft_lm_head" if draft.own_head else "lm_head"
    ops = [
        rates.gemm(
            "draft projection" if not one.sharded else "draft embedding to qkv",
            one.count,
            one.k,
            one.n / (d.attention_tp if one.sharded else 1),
            formats["draft_fc"],
            share=1 / d.dp,
        )
        for one in draft.projections(m.hidden)
    ]
    ops += layers.operators(m.draft_layers, d.draft_formats, rates)
    ops += lm_head.operators(draft.logits(m.vocabulary), formats[head], rates)
    ops += collectives.operators(m.draft_layers, rates)
    return ops
