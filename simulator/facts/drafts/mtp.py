"""A model's own layers for multi-token prediction (MTP)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from simulator.facts.drafts.base import DraftShape, Passes, Projection
from simulator.facts.engine import Round
from simulator.facts.layers import FeedForward, LayerGroup, Mixer, Stack
from simulator.facts.shapes import Layers


class MtpDraft(DraftShape):
    """Layers of the model's own kind behind a projection of two hidden vectors to one; embedding and lm_head are the
    target's, and its checkpoint has the formats.

    The projection is a plain linear layer, whole on every GPU. Source: DeepSeek-V3, arXiv 2412.19437; SGLang 0.5.23,
    ``sglang/srt/models/qwen3_5_mtp.py``.
    """

    title: ClassVar[str] = "MTP layers"
    kind: Literal["mtp"] = "mtp"
    layers: Layers = Field(default=1, gt=0)
    mixer: str
    feed_forward: str

    @property
    def groups(self) -> list[LayerGroup]:
        """Its layers."""
        return [LayerGroup(count=self.layers, mixer=self.mixer, feed_forward=self.feed_forward)]

    def stack(self, mixers: Mapping[str, Mixer], feed_forwards: Mapping[str, FeedForward]) -> Stack:
        """The layers of a pass."""
        return Stack.of(self.groups, mixers, feed_forwards)

    def projections(self, hidden: int) -> list[Projection]:
        """Of two hidden vectors to one, before each layer."""
        return [Projection(self.layers, 2 * hidden, hidden)]

    def own(self, hidden: int, vocabulary: int) -> dict[str, int]:
        """Parameters beside its layers: the projections, and three norms more than a layer has."""
        return super().own(hidden, vocabulary) | {"norms": self.layers * 3 * hidden}

    def passes(self, made: Round, k: int) -> Passes:
        """As the engine drafts."""
        return Passes(made.single_passes(k), made.extend_passes(k))
