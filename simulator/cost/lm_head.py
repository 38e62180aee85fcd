"""Operators of the lm_head: the product with the vocabulary, and the gathering of the logits."""

from __future__ import annotations

from simulator.cost.operator import L, Operator
from simulator.cost.rates import ACTIVATION_BYTES, Rates
from simulator.facts.formats import Format


def operators(vocabulary: int, fmt: Format, rates: Rates) -> list[Operator]:
    """Operators of one lm_head of ``vocabulary`` tokens stored in ``fmt``, its columns sharded over all GPUs."""
    tp = rates.deployment.tp
    head = rates.gemm("lm head", 1, rates.deployment.model.hidden, vocabulary / tp, fmt, per=L)
    if tp == 1:
        return [head]
    return [head, rates.collective("logits all-gather", 1, {L: vocabulary * ACTIVATION_BYTES}, tp, passes=1)]
