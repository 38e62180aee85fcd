"""The draft layers that a checkpoint holds."""

from __future__ import annotations

from simulator.facts.importing.architectures import Architecture
from simulator.facts.importing.found import Block, Found
from simulator.facts.importing.keys import Keys
from simulator.facts.importing.layers import Placed

LAYERS = ("num_nextn_predict_layers", "mtp_num_hidden_layers", "mtp_num_layers")
MODULES = ("num_mtp_modules", "mtp_transformer_layers", "use_mtp")


def draft(text: Keys, architecture: Architecture, mixers: Placed, feed_forwards: Placed) -> Block | None:
    """The model's own draft; None: it has none.

    Its layers have the mixer and the feed-forward that the configuration names for them, else those of the last layer.
    """
    count = draft_layers(text, architecture)
    if count is None:
        return None
    return {
        "kind": "mtp",
        "layers": count,
        "mixer": mixers.of_draft or "none",
        "feed_forward": feed_forwards.of_draft or "none",
    }


def draft_layers(text: Keys, architecture: Architecture) -> Found | None:
    """How many draft layers the checkpoint holds; None: none."""
    for name in (*MODULES, "mtp_use_dedicated_embeddings"):
        text.value(name)
    named = text.whole(*LAYERS, least=0)
    if architecture.no_draft:
        return None
    if named is not None:
        return named if named.value else None
    return architecture.implies("draft_layers")
