"""What a profile is, whatever it is called: a copy of a shipped one under another name is the same thing.

What was fitted, timed or launched somewhere is kept under the name of a shipped profile. A name is only a name, so it
is the figures that say whether that applies."""

from __future__ import annotations

import functools
from typing import Any

from simulator.facts.hardware import Hardware
from simulator.facts.model import Model
from simulator.facts.reading import load_hardware, load_model, names

BESIDE = {
    *("name", "aliases", "source", "sources", "price", "all_in_power"),
    *("checkpoints", "draft", "default_acceptance", "draft_acceptance"),
}
"""What does not make a profile another thing: names, where figures come from, what it costs to own and to run, which
checkpoints of a model it lists, and what drafts for it."""


def known_hardware(hardware: Hardware) -> str:
    """Name of the shipped accelerator with these figures, its own if there is none.

    Example:
        >>> known_hardware(load_hardware("mi355x").model_copy(update={"name": "ours"}))
        'mi355x'
    """
    if hardware.name in names("hardware"):
        return hardware.name
    figures = _figures(hardware)
    return next((n for n in names("hardware") if _shipped_figures("hardware", n) == figures), hardware.name)


def known_model(model: Model) -> str:
    """Name of the shipped model with these figures, its own if there is none."""
    if model.name in names("model"):
        return model.name
    figures = _figures(model)
    return next((n for n in names("model") if _shipped_figures("model", n) == figures), model.name)


def _figures(spec: Hardware | Model) -> dict[str, Any]:
    return spec.model_dump(exclude=BESIDE)


@functools.cache
def _shipped_figures(kind: str, name: str) -> dict[str, Any]:
    return _figures(load_hardware(name) if kind == "hardware" else load_model(name))
