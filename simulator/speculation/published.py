"""Published acceptance lengths, one profile per model, method and thinking mode."""

from __future__ import annotations

import itertools
import math

from pydantic import Field, field_validator

from simulator.facts.quantities import Spec
from simulator.facts.reading import read_mapping, validate


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
    thinking: bool
    acceptance_length: dict[int, float] = Field(min_length=1, description="speculative tokens k -> tokens per round")
    left_out: dict[int, float] = Field(default_factory=dict, description="published points that are not used")

    @field_validator("acceptance_length")
    @classmethod
    def _plausible(cls, lengths: dict[int, float]) -> dict[int, float]:
        faults = length_faults(lengths)
        if faults:
            raise ValueError("; ".join(faults))
        return dict(sorted(lengths.items()))


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
