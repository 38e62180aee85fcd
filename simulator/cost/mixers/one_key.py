"""Attention in which all heads share one key, which is the value too: kernels over the cache."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from simulator.cost.operator import Operator, Part
from simulator.cost.rates import Rates

TILE = 16
"""Rows of the tiles that matrix units multiply; heads are the rows, as they share the key (AMD CDNA matrix core
instructions 16x16, NVIDIA wgmma 64 and mma 16)."""


def padded(heads: float) -> float:
    """FLOPs over those of ``heads`` heads, of which a GPU computes whole tiles."""
    return max(1.0, TILE / heads)


def operators(
    name: str,
    count: float,
    flops: Mapping[int, float],
    moved: Mapping[int, float],
    rates: Rates,
    window: float = math.inf,
) -> list[Operator]:
    """The kernel of ``count`` layers: over the tokens of prompts, and over those that decode.

    Tiles of many heads keep a key for all of them, so that in decode the arithmetic overlaps with the reading of the
    cache: kernel tables show the longer of the two, not their sum.

    Args:
        name: of the operator.
        count: layers.
        flops: FLOPs of one layer per unit of a load.
        moved: HBM bytes of one layer per unit of a load.
        rates: achieved.
        window: tokens that a query sees at most.
    """
    fmt = rates.deployment.kv_format
    kernel = rates.kernel(f"attention.{rates.computed(fmt)}", name, count, flops, moved, fmt)
    return [
        replace(kernel, window=window, part=Part.DECODES, overlaps=True),
        replace(kernel, window=window, part=Part.PROMPTS, name=f"{name}, prompts"),
    ]
