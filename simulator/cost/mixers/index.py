"""Operators of an index that chooses keys: its projections, and the scores of every key that a query could see."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.cost.operator import KV, QK, Operator, T
from simulator.cost.rates import ACTIVATION_BYTES, Rates
from simulator.facts.formats import Format
from simulator.facts.mixers.index import key_bytes
from simulator.units import NANO

SCORE_BYTES = 4.0
"""Of one score, 32 bits."""


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
    flops, written = 2.0 * heads / w.ratio / dp, SCORE_BYTES / w.ratio / dp
    return [
        rates.gemm("index queries", count, w.queries, heads, fmt, share=1 / dp),
        rates.gemm("index keys, weights", count, d.model.hidden, w.keys, fmt, share=1 / dp),
        rates.kernel(family, "index scores", count, {QK: flops}, {KV: kept, T: kept, QK: written}, "fp8"),
        _choice(count, written, w.ratio, rates),
        rates.small("index norm, rope", 3 * count, 2 * (heads + w.keys) * ACTIVATION_BYTES / dp),
    ]


def _choice(count: float, read: float, ratio: float, rates: Rates) -> Operator:
    """The kernel that chooses the best scores: one workgroup a query, which walks all of them."""
    return Operator(
        name="index top-k",
        resource="HBM",
        count=count,
        latency=rates.seconds("small.latency_us"),
        flops_rate=rates.hardware.peak_flops.bf16,
        byte_rate=rates.bandwidth("index.bandwidth_eff"),
        bytes={QK: read},
        walk=rates.parameters["index.walk_ns"] * NANO / ratio,
    )
