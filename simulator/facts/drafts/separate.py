"""Drafts that are models of their own: of the hidden vectors of the target (EAGLE-3), of a block at once, or small."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from simulator.facts.drafts.base import DraftShape, Passes, Projection
from simulator.facts.engine import Round
from simulator.facts.formats import Format
from simulator.facts.layers import Attention, Experts, FeedForward, LayerGroup, Mixer, Stack
from simulator.facts.plausible import Plausible
from simulator.facts.quantities import Whole
from simulator.facts.shapes import Width

HIDDEN, VOCABULARY, INPUTS = Plausible(64, 131_072), Plausible(100, 10_000_000), Plausible(1, 100)
BF16: Format = "bf16"
NORMS_AND_ROUTER = {"norms": BF16, "router": BF16}


class SeparateDraft(DraftShape):
    """Layers, width and weights of its own; only where it says so also a vocabulary and an embedding."""

    hidden: Annotated[Width, HIDDEN] = Field(gt=0, description="channels of its residual stream")
    vocabulary: Annotated[Whole | None, VOCABULARY] = Field(
        default=None, gt=0, description="tokens of an lm_head of its own; absent: it uses the target's"
    )
    mixers: dict[str, Mixer] = Field(default_factory=dict)
    feed_forwards: dict[str, FeedForward] = Field(default_factory=dict)
    layers: list[LayerGroup] = Field(min_length=1)
    weights: Format | dict[str, Format] = Field(default="bf16", description="their format, one or by tensor group")
    source: str

    @model_validator(mode="after")
    def _shape(self) -> SeparateDraft:
        used = self.stack({}, {})
        if any(layer.state_bytes("bf16") for layer, _ in used.mixers):
            raise ValueError(
                "mixers: a draft cannot have a recurrent state, of which rejected tokens leave no way back"
            )
        if any(isinstance(layer, Experts) for layer, _ in used.feed_forwards):
            raise ValueError("feed_forwards: a draft of its own cannot have experts")
        for kind, known in (("mixer", self.mixers), ("feed_forward", self.feed_forwards)):
            wrong = {name for group in self.layers if (name := getattr(group, kind)) not in (None, *known)}
            if wrong:
                raise ValueError(f"{kind} {', '.join(sorted(wrong))}: expected one of {', '.join(known) or 'none'}")
        return self

    def stack(self, mixers: Mapping[str, Mixer], feed_forwards: Mapping[str, FeedForward]) -> Stack:
        """The layers of a pass, which are its own."""
        return Stack.of(self.layers, self.mixers, self.feed_forwards)

    def width(self, hidden: int) -> int:
        """Channels of its residual stream."""
        return self.hidden

    def logits(self, vocabulary: int) -> int:
        """Tokens that it chooses among."""
        return self.vocabulary or vocabulary

    @property
    def own_head(self) -> bool:
        """Whether it has an lm_head of its own."""
        return self.vocabulary is not None

    def own(self, hidden: int, vocabulary: int) -> dict[str, int]:
        """Parameters beside its layers: projections, a norm before the head, and a head of its own."""
        head = {"lm_head": self.vocabulary * self.hidden} if self.vocabulary else {}
        return super().own(hidden, vocabulary) | {"norms": self.hidden} | head

    def formats(self) -> Mapping[str, Format]:
        """Formats of its tensor groups."""
        groups = ("fc", "attention", "indexer", "dense", "latent", "embedding", "lm_head")
        stated = self.weights if isinstance(self.weights, dict) else dict.fromkeys(groups, self.weights)
        return {**dict.fromkeys(groups, BF16), **stated, **NORMS_AND_ROUTER}


class EagleDraft(SeparateDraft):
    """EAGLE-3: hidden vectors of several layers of the target, projected to one, beside the embedding of the token.

    Each layer's attention takes both, so it has twice the rows of q, k and v. The projection is counted in every pass.
    Source: Li et al., EAGLE-3, arXiv 2503.01840.
    """

    title: ClassVar[str] = "EAGLE-3 draft"
    kind: Literal["eagle3"] = "eagle3"
    inputs: Annotated[Whole, INPUTS] = Field(default=3, gt=0, description="hidden vectors of the target")

    def projections(self, hidden: int) -> list[Projection]:
        """Of the target's hidden vectors to its own, and of the embedding to queries, keys and values."""
        found = [Projection(1, self.inputs * hidden, self.hidden)]
        for layer, count in self.stack({}, {}).mixers:
            if isinstance(layer, Attention):
                wide = layer.query_heads * layer.head_dim + layer.kv_heads * (layer.head_dim + layer.values)
                found.append(Projection(count, self.hidden, wide, sharded=True))
        return found

    def passes(self, made: Round, k: int) -> Passes:
        """As the engine drafts with MTP layers."""
        return Passes(made.single_passes(k), made.extend_passes(k))


class BlockDraft(SeparateDraft):
    """All tokens of a block in one pass: as many queries as are verified, on hidden vectors of the target.

    Source: Chen et al., DFlash, arXiv 2602.06036; DSpark drafts of DeepSeek and Moonshot do the same.
    """

    title: ClassVar[str] = "block draft"
    kind: Literal["block"] = "block"
    inputs: Annotated[Whole, INPUTS] = Field(default=5, gt=0, description="hidden vectors of the target")

    def projections(self, hidden: int) -> list[Projection]:
        """Of the target's hidden vectors to its own."""
        return [Projection(1, self.inputs * hidden, self.hidden)]

    def passes(self, made: Round, k: int) -> Passes:
        """One, whatever the engine does with other drafts."""
        return Passes(block=1)


class ModelDraft(SeparateDraft):
    """A small model with the target's tokens, its own embedding and lm_head, one matrix or two.

    Source: Leviathan et al., arXiv 2211.17192.
    """

    title: ClassVar[str] = "draft model"
    kind: Literal["model"] = "model"
    tied_embedding: bool = Field(default=False, description="embedding and lm_head are one matrix")

    @model_validator(mode="after")
    def _head(self) -> ModelDraft:
        if self.vocabulary is None:
            raise ValueError("vocabulary: missing; a draft model has an lm_head of its own")
        return self

    def own(self, hidden: int, vocabulary: int) -> dict[str, int]:
        """Parameters beside its layers, with the embedding."""
        found = super().own(hidden, vocabulary)
        return found if self.tied_embedding else found | {"embedding": found["lm_head"]}

    def passes(self, made: Round, k: int) -> Passes:
        """As the engine drafts with MTP layers."""
        return Passes(made.single_passes(k), made.extend_passes(k))
