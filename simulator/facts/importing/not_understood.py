"""What of a configuration is not in the profile: keys nobody knows, and what is known but left out or simplified."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from simulator.errors import InputError, brief
from simulator.facts.importing.architectures import Architecture
from simulator.facts.importing.draft import MODULES
from simulator.facts.importing.harmless import harmless, is_off
from simulator.facts.importing.keys import Keys
from simulator.facts.importing.reading import TEXT_MODELS, Files

SHAPE = re.compile(
    "layer|head|dim|size|rank|expert|attn|attention|intermediate|hidden|window|ratio|block|group|mlp|moe|ffn|conv|state"
    "|top_?k|mtp|nextn|sparse|index|latent|shar|compress|memory|depth|width|channel|kv_|_kv|key|quer|pattern|interval"
    "|freq|vocab|embed|tie|gate|loop|recur|stream|vision|audio|config|quant"
)
"""Parts of names of keys that may say a shape."""
TOWERS = re.compile(r"(vision|visual|audio|image|video|speech|thinker|talker|vit|encoder|projector|mm)\w*")
"""Keys of what reads images and sound, at the top of a multimodal configuration."""
QUANTISED = re.compile(r"(?i)(?<![a-z0-9])(fp8|nvfp4|mxfp4|fp4|int4|int8|awq|gptq|w4a16|w4a8|w8a8)(?![a-z0-9])")
"""Formats in the name of a repository."""


@dataclass(frozen=True)
class Item:
    """One thing that a profile does not hold.

    Attributes:
        key: with the objects that it is in.
        value: as the file has it, short.
        why: what is known of it.
        matters: how much it can matter.
        decisive: it can change the shape, so that no right profile can be made without it.
    """

    key: str
    value: str
    why: str
    matters: str
    decisive: bool = False

    def row(self) -> dict[str, str]:
        """As a result has it."""
        return {"key": self.key, "value": self.value, "why": self.why, "matters": self.matters}


SIMPLIFIED: Mapping[str, tuple[str, str]] = {
    "hc_mult": (
        "hyper-connections: so many residual streams, mixed before and after every block",
        "no weights to speak of; elementwise work that is not priced, more so in prefill",
    ),
    "num_hash_layers": (
        "so many first layers choose experts by a hash of the token; priced as if they had a router",
        "a thousandth of the time",
    ),
    "attention_k_eq_v": (
        "layers without a window use one projection for keys and values; priced as two",
        "below a thousandth of the weights; the cache holds both as they differ by their norms",
    ),
    "attention_chunk_size": (
        "attention within chunks is priced as a window of the same size",
        "reads of those layers beyond a chunk are up to twice too many; nothing below it",
    ),
    "index_share_for_mtp_iteration": (
        "later draft steps use the index of the first; every step is priced with its own",
        "index reads of the draft at long contexts",
    ),
    "final_logit_softcapping": ("elementwise", "nothing"),
}
"""Key that is understood -> how it is simplified, and how much that can matter."""
TOLD = frozenset(SIMPLIFIED) - {"final_logit_softcapping"}


def not_understood(
    files: Files, architecture: Architecture, mixed: Mapping[str, Counter[str]], ignored: Collection[str] = ()
) -> list[Item]:
    """Everything of a configuration that its profile does not hold, the decisive first.

    Args:
        files: that are read, after everything that is understood has been.
        architecture: of the text model.
        mixed: tensor groups whose modules have several formats.
        ignored: keys that the user says change nothing.
    """
    found = [*_unknown(files.text, ignored)]
    for name, inner in files.text.objects.items():
        found += _unknown(inner, ignored) if name not in (*TEXT_MODELS, "quantization_config") else ()
    if files.multimodal:
        found += _unknown(files.outer, ignored, top=True)
    found += [*_simplified(files.text, architecture), *_formats(files, mixed)]
    return sorted(found, key=lambda item: not item.decisive)


def refuse_decisive(items: Collection[Item], file: str) -> None:
    """Refuse a configuration of which no right profile can be made.

    Raises:
        InputError: lists every key that can change the shape.
    """
    decisive = [item for item in items if item.decisive]
    if decisive:
        lines = [f"  {item.key}: {item.value}" for item in decisive]
        raise InputError(
            "\n".join(
                [
                    f"{file}: not understood, and by their names these can change the shape, so that a profile without "
                    "them may be wrong:",
                    *lines,
                    "Those that change nothing: --ignore KEY, repeatable",
                ]
            )
        )


def _unknown(keys: Keys, ignored: Collection[str], top: bool = False) -> Iterator[Item]:
    """Keys that nothing has read and that are not known to be harmless."""
    for key in keys.unread():
        value, path = keys.raw[key], keys.path(key)
        if harmless(key) or key in SIMPLIFIED or (top and key in TEXT_MODELS):
            continue
        if top and TOWERS.fullmatch(key):
            if isinstance(value, Mapping):
                yield Item(
                    path,
                    f"{len(value)} keys",
                    "what reads images or sound is left out: the text model alone is priced",
                    "its weights take memory beside those of the text model; its time is not priced",
                )
            continue
        if is_off(value):
            continue
        if key in ignored or path in ignored:
            yield Item(path, brief(value), "not known; ignored as stated", "nothing, as stated")
        elif SHAPE.search(key.lower()):
            yield Item(path, brief(value), "not known", "by its name it can change the shape", decisive=True)
        else:
            yield Item(path, brief(value), "not known", "by its name it changes no shape: little")


def _simplified(text: Keys, architecture: Architecture) -> Iterator[Item]:
    for key in TOLD:
        value = text.raw.get(key)
        if not is_off(value) and repr(value) != "1":
            yield Item(text.path(key), brief(value), *SIMPLIFIED[key])
    if architecture.around:
        why = "a model around the text model that is not known; the text model is read by its own model_type"
        yield Item("architectures", architecture.around, why, "what it adds beside the text model")
    if architecture.no_draft:
        for key in (*MODULES, "num_nextn_predict_layers"):
            if not is_off(text.raw.get(key)):
                why, matters = architecture.no_draft, "without a draft of its own, drafts need one to be named"
                yield Item(text.path(key), brief(text.raw[key]), why, matters)
                break


def _formats(files: Files, mixed: Mapping[str, Counter[str]]) -> Iterator[Item]:
    """Formats that the checkpoint of the profile does not tell, or tells too simply."""
    for group, counts in mixed.items():
        total = sum(counts.values())
        told = ", ".join(f"{count / total:.0%} {fmt}" for fmt, count in counts.most_common())
        yield Item(
            "quantization_config", told, f"modules of {group} differ; all are taken as the most", "bytes of them"
        )
    named = QUANTISED.search(files.repository)
    stated = files.quant is not None or any(k.raw.get("quantization_config") for k in (files.text, files.outer))
    if named is not None and not stated:
        why = f"the name of the repository says {named[0]}, the files state no quantisation: all 16 bits"
        matters = "weights up to four times too large; give --quant hf_quant_config.json, or that of the original"
        yield Item("quantization_config", "missing", why, matters)


def described(items: Collection[Item]) -> list[dict[str, Any]]:
    """The items as a result has them."""
    return [item.row() for item in items]
