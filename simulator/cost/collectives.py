"""Communication of the layers: what the GPUs of a replica send each other after attention and after the experts."""

from __future__ import annotations

from simulator.cost.operator import Operator, T
from simulator.cost.rates import ACTIVATION_BYTES, Rates


def operators(count: float, rates: Rates) -> list[Operator]:
    """Collectives of ``count`` layers: two all-reduces each of one hidden vector per token; none on one GPU.

    With data-parallel attention the tokens are gathered for the experts and the sums scattered back, and attention is
    reduced inside the GPUs of a rank.
    """
    d = rates.deployment
    message = d.model.hidden * ACTIVATION_BYTES
    if d.tp == 1:
        return []
    if d.dp == 1:
        return [rates.collective("all-reduce", 2 * count, {T: message}, d.tp, passes=2)]
    ops = [
        rates.collective("all-gather to experts", count, {T: message}, d.tp, passes=1),
        rates.collective("reduce-scatter from experts", count, {T: message}, d.tp, passes=1),
    ]
    if d.attention_tp > 1:
        inner = {T: message / d.dp}
        ops.append(rates.collective("all-reduce in attention group", count, inner, d.attention_tp, passes=2))
    return ops
