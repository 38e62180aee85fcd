"""The profile that a configuration becomes: its numbers with their sources, and what it does not hold."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from simulator.facts.importing.architectures import architecture_of
from simulator.facts.importing.checkpoint import checkpoint
from simulator.facts.importing.draft import draft
from simulator.facts.importing.feed_forwards import feed_forwards
from simulator.facts.importing.found import Block, plain, sources
from simulator.facts.importing.layers import groups, number_of_layers
from simulator.facts.importing.mixers.choice import PATTERN, mixers
from simulator.facts.importing.not_understood import Item, not_understood
from simulator.facts.importing.reading import CONFIG, Files, name_of

STATE_DTYPES = {"float32": "fp32", "bfloat16": "bf16", "float16": "bf16"}
"""``mamba_ssm_dtype`` -> number format of the recurrent state."""


@dataclass(frozen=True)
class Profile:
    """A profile as a YAML file has it, and what it does not hold.

    Attributes:
        content: as :class:`simulator.facts.model.Model` reads it.
        items: what is not understood, left out or simplified.
        state_dtype: number format of the recurrent state.
    """

    content: dict[str, Any]
    items: list[Item]
    state_dtype: str


def profile_of(files: Files, architecture: str | None = None, ignored: Collection[str] = ()) -> Profile:
    """The profile of a configuration.

    Args:
        files: that are read.
        architecture: ``model_type`` to read it as, whatever it says.
        ignored: keys that the user says change nothing.

    Raises:
        InputError: an architecture that is not known, or a key whose value is none that it can have.
    """
    text, outer = files.text, files.outer
    known = architecture_of(text, outer, architecture)
    layers = number_of_layers(text)
    mixed = mixers(text, known, layers.value)
    fed = feed_forwards(text, known, layers.value)
    drafts = draft(text, known, mixed, fed)
    single = text.value(PATTERN) is not None
    if single:
        text.text("mtp_hybrid_override_pattern")
    count = drafts["layers"].value if drafts is not None else 0
    name, made, differing = checkpoint(files, mixed, fed, count, single)
    flags = text.flag("tie_word_embeddings"), outer.flag("tie_word_embeddings"), known.implies("tied")
    tied = next((flag for flag in flags if flag is not None), None)
    context = text.whole("max_position_embeddings")
    tree: Block = {
        "hidden": text.needed("hidden_size"),
        "vocabulary": text.needed("vocab_size"),
        **({"context_length": context} if context is not None else {}),
        **({"tied_embedding": tied} if tied is not None and tied.value else {}),
        "mixers": mixed.used(),
        "feed_forwards": fed.used(),
        "layers": groups(mixed, fed),
        **({"draft": drafts} if drafts is not None else {}),
    }
    content = {
        "name": name_of(files.repository),
        "aliases": [files.repository],
        "source": f"{files.repository} {CONFIG}",
        **plain(tree),
        "checkpoints": {name: made},
        "sources": dict(sources(tree)),
    }
    return Profile(content, not_understood(files, known, differing, ignored), _state_dtype(files))


def _state_dtype(files: Files) -> str:
    stated = files.text.text("mamba_ssm_dtype", "mamba_ssm_cache_dtype")
    return STATE_DTYPES.get(stated or "float32", "fp32")
