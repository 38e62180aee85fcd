"""How an engine keeps the prompts that it has seen: pages, and where recurrent states are stored."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from simulator.facts.plausible import Plausible
from simulator.facts.quantities import Spec, Whole

Strategy = Literal["chunk_ends", "branches", "steps", "interval"]
"""Where states are stored: where a prefill pass ends; there and where a prompt leaves what was known; where a pass ends
on the grid of pages; every so many tokens, and where a prompt leaves what was known."""


class PrefixCache(Spec):
    """The prefix cache of an engine. What is absent is unknown."""

    page_tokens: Annotated[Whole, Plausible(1, 4096)] = Field(gt=0, description="tokens of a page: less is not found")
    states: Strategy = Field(description="where recurrent states are stored")
    state_interval: Annotated[Whole | None, Plausible(64, 1_000_000)] = Field(
        default=None, gt=0, description="tokens between two states of the strategy interval"
    )
    running_states: Annotated[Whole, Plausible(1, 16)] = Field(
        default=1, gt=0, description="states that a running request takes beside those that verify drafts"
    )
    host_write: Literal["write_through", "write_through_selective", "on_eviction"] | None = Field(
        default=None, description="when pages go to host memory; absent: no host tier is known"
    )
    host_overlap: bool = Field(default=True, description="pages come back layer by layer beside the work of the pass")
    source: str

    @model_validator(mode="after")
    def _interval(self) -> PrefixCache:
        if (self.states == "interval") != (self.state_interval is not None):
            raise ValueError("state_interval: expected with the strategy interval, and with no other")
        return self
