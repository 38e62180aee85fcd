"""Blocks by layer: which named block every layer has, and how equal layers are counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from simulator.facts.importing.found import Block, Found
from simulator.facts.importing.keys import Keys

MOST_LAYERS = 10_000


@dataclass(frozen=True)
class Placed:
    """Named blocks, and the name of the one that each layer has.

    Attributes:
        blocks: name -> block.
        by_layer: a name per layer; None: that layer has none.
        source: which keys say so.
        draft: name of the one that draft layers have; None: that of the last layer that has one.
    """

    blocks: Mapping[str, Block]
    by_layer: Sequence[str | None]
    source: str
    draft: str | None = None

    @property
    def of_draft(self) -> str | None:
        """Name of the block that draft layers have."""
        return self.draft or next((name for name in reversed(self.by_layer) if name is not None), None)

    def used(self) -> dict[str, Block]:
        """The blocks that a layer or the draft has."""
        names = {*self.by_layer, self.draft}
        return {name: block for name, block in self.blocks.items() if name in names}


def number_of_layers(text: Keys) -> Found:
    """How many decoder layers there are."""
    return text.needed("num_hidden_layers") if "num_hidden_layers" not in text.raw else _bounded(text)


def _bounded(text: Keys) -> Found:
    found = text.whole("num_hidden_layers", most=MOST_LAYERS)
    return text.needed("num_hidden_layers") if found is None else found


def chosen(by_layer: Sequence[str | None], other: str, where: Callable[[int], bool]) -> list[str | None]:
    """The same, with another block in some layers.

    Example:
        >>> chosen(["full"] * 4, "window", lambda i: i % 2 == 0)
        ['window', 'full', 'window', 'full']
    """
    return [other if where(i) else name for i, name in enumerate(by_layer)]


def groups(mixers: Placed, feed_forwards: Placed) -> list[Block]:
    """Groups of equal layers with their counts, in the order in which layers first have them.

    Example:
        >>> mixed = Placed({}, ["full", "full", "full"], "layer_types")
        >>> fed = Placed({}, ["dense", "moe", "moe"], "first_k_dense_replace")
        >>> [(group["count"].value, group["feed_forward"]) for group in groups(mixed, fed)]
        [(1, 'dense'), (2, 'moe')]
    """
    counts = Counter(zip(mixers.by_layer, feed_forwards.by_layer, strict=True))
    said = ", ".join(dict.fromkeys((mixers.source, feed_forwards.source)))
    return [
        {"count": Found(count, said), "mixer": mixer or "none", "feed_forward": feed_forward or "none"}
        for (mixer, feed_forward), count in counts.items()
    ]
