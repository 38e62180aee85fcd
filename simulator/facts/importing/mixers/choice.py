"""Which kind of mixer each layer has."""

from __future__ import annotations

from collections.abc import Sequence

from simulator.errors import InputError, brief
from simulator.facts.importing.architectures import Architecture
from simulator.facts.importing.keys import Keys
from simulator.facts.importing.layers import Placed, chosen
from simulator.facts.importing.mixers.attention import FULL, attention
from simulator.facts.importing.mixers.compressed import compressed
from simulator.facts.importing.mixers.latent import is_latent, latent
from simulator.facts.importing.mixers.recurrent import delta_net, kimi_delta, mamba2

LINEAR = "linear_attention"
PATTERN = "hybrid_override_pattern"
MAMBA, ATTENTION, EXPERTS, DENSE = "M", "*", "E", "-"
"""What a letter of the pattern means: a layer has a mixer or a feed-forward."""


def mixers(text: Keys, architecture: Architecture, layers: int) -> Placed:
    """The mixers of all layers.

    Raises:
        InputError: names the key whose value is none that it can have.
    """
    if text.value(PATTERN) is not None:
        return _by_pattern(text, architecture, layers)
    if text.value("compress_ratios") is not None:
        return compressed(text, layers)
    linear = text.object("linear_attn_config")
    if linear is not None:
        return _kimi(text, linear, layers, _softmax(text, architecture, layers))
    if _has_delta_net(text):
        return _delta_net(text, layers, attention(_without_types(text), architecture, layers))
    return _softmax(text, architecture, layers)


def _softmax(text: Keys, architecture: Architecture, layers: int) -> Placed:
    return latent(text, layers) if is_latent(text) else attention(text, architecture, layers)


def letters(text: Keys, key: str, layers: int | None = None) -> str:
    """The pattern of a hybrid model, a letter per layer."""
    found = text.text(key) or ""
    if {*found} - {MAMBA, ATTENTION, EXPERTS, DENSE} or not found:
        text.refuse(key, f"a text of the letters {MAMBA}, {ATTENTION}, {EXPERTS} and {DENSE}")
    if layers is not None and len(found) != layers:
        raise InputError(f"{text.file}: {text.path(key)}: expected {layers} letters, one per layer, found {len(found)}")
    return found


def _by_pattern(text: Keys, architecture: Architecture, layers: int) -> Placed:
    pattern = letters(text, PATTERN, layers)
    full = attention(text, architecture, layers)
    recurrent = {"mamba": mamba2(text)} if MAMBA in pattern else {}
    names = {MAMBA: "mamba", ATTENTION: "attention"}
    return Placed(
        {**full.blocks, **recurrent}, [names.get(one) for one in pattern], text.path(PATTERN), draft="attention"
    )


def _kimi(text: Keys, linear: Keys, layers: int, base: Placed) -> Placed:
    """Layers are numbered from 1."""
    delta, full = (_numbers(linear, name, layers) for name in ("kda_layers", "full_attn_layers"))
    if sorted([*delta, *full]) != list(range(1, layers + 1)):
        raise InputError(
            f"{text.file}: {linear.path('kda_layers')} and full_attn_layers: expected each of the layers 1 to {layers} "
            f"once, found {len(delta)} and {len(full)}"
        )
    by_layer = chosen(base.by_layer, "kda", lambda i: i + 1 in delta)
    source = f"{linear.path('kda_layers')}, {linear.path('full_attn_layers')}"
    return Placed({**base.blocks, "kda": kimi_delta(linear)}, by_layer, source, base.of_draft)


def _numbers(keys: Keys, name: str, layers: int) -> set[int]:
    found = keys.value(name)
    if not isinstance(found, list) or not all(isinstance(one, int) and 1 <= one <= layers for one in found):
        keys.refuse(name, f"a list of layers, numbered from 1 to {layers}")
    return set(found)


def _has_delta_net(text: Keys) -> bool:
    return text.value("linear_num_value_heads") is not None


def _delta_net(text: Keys, layers: int, base: Placed) -> Placed:
    linear, source = _linear_layers(text, layers)
    by_layer = chosen(base.by_layer, "gdn", linear.__getitem__)
    return Placed({**base.blocks, "gdn": delta_net(text)}, by_layer, source, base.of_draft)


def _linear_layers(text: Keys, layers: int) -> tuple[Sequence[bool], str]:
    every = text.whole("full_attention_interval")
    if text.value("layer_types") is not None:
        kinds = text.entries("layer_types", (LINEAR, FULL), (layers,))
        return [kind == LINEAR for kind in kinds], text.path("layer_types")
    if every is None:
        raise InputError(
            f"{text.file}: {text.path('layer_types')}: missing, and no full_attention_interval either; expected which "
            f"layers have linear attention, found {brief(None)}"
        )
    return [(i + 1) % every.value != 0 for i in range(layers)], every.source


def _without_types(text: Keys) -> Keys:
    """The same keys without the list that tells linear layers; what is read of them is remembered of the file."""
    found = Keys({key: value for key, value in text.raw.items() if key != "layer_types"}, text.file, text.inside)
    found.read, found.objects = text.read, text.objects
    return found
