"""Sizes that shapes of layers are made of, with their plausible ranges, and whether a number of ranks divides them."""

from __future__ import annotations

from typing import Annotated

from simulator.facts.plausible import Plausible
from simulator.facts.quantities import Whole

COUNT, HEADS, CHANNELS, WIDTH = (
    Plausible(1, 1_000),
    Plausible(1, 10_000),
    Plausible(8, 10_000),
    Plausible(16, 1_000_000),
)
TOKENS = Plausible(1, 100_000_000)

Layers = Annotated[Whole, COUNT]
Heads = Annotated[Whole, HEADS]
HeadChannels = Annotated[Whole, CHANNELS]
Width = Annotated[Whole, WIDTH]
Tokens = Annotated[Whole, TOKENS]
ConvKernel = Annotated[Whole, Plausible(2, 100)]


def undivided(ranks: int, sizes: dict[str, int]) -> list[str]:
    """The sizes, by what they count, that ``ranks`` does not divide: each as the end of a sentence about the ranks."""
    return [f"must divide the {size} {what}" for what, size in sizes.items() if size % ranks]
