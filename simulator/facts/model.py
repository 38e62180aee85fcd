"""The shape of a model and the number formats of its checkpoints."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from simulator.facts.formats import Format
from simulator.facts.layers import Attention, GatedDeltaNet, MoE
from simulator.facts.plausible import Plausible
from simulator.facts.quantities import Spec, Whole


class Checkpoint(Spec):
    """Number format per tensor group of one published checkpoint."""

    repository: str
    precision: Literal["bf16", "fp8", "fp4"]
    routed_experts: Format
    shared_expert: Format
    attention: Format = Field(description="full-attention projections")
    gdn: Format = Field(description="Gated DeltaNet projections")
    lm_head: Format
    draft_experts: Format
    draft_dense: Format
    fused_shared_expert: bool | None = Field(
        default=None, description="no longer read: the engine or its recipe says whether the shared expert is fused"
    )
    source: str


class Model(Spec):
    """Shape of a decoder with MoE layers, optional Gated DeltaNet layers and an optional MTP layer."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    source: str
    hidden: Annotated[Whole, Plausible(64, 131_072)] = Field(gt=0)
    layers: Annotated[Whole, Plausible(1, 1_000)] = Field(gt=0)
    full_attention_every: Annotated[Whole, Plausible(1, 1_000)] = Field(
        gt=0, description="1: every layer; 4: every fourth layer is full attention"
    )
    vocabulary: Annotated[Whole, Plausible(100, 10_000_000)] = Field(gt=0)
    attention: Attention
    gdn: GatedDeltaNet | None = None
    moe: MoE
    mtp_layers: Annotated[Whole, Plausible(1, 100)] = Field(ge=0)
    checkpoints: dict[str, Checkpoint]
    default_acceptance: str | None = Field(default=None, description="name of an acceptance profile, of random tokens")

    @model_validator(mode="after")
    def _shape(self) -> Model:
        if self.full_attention_every > 1 and self.gdn is None:
            raise ValueError("gdn: required because full_attention_every > 1 leaves layers without attention")
        if self.full_attention_every > self.layers:
            raise ValueError(f"full_attention_every: {self.full_attention_every} leaves none of {self.layers} layers")
        if self.moe.top_k > self.moe.experts:
            raise ValueError(f"moe.top_k: {self.moe.top_k} exceeds moe.experts {self.moe.experts}")
        if not self.checkpoints:
            raise ValueError("checkpoints: at least one is needed")
        return self

    @property
    def full_layers(self) -> int:
        """Number of full-attention layers."""
        return self.layers // self.full_attention_every

    @property
    def gdn_layers(self) -> int:
        """Number of Gated DeltaNet layers."""
        return self.layers - self.full_layers

    @property
    def has_state(self) -> bool:
        """Whether sequences carry a recurrent state."""
        return self.gdn is not None


def group_formats(checkpoint: Checkpoint) -> dict[str, Format]:
    """Number format of every tensor group. Routers, norms and the embedding are BF16 in every checkpoint.

    The few small GDN tensors (b, a, convolution) that FP8 checkpoints keep in BF16 are counted as FP8: 0.03 GB.
    """
    return {
        "attention": checkpoint.attention,
        "gdn": checkpoint.gdn,
        "routed_experts": checkpoint.routed_experts,
        "shared_expert": checkpoint.shared_expert,
        "router": "bf16",
        "norms": "bf16",
        "embedding": "bf16",
        "lm_head": checkpoint.lm_head,
        "draft_fc": "bf16",
        "draft_attention": checkpoint.draft_dense,
        "draft_experts": checkpoint.draft_experts,
        "draft_shared_expert": checkpoint.draft_dense,
        "draft_router": "bf16",
        "draft_norms": "bf16",
    }
