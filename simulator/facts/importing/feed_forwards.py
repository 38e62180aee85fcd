"""Which feed-forward each layer has: dense, or routed experts with what is shared beside them."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.errors import InputError, brief
from simulator.facts.importing.architectures import Architecture
from simulator.facts.importing.found import Block, Found, stated
from simulator.facts.importing.keys import Keys
from simulator.facts.importing.layers import Placed
from simulator.facts.importing.mixers.choice import DENSE, EXPERTS, PATTERN, letters

ROUTED = ("n_routed_experts", "num_local_experts", "num_experts")
CHOSEN = ("num_experts_per_tok", "num_experts_per_token", "experts_per_token", "top_k_experts", "moe_topk")
WIDTH = ("moe_intermediate_size", "expert_ffn_hidden_size")
LATENT = ("routed_expert_hidden_size", "moe_latent_size")


def feed_forwards(text: Keys, architecture: Architecture, layers: int) -> Placed:
    """The feed-forwards of all layers.

    Raises:
        InputError: names the key whose value is none that it can have.
    """
    routed = text.count(*ROUTED)
    _agree(text, ROUTED)
    _agree(text, CHOSEN)
    gated = _gated(text, architecture)
    if routed is None or text.flag("enable_moe_block") == Found(False, text.path("enable_moe_block")):
        return Placed({"dense": _dense(text, gated)}, ["dense"] * layers, "num_hidden_layers")
    experts = _experts(text, architecture, routed, gated)
    if text.value(PATTERN) is not None:
        names = {EXPERTS: "moe", DENSE: "dense"}
        by_layer = [names.get(one) for one in letters(text, PATTERN, layers)]
        text.value("intermediate_size")
        dense = {"dense": _dense(text, gated)} if "dense" in by_layer else {}
        return Placed({**dense, "moe": experts}, by_layer, text.path(PATTERN), draft="moe")
    sparse, source = _expert_layers(text, layers)
    if not any(sparse):
        raise InputError(f"{text.file}: {source}: no layer has the {routed.value} experts")
    dense = {} if all(sparse) else {"dense": _dense(text, gated)}
    text.value("intermediate_size", "dense_intermediate_size", "intermediate_size_mlp")
    return Placed({**dense, "moe": experts}, ["moe" if one else "dense" for one in sparse], source, draft="moe")


def _dense(text: Keys, gated: Found | None) -> Block:
    width = text.needed("dense_intermediate_size", "intermediate_size_mlp", "intermediate_size")
    return {"kind": "dense", "intermediate": width, **stated(gated=gated)}


def _gated(text: Keys, architecture: Architecture) -> Found | None:
    """False where there is no gate projection; None where there is one."""
    key = text.first("mlp_hidden_act", "hidden_act", "hidden_activation")
    if not architecture.gated:
        return Found(False, f"implied by {architecture.named}{f' and {text.path(key)}' if key else ''}")
    return None


def _experts(text: Keys, architecture: Architecture, routed: Found, gated: Found | None) -> Block:
    narrow = ("intermediate_size",) if architecture.expert_width else ()
    width = text.needed(*WIDTH, *narrow)
    top = text.needed(*CHOSEN)
    if top.value > routed.value:
        raise InputError(f"{text.file}: {top.source}: expected at most the {routed.value} experts, found {top.value}")
    shared = _shared(text, architecture, width)
    limits = [text.whole(name) for name in ("n_group", "topk_group")]
    limited = limits[0] is not None and limits[0].value > 1
    return {
        "kind": "experts",
        "experts": routed,
        "top_k": top,
        "intermediate": width,
        **stated(
            shared_intermediate=shared,
            shared_gate=architecture.implies("shared_gate") if shared is not None else None,
            latent=text.count(*LATENT),
            groups=limits[0] if limited else None,
            top_groups=limits[1] if limited else None,
            bias=architecture.implies("expert_bias"),
            gated=gated,
        ),
    }


def _shared(text: Keys, architecture: Architecture, width: Found) -> Found | None:
    """Width of all shared experts together; None: there are none."""
    own = text.whole("shared_expert_intermediate_size", "shared_intermediate_size", least=0)
    each = text.count("moe_shared_expert_intermediate_size") or own or width
    number = text.whole("n_shared_experts", "num_shared_experts", least=0) or architecture.implies("shared_experts")
    if architecture.beside_dense:
        beside = text.needed("intermediate_size")
        return Found(beside.value, f"{beside.source}, the dense feed-forward beside the experts of a layer")
    if number is None:
        return own if own is not None and own.value else None
    total = number.value * each.value
    return Found(total, f"{number.source} x {each.source}" if number.value > 1 else each.source) if total else None


def _agree(text: Keys, names: Sequence[str]) -> None:
    """Refuse keys for the same thing that contradict each other."""
    values = {name: text.raw[name] for name in names if text.raw.get(name) is not None}
    if len({repr(value) for value in values.values()}) > 1:
        told = " and ".join(f"{text.path(name)} {brief(value)}" for name, value in values.items())
        raise InputError(f"{text.file}: {told}: expected the same of two keys for one thing")


def _expert_layers(text: Keys, layers: int) -> tuple[list[bool], str]:
    """Which layers have experts, and the keys that say so."""
    first = text.whole("first_k_dense_replace", least=0)
    every = text.value("moe_layer_freq")
    if text.value("mlp_layer_types") is not None:
        kinds = text.entries("mlp_layer_types", ("dense", "sparse"), (layers,))
        return [kind == "sparse" for kind in kinds], text.path("mlp_layer_types")
    if isinstance(every, list):
        marks = text.entries("moe_layer_freq", (0, 1), (layers,))
        return [mark == 1 for mark in marks], text.path("moe_layer_freq")
    if text.value("moe_layers") is not None:
        chosen = text.value("moe_layers")
        if not isinstance(chosen, list) or not all(isinstance(i, int) and 0 <= i < layers for i in chosen):
            text.refuse("moe_layers", f"a list of layers, numbered from 0 to {layers - 1}")
        return [i in {*chosen} for i in range(layers)], text.path("moe_layers")
    step = text.whole("interleave_moe_layer_step", "decoder_sparse_step")
    dense = text.value("mlp_only_layers") or []
    if not isinstance(dense, list) or not all(isinstance(i, int) for i in dense):
        text.refuse("mlp_only_layers", "a list of layers, numbered from 0")
    of_frequency = text.whole("moe_layer_freq")
    found = [
        (first is None or i >= first.value)
        and (of_frequency is None or i % of_frequency.value == 0)
        and (step is None or (i + 1) % step.value == 0)
        and i not in dense
        for i in range(layers)
    ]
    said = [one.source for one in (first, of_frequency, step) if one is not None and one.value != 1]
    said += [text.path("mlp_only_layers")] if dense else []
    return found, ", ".join(said) or "num_hidden_layers"
