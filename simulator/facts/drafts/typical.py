"""Drafts for a target of which none is published: of the usual shape, which is an assumption."""

from __future__ import annotations

from typing import Any

from simulator.facts.draft import BlockDraft, EagleDraft
from simulator.facts.layers import Attention, Dense, LayerGroup
from simulator.facts.model import Model

HEAD, KV_HEADS = 128, 8
"""Channels of a head, and KV heads, where the target has no grouped attention to take them from."""
WIDER = 2.5
"""Channels of the feed-forward over those of the residual stream, where the target has no dense one to take it from."""
BLOCK_LAYERS = 5
EAGLE_VOCABULARY = 32_000
"""Most frequent tokens, which the lm_head of an EAGLE-3 draft is cut to."""


def typical_eagle(target: Model) -> EagleDraft:
    """One layer in the target's width, and an lm_head of the most frequent tokens.

    Source of the form: the drafts published with EAGLE-3 (github.com/SafeAILab/EAGLE).
    """
    vocabulary = min(EAGLE_VOCABULARY, target.vocabulary)
    return EagleDraft(vocabulary=vocabulary, source="assumed: a typical EAGLE-3 draft", **_layers(target, 1))


def typical_block(target: Model) -> BlockDraft:
    """Five layers in the target's width, on its lm_head.

    Source of the form: DFlash, arXiv 2602.06036.
    """
    return BlockDraft(source="assumed: a typical block draft", **_layers(target, BLOCK_LAYERS))


def _layers(target: Model, count: int) -> dict[str, Any]:
    grouped = (layer for layer in target.mixers.values() if isinstance(layer, Attention))
    dense = (layer.intermediate for layer in target.feed_forwards.values() if isinstance(layer, Dense))
    heads = next(((layer.query_heads, layer.kv_heads, layer.head_dim) for layer in grouped), None)
    query, kv, channels = heads or (max(1, target.hidden // HEAD), KV_HEADS, HEAD)
    wide = next(dense, round(WIDER * target.hidden))
    return {
        "hidden": target.hidden,
        "mixers": {"attention": Attention(query_heads=query, kv_heads=kv, head_dim=channels)},
        "feed_forwards": {"dense": Dense(intermediate=wide)},
        "layers": [LayerGroup(count=count, mixer="attention", feed_forward="dense")],
    }
