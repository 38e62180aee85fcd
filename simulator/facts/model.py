"""The shape of a model: named mixers and feed-forwards in groups of layers, its draft, and its checkpoints."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field, ValidationInfo, model_validator

from simulator.facts.checkpoint import Checkpoint
from simulator.facts.draft import Draft, MtpDraft
from simulator.facts.former import FormerModel, is_former
from simulator.facts.layers import NONE, Experts, FeedForward, LayerGroup, Mixer, Stack
from simulator.facts.plausible import Plausible
from simulator.facts.quantities import Spec, Whole


class Model(Spec):
    """Shape of a decoder. The order of its layers does not matter, only how many there are of each."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    aliases: list[str] = Field(default_factory=list, description="other names and repositories of the same model")
    source: str
    hidden: Annotated[Whole, Plausible(64, 131_072)] = Field(gt=0)
    vocabulary: Annotated[Whole, Plausible(100, 10_000_000)] = Field(gt=0)
    context_length: Annotated[Whole | None, Plausible(1_024, 100_000_000)] = Field(
        default=None, gt=0, description="input and output tokens of a request, at most; absent: unknown"
    )
    tied_embedding: bool = Field(default=False, description="embedding and lm_head are one matrix")
    mixers: dict[str, Mixer] = Field(default_factory=dict)
    feed_forwards: dict[str, FeedForward] = Field(default_factory=dict)
    layers: list[LayerGroup] = Field(min_length=1)
    draft: Annotated[Draft | None, Field(description="absent: the model has no draft of its own")] = None
    checkpoints: dict[str, Checkpoint]
    default_acceptance: str | None = Field(
        default=None, description="name of an acceptance profile, of random tokens where one is published"
    )
    draft_acceptance: dict[str, str] = Field(
        default_factory=dict, description="kind of another draft -> name of an acceptance profile"
    )
    sources: dict[str, str] = Field(
        default_factory=dict, description="path of a number -> key of the source that it comes from"
    )

    @model_validator(mode="before")
    @classmethod
    def _former(cls, raw: Any, info: ValidationInfo) -> Any:
        if not is_former(raw):
            return raw
        strict = bool((info.context or {}).get("yaml"))
        return FormerModel.model_validate(raw, strict=strict, context=info.context).in_groups()

    @model_validator(mode="after")
    def _shape(self) -> Model:
        faults = [*self._name_faults(), *self._format_faults()]
        if len({layer.choice for layer in self.feed_forwards.values() if isinstance(layer, Experts)}) > 1:
            faults.append("feed_forwards: all that have experts need the same number of them and the same top_k")
        if not self.checkpoints:
            faults.append("checkpoints: at least one is needed")
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _name_faults(self) -> Iterator[str]:
        groups = [*self.layers, *(self.draft.groups if self.draft else ())]
        for kind, known in (("mixer", self.mixers), ("feed_forward", self.feed_forwards)):
            used = {name for group in groups if (name := getattr(group, kind)) is not None}
            for name in sorted(used - known.keys()):
                yield f"{kind} {name}: expected one of {kind}s, {', '.join(known) or 'of which there are none'}"
            for name in sorted(known.keys() - used):
                yield f"{kind}s.{name}: no layer has it"
            if NONE in known:
                yield f"{kind}s.{NONE}: stands for a layer without one; name it otherwise"

    def _format_faults(self) -> Iterator[str]:
        for name, checkpoint in self.checkpoints.items():
            if self.experts is not None and checkpoint.routed_experts is None:
                yield f"checkpoints.{name}.routed_experts: missing; the model has experts"

    @functools.cached_property
    def target_layers(self) -> Stack:
        """The layers of the model, without its draft."""
        return Stack.of(self.layers, self.mixers, self.feed_forwards)

    @functools.cached_property
    def draft_layers(self) -> Stack:
        """The layers of its draft; none without one."""
        return self.draft.stack(self.mixers, self.feed_forwards) if self.draft else Stack()

    @property
    def drafts_itself(self) -> bool:
        """Whether its own MTP layers draft, to which a fitted acceptance belongs."""
        return isinstance(self.draft, MtpDraft)

    @property
    def experts(self) -> Experts | None:
        """A feed-forward with routed experts; all have as many and choose as many. None: the model has none."""
        return next((layer for layer in self.feed_forwards.values() if isinstance(layer, Experts)), None)

    @functools.cached_property
    def layer_count(self) -> int:
        """Number of layers."""
        return sum(group.count for group in self.layers)

    @functools.cached_property
    def has_state(self) -> bool:
        """Whether sequences carry a recurrent state."""
        return any(layer.state_bytes("bf16") > 0 for layer, _ in self.target_layers.mixers)
