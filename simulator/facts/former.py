"""The form that model profiles had while a model was full attention, Gated DeltaNet and experts: read as layer groups.

Every n-th layer is attention, the others are Gated DeltaNet, and each layer has experts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, model_validator

from simulator.facts.checkpoint import Checkpoint
from simulator.facts.layers import Attention, Experts, GatedDeltaNet
from simulator.facts.quantities import Spec, Whole
from simulator.facts.shapes import COUNT, Layers


class FormerModel(Spec):
    """A model in the former form; what is not of its layers is as in :class:`simulator.facts.model.Model`."""

    name: Any
    source: Any
    hidden: Any
    vocabulary: Any
    layers: Layers = Field(gt=0)
    full_attention_every: Layers = Field(gt=0, description="1: every layer; 4: every fourth layer is full attention")
    attention: Attention
    gdn: GatedDeltaNet | None = None
    moe: Experts
    mtp_layers: Annotated[Whole, COUNT] = Field(ge=0)
    checkpoints: dict[str, Checkpoint]
    default_acceptance: Any = None

    @model_validator(mode="after")
    def _shape(self) -> FormerModel:
        if self.full_attention_every > 1 and self.gdn is None:
            raise ValueError("gdn: required because full_attention_every > 1 leaves layers without attention")
        if self.full_attention_every > self.layers:
            raise ValueError(f"full_attention_every: {self.full_attention_every} leaves none of {self.layers} layers")
        return self

    def in_groups(self) -> dict[str, Any]:
        """The same model in layer groups. Head norms and the gate of the shared expert were always counted."""
        full = self.layers // self.full_attention_every
        mixers: dict[str, Any] = {"attention": self.attention.model_copy(update={"qk_norm": True})}
        layers = [{"count": full, "mixer": "attention", "feed_forward": "moe"}]
        if self.layers > full:
            mixers["gdn"] = self.gdn
            layers.append({"count": self.layers - full, "mixer": "gdn", "feed_forward": "moe"})
        out: dict[str, Any] = {
            "name": self.name,
            "source": self.source,
            "hidden": self.hidden,
            "vocabulary": self.vocabulary,
            "mixers": mixers,
            "feed_forwards": {"moe": self.moe.model_copy(update={"shared_gate": True})},
            "layers": layers,
            "checkpoints": self.checkpoints,
            "default_acceptance": self.default_acceptance,
        }
        if self.mtp_layers:
            out["draft"] = {"kind": "mtp", "layers": self.mtp_layers, "mixer": "attention", "feed_forward": "moe"}
        return out


def is_former(raw: Any) -> bool:
    """Whether a raw profile is in the former form."""
    own = {"full_attention_every", "attention", "gdn", "moe", "mtp_layers"}
    return isinstance(raw, Mapping) and "mixers" not in raw and not own.isdisjoint(raw)
