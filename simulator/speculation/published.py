"""Published acceptance lengths, one profile per model, method and thinking mode."""

from __future__ import annotations

import itertools
import math
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from simulator.facts.plausible import Plausible
from simulator.facts.quantities import Spec
from simulator.facts.reading import read_mapping, validate

LengthTable = Annotated[dict[Annotated[int, Field(ge=1, le=1_000)], float], Plausible(1, 65)]


class AcceptanceProfile(Spec):
    """Acceptance length (mean tokens emitted per round, 1 + accepted drafts) for each number of speculative tokens.

    Each length comes from a run of its own, so a published table can fall where the noise exceeds the gain. Such
    points, and those after them, are kept in ``left_out`` and never used.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    model: str = Field(description="model and checkpoint as published")
    method: str = Field(description="drafting method: MTP, EAGLE3, DSpark")
    source: str
    dataset: str
    text: Literal["random", "chat", "coding", "gsm8k"] | None = Field(
        default=None, description="kind of text, to which acceptance belongs"
    )
    thinking: bool
    acceptance_length: LengthTable = Field(min_length=1, description="speculative tokens k -> tokens per round")
    low: LengthTable = Field(default_factory=dict, description="least lengths seen on such text")
    high: LengthTable = Field(default_factory=dict, description="greatest lengths seen on such text")
    left_out: LengthTable = Field(default_factory=dict, description="published points that are not used")

    @field_validator("acceptance_length")
    @classmethod
    def _plausible(cls, lengths: dict[int, float]) -> dict[int, float]:
        faults = length_faults(lengths)
        if faults:
            raise ValueError("; ".join(faults))
        return dict(sorted(lengths.items()))

    @model_validator(mode="after")
    def _spread(self) -> Self:
        """The spread is of depths that the table has, on either side of it."""
        for below, above in ((self.low, self.acceptance_length), (self.acceptance_length, self.high)):
            for k in self.acceptance_length:
                if k in below and k in above and below[k] > above[k]:
                    raise ValueError(f"at k = {k} low, acceptance_length and high must rise")
        extra = (self.low.keys() | self.high.keys()) - self.acceptance_length.keys()
        if extra:
            raise ValueError(f"low and high: no acceptance_length at k = {', '.join(map(str, sorted(extra)))}")
        return self

    def described(self, k: int) -> str:
        """Name, kind of text and the spread at depth k, in words."""
        spread = f", {self.low[k]:g} to {self.high[k]:g} seen" if k in self.low and k in self.high else ""
        return f"profile {self.name}: {text_name(self)}{spread}"


TEXTS = {
    "random": "random tokens",
    "chat": "chat with the template",
    "coding": "coding",
    "gsm8k": "GSM8K",
}
"""Kinds of text."""


def text_name(profile: AcceptanceProfile) -> str:
    """The kind of text of a profile, in words."""
    return "text not stated" if profile.text is None else TEXTS[profile.text]


def length_faults(lengths: dict[int, float]) -> list[str]:
    """What is wrong with a table of k -> acceptance length: gaps, values outside [1, k+1], values that fall with k.

    >>> length_faults({1: 1.93, 2: 1.5})
    ['the length falls from 1.93 at k = 1 to 1.5 at k = 2; it must not fall']
    """
    faults = []
    ks = sorted(lengths)
    if ks != list(range(1, len(ks) + 1)):
        faults.append(f"expected the keys 1, 2, 3, ... without a gap, found {', '.join(map(str, ks))}")
    faults += [
        f"the length {lengths[k]:g} at k = {k} is outside [1, {k + 1}]"
        for k in ks
        if not (math.isfinite(lengths[k]) and 1 <= lengths[k] <= k + 1)
    ]
    faults += [
        f"the length falls from {lengths[low]:g} at k = {low} to {lengths[high]:g} at k = {high}; it must not fall"
        for low, high in itertools.pairwise(ks)
        if lengths[high] < lengths[low]
    ]
    return faults


def load_acceptance(name: str) -> AcceptanceProfile:
    """Acceptance profile by shipped name or by path to a YAML file of the same form.

    Raises:
        InputError: no such profile, or a table that cannot be a table of acceptance lengths.
    """
    return validate(AcceptanceProfile, read_mapping("acceptance", name), f"acceptance profile {name}")
