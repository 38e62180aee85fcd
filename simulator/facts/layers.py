"""Layers of a decoder: any mixer with any feed-forward, in groups of equal ones, and what those of a pass add up to.

A new kind is one file in ``mixers/`` or ``feed_forward/`` and a word in the union here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from simulator.facts.feed_forward.dense import Dense
from simulator.facts.feed_forward.experts import Experts
from simulator.facts.mixers.attention import Attention
from simulator.facts.mixers.compressed_attention import CompressedAttention
from simulator.facts.mixers.gated_delta_net import GatedDeltaNet
from simulator.facts.mixers.kimi_delta import KimiDelta
from simulator.facts.mixers.latent_attention import LatentAttention
from simulator.facts.mixers.mamba2 import Mamba2
from simulator.facts.quantities import Spec
from simulator.facts.shapes import Layers

__all__ = [
    "Attention",
    "CompressedAttention",
    "Dense",
    "Experts",
    "FeedForward",
    "GatedDeltaNet",
    "KimiDelta",
    "LatentAttention",
    "LayerGroup",
    "Mamba2",
    "Mixer",
    "Stack",
]

Mixer = Annotated[
    Attention | LatentAttention | CompressedAttention | GatedDeltaNet | KimiDelta | Mamba2,
    Field(discriminator="kind"),
]
FeedForward = Annotated[Dense | Experts, Field(discriminator="kind")]

NONE = "none"
"""What stands for a layer that has no mixer, or no feed-forward."""


class LayerGroup(Spec):
    """So many equal layers: a mixer and a feed-forward, by their names in the model, or one of the two."""

    count: Layers = Field(gt=0)
    mixer: str | None = None
    feed_forward: str | None = None

    @field_validator("mixer", "feed_forward", mode="before")
    @classmethod
    def _none(cls, name: Any) -> Any:
        return None if name == NONE else name

    @model_validator(mode="after")
    def _something(self) -> LayerGroup:
        if self.mixer is None and self.feed_forward is None:
            raise ValueError("a layer needs a mixer, a feed_forward or both")
        return self


@dataclass(frozen=True)
class Stack:
    """The layers of one forward pass, whatever their order: every mixer and feed-forward with its number of layers."""

    mixers: tuple[tuple[Mixer, int], ...] = ()
    feed_forwards: tuple[tuple[FeedForward, int], ...] = ()

    @classmethod
    def of(
        cls, groups: Iterable[LayerGroup], mixers: Mapping[str, Mixer], feed_forwards: Mapping[str, FeedForward]
    ) -> Stack:
        """The layers of some groups, by kind in the order in which the kinds are declared."""
        groups = list(groups)
        mixed = {name: sum(g.count for g in groups if g.mixer == name) for name in mixers}
        fed = {name: sum(g.count for g in groups if g.feed_forward == name) for name in feed_forwards}
        return cls(
            tuple((mixers[name], count) for name, count in mixed.items() if count),
            tuple((feed_forwards[name], count) for name, count in fed.items() if count),
        )

    @property
    def mixer_layers(self) -> int:
        """Layers with a mixer."""
        return sum(count for _, count in self.mixers)

    @property
    def feed_forward_layers(self) -> int:
        """Layers with a feed-forward."""
        return sum(count for _, count in self.feed_forwards)

    @property
    def experts(self) -> tuple[tuple[Experts, int], ...]:
        """The feed-forwards with routed experts, with their numbers of layers."""
        return tuple((layer, count) for layer, count in self.feed_forwards if isinstance(layer, Experts))

    def parameters(self, hidden: int) -> dict[str, int]:
        """Parameters of all layers by tensor group; each mixer and each feed-forward has a norm before it."""
        out = {"norms": hidden * (self.mixer_layers + self.feed_forward_layers)}
        for layer, count in (*self.mixers, *self.feed_forwards):
            for group, each in layer.parameters(hidden).items():
                out[group] = out.get(group, 0) + count * each
        return out

    def parameters_per_gpu(self, hidden: int, attention_ranks: int, ranks: int) -> dict[str, float]:
        """Parameters on each GPU by tensor group; ranks are those of the mixers and those of the feed-forwards."""
        out = {"norms": float(hidden * (self.mixer_layers + self.feed_forward_layers))}
        sharded: list[tuple[Mixer | FeedForward, int, int]] = []
        sharded += [(layer, count, attention_ranks) for layer, count in self.mixers]
        sharded += [(layer, count, ranks) for layer, count in self.feed_forwards]
        for layer, count, gpus in sharded:
            shares = layer.share_per_gpu(hidden, gpus)
            for group, each in layer.parameters(hidden).items():
                out[group] = out.get(group, 0.0) + count * each * shares[group]
        return out
