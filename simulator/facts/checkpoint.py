"""The number formats of one published checkpoint, by tensor group."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from simulator.facts.formats import Format
from simulator.facts.quantities import Spec


class Checkpoint(Spec):
    """Number format per tensor group of one published checkpoint. What is absent is as :func:`group_formats` says."""

    repository: str
    precision: Literal["bf16", "fp8", "fp4", "int4"]
    routed_experts: Format | None = Field(default=None, description="absent: the model has none")
    attention: Format = Field(description="projections of the mixers")
    gdn: Format | None = Field(default=None, description="projections of linear attention; absent: as attention")
    dense: Format | None = Field(default=None, description="dense feed-forwards; absent: as attention")
    shared_expert: Format | None = Field(default=None, description="absent: as dense")
    lm_head: Format = "bf16"
    draft_experts: Format | None = Field(default=None, description="absent: as the target's")
    draft_dense: Format | None = Field(
        default=None, description="all of the draft but routed experts, projection and router; absent: as the target's"
    )
    weight_only: bool = Field(
        default=False,
        description="made for 16-bit activations: hardware without a unit for a format unpacks the weights unasked",
    )
    fused_shared_expert: bool | None = Field(
        default=None, description="no longer read: the engine or its recipe says whether the shared expert is fused"
    )
    source: str

    @property
    def body(self) -> Format:
        """Format of most of the weights: of the routed experts, without any of the dense feed-forwards."""
        return self.routed_experts or self.dense or self.attention


def group_formats(checkpoint: Checkpoint) -> dict[str, Format]:
    """Number format of every tensor group. Routers, norms and the embedding are BF16 in every checkpoint.

    The few small GDN tensors (b, a, convolution) that FP8 checkpoints keep in BF16 are counted as FP8: 0.03 GB.
    """
    c = checkpoint
    dense = c.dense or c.attention
    layers: dict[str, Format] = {
        "attention": c.attention,
        "indexer": c.attention,
        "gdn": c.gdn or c.attention,
        "dense": dense,
        "latent": dense,
        "shared_expert": c.shared_expert or dense,
        "router": "bf16",
        "norms": "bf16",
    }
    if c.routed_experts:
        layers["routed_experts"] = c.routed_experts
    out: dict[str, Format] = {**layers, "embedding": "bf16", "lm_head": c.lm_head, "draft_fc": "bf16"}
    for group, fmt in layers.items():
        own = c.draft_experts if group == "routed_experts" else c.draft_dense
        out[draft_group(group)] = fmt if group in ("router", "norms") else own or fmt
    return out


def draft_group(group: str) -> str:
    """What a tensor group of layers is called in the draft."""
    return "draft_experts" if group == "routed_experts" else f"draft_{group}"
