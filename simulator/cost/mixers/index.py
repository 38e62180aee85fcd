"""Operators of an index that chooses keys: its projections, and the scores of every key that a query could see."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.cost.operator import KV, QK, Operator, T
from simulator.cost.rates import ACTIVATION_BYTES, Rates
from simulator.facts.formats import Format
from simulator.facts.mixers.index import key_bytes

SCORE_BYTES = 4.0
"""Of one score, which is written and read again to choose the best: 32 bits."""


@dataclass(frozen=True)
class Widths:
    """An index on one GPU, in channels.

    Attributes:
        queries: that its queries are made of.
        heads: of its queries, a number.
        dim: of each query and key.
        keys: that are made of the hidden vector: those of the key, and weights of the heads.
        ratio: tokens that share a key, a number.
    """

    queries: float
    heads: float
    dim: int
    keys: float
    ratio: float = 1.0


def operators(count: float, widths: Widths, fmt: Format, rates: Rates) -> list[Operator]:
    """Operators of the indexes of ``count`` layers, with weights in ``fmt``; keys and their products are FP8.

    Every query is compared with every key before it: what the index saves it does not save itself.
    """
    d, w = rates.deployment, widths
    dp, heads = d.dp, w.heads * w.dim
    family, kept = f"attention.{rates.computed('fp8')}", key_bytes(w.dim) / w.ratio / dp
    flops, scores = 2.0 * heads / w.ratio / dp, 2.0 * SCORE_BYTES / w.ratio / dp
    return [
        rates.gemm("index queries", count, w.queries, heads, fmt, share=1 / dp),
        rates.gemm("index keys, weights", count, d.model.hidden, w.keys, fmt, share=1 / dp),
        rates.kernel(family, "index scores", count, {QK: flops}, {KV: kept, T: kept, QK: scores}, "fp8"),
        rates.small("index norm, rope, top-k", 4 * count, 2 * (heads + w.keys) * ACTIVATION_BYTES / dp),
    ]
