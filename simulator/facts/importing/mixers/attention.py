"""Grouped attention: heads, windows, sinks, and blocks of keys that an index chooses."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.errors import InputError
from simulator.facts.importing.architectures import Architecture
from simulator.facts.importing.found import Block, Found, stated
from simulator.facts.importing.keys import Keys
from simulator.facts.importing.layers import Placed, chosen

FULL, WINDOW, CHUNK = "full_attention", "sliding_attention", "chunked_attention"


def attention(text: Keys, architecture: Architecture, layers: int) -> Placed:
    """Attention of all layers; where a window or an index of blocks differs by layer, two kinds."""
    blocks, by_layer, source = {"attention": heads(text, architecture)}, ["attention"] * layers, "num_hidden_layers"
    index, sparse, said = _sparse(text, layers)
    if index is not None:
        blocks["sparse"] = {**blocks["attention"], "blocks": index}
        return Placed(blocks, chosen(by_layer, "sparse", sparse.__getitem__), said)
    window, windowed, said = _windows(text, architecture, layers)
    if window is None or not any(windowed):
        return Placed(blocks, by_layer, source)
    blocks["window"] = {**_window_heads(text, blocks["attention"]), "window": window}
    blocks["attention"] = _full_heads(text, blocks["attention"])
    for name, key in (("window", "add_swa_attention_sink_bias"), ("attention", "add_full_attention_sink_bias")):
        if (sinks := text.on(key)) is not None:
            blocks[name]["sinks"] = sinks
    return Placed(blocks, chosen(by_layer, "window", windowed.__getitem__), said)


def heads(text: Keys, architecture: Architecture) -> Block:
    """Heads of the layers without a window."""
    query = text.needed("num_attention_heads")
    return {
        "kind": "attention",
        "query_heads": query,
        "kv_heads": text.whole("num_key_value_heads") or query,
        "head_dim": text.whole("head_dim") or _divided(text, query),
        **stated(
            value_dim=text.whole("v_head_dim"),
            output_gate=text.on("attn_output_gate", "attention_output_gate") or architecture.implies("output_gate"),
            qk_norm=text.on("use_qk_norm") or architecture.implies("qk_norm"),
            bias=text.on("attention_bias", "qkv_bias") or architecture.implies("bias"),
            sinks=architecture.implies("sinks"),
        ),
    }


def _divided(text: Keys, query: Found) -> Found:
    hidden = text.needed("hidden_size")
    if hidden.value % query.value:
        raise InputError(
            f"{text.file}: {text.path('head_dim')}: missing, and hidden_size {hidden.value} is no multiple of "
            f"num_attention_heads {query.value}"
        )
    return Found(hidden.value // query.value, f"{hidden.source} / {query.source}")


def _window_heads(text: Keys, full: Block) -> Block:
    """Those of the layers with a window, where they have keys of their own."""
    own = stated(
        query_heads=text.whole("swa_num_attention_heads"),
        kv_heads=text.whole("swa_num_key_value_heads"),
        head_dim=text.whole("swa_head_dim"),
        value_dim=text.whole("swa_v_head_dim"),
    )
    return {**full, **own}


def _full_heads(text: Keys, full: Block) -> Block:
    """Those of the layers without a window, where ``head_dim`` and ``num_key_value_heads`` are of the others."""
    own = stated(head_dim=text.whole("global_head_dim"), kv_heads=text.whole("num_global_key_value_heads"))
    return {**full, **own}


def _windows(text: Keys, architecture: Architecture, layers: int) -> tuple[Found | None, list[bool], str]:
    """Width of the window in tokens, which layers have it, and the keys that say so."""
    window = text.count("sliding_window", "sliding_window_size", "attention_chunk_size")
    off = text.flag("use_sliding_window")
    longest = text.whole("max_position_embeddings")
    none: list[bool] = []
    if window is None or (off is not None and not off.value):
        _ = text.value("max_window_layers"), text.value("layer_types")
        return None, none, ""
    if longest is not None and window.value >= longest.value:
        return None, none, ""
    if "layer_types" in text.raw:
        kinds = text.entries("layer_types", (FULL, WINDOW, CHUNK), (layers,))
        return window, [kind != FULL for kind in kinds], text.path("layer_types")
    if "hybrid_layer_pattern" in text.raw:
        marks = text.entries("hybrid_layer_pattern", (0, 1), (layers,))
        return window, [mark == 1 for mark in marks], text.path("hybrid_layer_pattern")
    if "no_rope_layers" in text.raw and text.value("no_rope_layers"):
        marks = text.entries("no_rope_layers", (0, 1), (layers,))
        return window, [mark == 1 for mark in marks], text.path("no_rope_layers")
    every = text.whole("sliding_window_pattern", "no_rope_layer_interval") or architecture.implies("full_every")
    if every is not None:
        return window, [(i + 1) % every.value != 0 for i in range(layers)], every.source
    first = text.whole("max_window_layers", least=0) if off is not None else None
    if first is not None:
        return window, [i >= first.value for i in range(layers)], first.source
    return window, [True] * layers, window.source


def _sparse(text: Keys, layers: int) -> tuple[Block | None, Sequence[bool], str]:
    """The index that chooses blocks of keys, and which layers have it."""
    found = text.object("sparse_attention_config")
    if found is None or found.flag("use_sparse_attention") == Found(False, found.path("use_sparse_attention")):
        return None, (), ""
    local = [found.whole(name, least=0) for name in ("sparse_local_block", "sparse_init_block")]
    block: Block = {
        "index_heads": found.needed("sparse_num_index_heads"),
        "index_dim": found.needed("sparse_index_dim"),
        "block": found.needed("sparse_block_size"),
        "top_blocks": found.needed("sparse_topk_blocks"),
        "local_blocks": Found(
            sum(one.value for one in local if one is not None),
            " + ".join(one.source for one in local if one is not None) or "no key: none",
        ),
    }
    for ignored in ("sparse_score_type", "sparse_disable_index_value"):
        found.value(ignored)
    marks = found.entries("sparse_attention_freq", (0, 1), (layers,))
    return block, [mark == 1 for mark in marks], found.path("sparse_attention_freq")
