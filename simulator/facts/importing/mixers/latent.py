"""Multi-head latent attention, with or without an index that chooses keys; some layers may use the index of another."""

from __future__ import annotations

from simulator.facts.importing.found import Block, stated
from simulator.facts.importing.keys import Keys
from simulator.facts.importing.layers import Placed, chosen


def is_latent(text: Keys) -> bool:
    """Whether keys and values of a token are kept as one latent."""
    return text.value("kv_lora_rank") is not None


def latent(text: Keys, layers: int) -> Placed:
    """Latent attention of all layers; two kinds where some share the index of the layer before."""
    for meaningless in ("num_key_value_heads", "head_dim", "qk_head_dim"):
        text.value(meaningless)
    block: Block = {
        "kind": "latent_attention",
        "query_heads": text.needed("num_attention_heads"),
        **stated(query_rank=text.count("q_lora_rank")),
        "kv_rank": text.needed("kv_lora_rank"),
        "nope_dim": text.needed("qk_nope_head_dim"),
        "rope_dim": text.needed("qk_rope_head_dim"),
        "value_dim": text.needed("v_head_dim"),
        **stated(output_gate=text.on("mla_use_output_gate")),
    }
    text.flag("mla_use_nope")
    if text.count("index_topk") is None:
        return Placed({"mla": block}, ["mla"] * layers, "num_hidden_layers")
    index = index_of(text)
    blocks = {
        "mla": {**block, "index": index},
        "mla_shared": {**block, "index": {**index, "shared": True}},
    }
    full, source = _indexed(text, layers)
    by_layer = chosen(["mla_shared"] * layers, "mla", full.__getitem__)
    return Placed(blocks, by_layer, source, draft="mla")


def index_of(text: Keys) -> Block:
    """The index that chooses keys."""
    return {
        "heads": text.needed("index_n_heads"),
        "dim": text.needed("index_head_dim"),
        "top_k": text.needed("index_topk"),
    }


def _indexed(text: Keys, layers: int) -> tuple[list[bool], str]:
    """Which layers run the index, the others share it; and the key that says so."""
    every, first = text.whole("index_topk_freq"), text.whole("index_skip_topk_offset", least=0)
    text.value("index_topk_pattern")
    if text.value("indexer_types") is not None:
        kinds = text.entries("indexer_types", ("full", "shared"), (layers,))
        return [kind == "full" for kind in kinds], text.path("indexer_types")
    if every is not None and every.value > 1:
        offset = first.value if first is not None else 1
        return [i < offset or (i - offset + 1) % every.value == 0 for i in range(layers)], every.source
    return [True] * layers, "num_hidden_layers"
