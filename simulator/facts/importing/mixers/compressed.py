"""Attention over compressed keys beside a window, with or without an index that chooses among the compressed."""

from __future__ import annotations

from simulator.facts.importing.found import Block, Found, stated
from simulator.facts.importing.keys import Keys
from simulator.facts.importing.layers import Placed
from simulator.facts.importing.mixers.latent import index_of

INDEXED = 4
"""At this ratio an index chooses among the compressed keys; at higher ones all of them are read."""


def compressed(text: Keys, layers: int) -> Placed:
    """A block per ratio of compression. Ratios of draft layers stand after those of the layers."""
    drafts = text.count("num_nextn_predict_layers")
    own = layers + (drafts.value if drafts is not None else 0)
    ratios = text.entries("compress_ratios", int, (layers, own))
    shape: Block = {
        "kind": "compressed_attention",
        "query_heads": text.needed("num_attention_heads"),
        "kv_heads": text.needed("num_key_value_heads"),
        "head_dim": text.needed("head_dim"),
        "rope_dim": text.needed("qk_rope_head_dim"),
        "query_rank": text.needed("q_lora_rank"),
        "output_groups": text.needed("o_groups"),
        "output_rank": text.needed("o_lora_rank"),
        "window": text.needed("sliding_window"),
    }
    index = index_of(text)
    said = text.path("compress_ratios")
    blocks = {
        name(ratio): {
            **shape,
            **stated(ratio=Found(ratio, said) if ratio > 1 else None),
            **({"index": index} if 1 < ratio <= INDEXED else {}),
        }
        for ratio in dict.fromkeys(ratios)
    }
    by_layer = [name(ratio) for ratio in ratios]
    draft = by_layer[layers] if len(ratios) > layers else None
    return Placed(blocks, by_layer[:layers], said, draft)


def name(ratio: int) -> str:
    """Name of the block with a ratio.

    Example:
        >>> name(128), name(0)
        ('by_128', 'window')
    """
    return f"by_{ratio}" if ratio > 1 else "window"
