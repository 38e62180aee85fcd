"""A mixture of experts: routed experts with a router, and a shared expert where there is one.

Oracle: the tensor shapes and the config.json of Qwen/Qwen3.5-397B-A17B."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from simulator.facts.feed_forward.base import FeedForwardShape
from simulator.facts.formats import BYTES_PER_PARAM
from simulator.facts.plausible import Plausible
from simulator.facts.quantities import Whole
from simulator.facts.shapes import WIDTH, Width, undivided

EXPERTS, CHOSEN = Plausible(1, 10_000), Plausible(1, 1_000)


class Experts(FeedForwardShape):
    """Mixture of experts. Each expert has a gate, an up and a down projection.

    Source: Shazeer et al., arXiv 1701.06538; shared expert: DeepSeekMoE, arXiv 2401.06066.
    """

    kind: Literal["experts"] = "experts"
    experts: Annotated[Whole, EXPERTS] = Field(gt=0)
    top_k: Annotated[Whole, CHOSEN] = Field(gt=0)
    intermediate: Width = Field(gt=0)
    shared_intermediate: Width = Field(default=0, ge=0, description="of all shared experts; 0: none")
    shared_gate: bool = Field(default=False, description="a scalar gate on the shared expert")
    latent: Annotated[Width | None, WIDTH] = Field(
        default=None, gt=0, description="width that the routed experts work in; absent: that of the residual stream"
    )
    groups: Annotated[Whole | None, CHOSEN] = Field(
        default=None, gt=0, description="groups of experts that the router chooses among first"
    )
    top_groups: Annotated[Whole | None, CHOSEN] = Field(default=None, gt=0, description="groups that it keeps")
    bias: bool = Field(default=False, description="experts and router have biases")

    @model_validator(mode="after")
    def _chosen(self) -> Experts:
        if self.top_k > self.experts:
            raise ValueError(f"top_k: {self.top_k} exceeds experts {self.experts}")
        return self

    @property
    def choice(self) -> tuple[int, int]:
        """Routed experts of a layer, and how many of them a token goes to."""
        return self.experts, self.top_k

    def width(self, hidden: int) -> int:
        """Channels that the routed experts take and give."""
        return self.latent or hidden

    def expert_parameters(self, hidden: int) -> int:
        """Parameters of one routed expert."""
        width = self.width(hidden)
        biases = (2 * self.intermediate + width) * self.bias
        return 3 * width * self.intermediate + biases

    def expert_bytes(self, hidden: int, fmt: str) -> float:
        """Stored bytes of one routed expert (6.685 MB in MXFP4, 25.17 MB in BF16)."""
        return self.expert_parameters(hidden) * BYTES_PER_PARAM[fmt]

    def shared_expert_parameters(self, hidden: int) -> int:
        """Parameters of the shared expert; 0 without one."""
        return 3 * hidden * self.shared_intermediate

    def shared_gate_parameters(self, hidden: int) -> int:
        """Parameters of the scalar gate of the shared expert; 0 without one."""
        return hidden if self.shared_intermediate and self.shared_gate else 0

    def router_parameters(self, hidden: int) -> int:
        """Parameters of the router."""
        return (hidden + self.bias) * self.experts

    def latent_parameters(self, hidden: int) -> int:
        """Parameters of the projections to the latent width and back; 0 without one."""
        return 2 * hidden * self.latent if self.latent else 0

    def parameters(self, hidden: int) -> dict[str, int]:
        """Parameters of one layer by tensor group; the gate of the shared expert is among the norms."""
        return {
            "routed_experts": self.experts * self.expert_parameters(hidden),
            "shared_expert": self.shared_expert_parameters(hidden),
            "latent": self.latent_parameters(hidden),
            "router": self.router_parameters(hidden),
            "norms": self.shared_gate_parameters(hidden),
        }

    def share_per_gpu(self, hidden: int, ranks: int) -> dict[str, float]:
        """Equal parts of the experts (with expert parallelism ep x tp_expert = ranks); the rest whole on every GPU."""
        sharded = 1 / ranks
        return {"routed_experts": sharded, "shared_expert": sharded, "latent": 1.0, "router": 1.0, "norms": 1.0}

    def group_faults(self, groups: int) -> list[str]:
        """What a number of expert-parallel groups breaks."""
        return undivided(groups, {"experts": self.experts})

    def shard_faults(self, shards: int) -> list[str]:
        """What a number of shards of each expert breaks."""
        return undivided(shards, {"expert intermediate": self.intermediate})

    def faults(self, ranks: int) -> list[str]:
        """What a number of ranks breaks of the shared expert, which expert parallelism does not divide."""
        return undivided(ranks, {"shared-expert intermediate": self.shared_intermediate})
