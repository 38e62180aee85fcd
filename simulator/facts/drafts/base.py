"""What every kind of draft answers: its layers, its parameters beside them, and its passes in a round.

``hidden`` and ``vocabulary`` are those of the target. What is not overridden is that of a draft that runs no pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from simulator.facts.engine import Round
from simulator.facts.formats import Format
from simulator.facts.layers import FeedForward, LayerGroup, Mixer, Stack
from simulator.facts.quantities import Spec


@dataclass(frozen=True)
class Passes:
    """Draft passes of a round.

    Attributes:
        single: serial passes of one token per request.
        extend: 0 or 1 over all verified tokens, with the logits of one for each request.
        block: 0 or 1 over as many, with the logits of all drafted tokens.
    """

    single: int = 0
    extend: int = 0
    block: int = 0

    @property
    def total(self) -> int:
        """Passes of any kind."""
        return self.single + self.extend + self.block


@dataclass(frozen=True)
class Projection:
    """A matrix of a draft beside its layers: ``count`` of k x n, whole on every GPU or with its columns sharded."""

    count: int
    k: int
    n: int
    sharded: bool = False


class DraftShape(Spec):
    """A kind of draft."""

    title: ClassVar[str]
    """What it is called in sentences."""

    @property
    def groups(self) -> list[LayerGroup]:
        """Layers that it takes from the target's named mixers and feed-forwards."""
        return []

    def stack(self, mixers: Mapping[str, Mixer], feed_forwards: Mapping[str, FeedForward]) -> Stack:
        """The layers of a pass; the arguments are the target's."""
        return Stack()

    def width(self, hidden: int) -> int:
        """Channels of its residual stream."""
        return hidden

    def logits(self, vocabulary: int) -> int:
        """Tokens that it chooses among."""
        return vocabulary

    @property
    def own_head(self) -> bool:
        """Whether it has an lm_head of its own; else it uses the target's."""
        return False

    def projections(self, hidden: int) -> list[Projection]:
        """Its matrices beside layers and lm_head."""
        return []

    def own(self, hidden: int, vocabulary: int) -> dict[str, int]:
        """Parameters beside its layers by tensor group, norms too."""
        return {"fc": sum(one.count * one.k * one.n for one in self.projections(hidden)), "norms": 0}

    def formats(self) -> Mapping[str, Format]:
        """Formats of its tensor groups, where the target's checkpoint does not say them."""
        return {}

    def passes(self, made: Round, k: int) -> Passes:
        """Passes of a round of an engine that drafts k tokens."""
        return Passes()
