"""The checkpoint that a configuration describes: the number format of every tensor group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from simulator.facts.importing.found import Block
from simulator.facts.importing.keys import Keys
from simulator.facts.importing.layers import Placed
from simulator.facts.importing.modules import LINEAR_KINDS, of_feed_forward, of_mixer
from simulator.facts.importing.reading import CONFIG, QUANT, Files
from simulator.facts.importing.schemes import Scheme, scheme

PRECISION = {"bf16": "bf16", "fp8": "fp8", "mxfp4": "fp4", "nvfp4": "fp4", "int4": "int4"}
"""Format of the experts, or of what is most of a model without -> precision of a checkpoint."""
FP4 = {"fp4": "mxfp4"}
"""``expert_dtype`` -> format of the routed experts."""


def scheme_of(files: Files) -> Scheme | None:
    """The quantisation of a checkpoint; None: it has none."""
    stated = [keys.object("quantization_config") for keys in dict.fromkeys((files.text, files.outer))]
    if files.quant is not None:
        stated = [files.quant.object("quantization") or files.quant]
    return next((scheme(found) for found in stated if found is not None), None)


def checkpoint(
    files: Files, mixers: Placed, feed_forwards: Placed, drafts: int, single: bool
) -> tuple[str, Block, dict[str, Counter[str]]]:
    """The checkpoint of a configuration.

    Args:
        files: that are read.
        mixers: by layer.
        feed_forwards: by layer.
        drafts: MTP layers in it.
        single: layers are either a mixer or a feed-forward.

    Returns:
        Its name, its block, and the groups whose modules differ: how many modules have each format.
    """
    stated = scheme_of(files)
    names = module_names(mixers, feed_forwards, single)
    counts = {group: _formats(stated, modules) for group, modules in names.items()}
    layers, formats = len(mixers.by_layer), {}
    experts = _expert_format(files.text)
    for group, found in counts.items():
        formats[group] = found.most_common(1)[0][0]
    if experts is not None and "routed_experts" in formats:
        formats["routed_experts"], counts["routed_experts"] = experts, Counter([experts])
    if "gdn" in formats and "attention" not in formats:
        formats = {"attention": formats["gdn"], **formats}
    formats["lm_head"] = stated.format_of("lm_head") if stated is not None and stated.head else "bf16"
    if drafts:
        formats |= _of_draft(stated, formats, layers, mixers, feed_forwards, experts)
    main = formats.get("routed_experts") or formats.get("dense") or formats["attention"]
    file = CONFIG if files.quant is None else QUANT
    said = (
        f": {stated.source}" if stated is not None else ": no quantization_config, so all weights count as 16 bits wide"
    )
    block: Block = {
        "repository": files.repository,
        "precision": PRECISION[main],
        **({"weight_only": True} if stated is not None and stated.weight_only else {}),
        **formats,
        "source": f"{files.repository} {file}{said}",
    }
    return main, block, {group: found for group, found in counts.items() if len(found) > 1}


def module_names(mixers: Placed, feed_forwards: Placed, single: bool) -> Mapping[str, Sequence[Sequence[str]]]:
    """Modules of each tensor group: a list of projections per layer that has it."""
    found: dict[str, list[Sequence[str]]] = {}
    root = "backbone.layers" if single else "model.layers"
    for i, name in enumerate(mixers.by_layer):
        if name is not None:
            kind = mixers.blocks[name]["kind"]
            group = "gdn" if kind in LINEAR_KINDS else "attention"
            found.setdefault(group, []).append(of_mixer(kind, f"{root}.{i}", single))
    for i, name in enumerate(feed_forwards.by_layer):
        for group in [] if name is None else groups_of(feed_forwards.blocks[name]):
            found.setdefault(group, []).append(of_feed_forward(group, f"{root}.{i}", single))
    return found


def groups_of(block: Block) -> list[str]:
    """Tensor groups of a feed-forward."""
    if block["kind"] == "dense":
        return ["dense"]
    return ["routed_experts", *(["shared_expert"] if "shared_intermediate" in block else [])]


def _formats(stated: Scheme | None, modules: Sequence[Sequence[str]]) -> Counter[str]:
    if stated is None:
        return Counter(["bf16"])
    return Counter(stated.format_of(name) for layer in modules for name in layer)


def _expert_format(text: Keys) -> str | None:
    """Format of the routed experts where a key of its own says it."""
    key = text.first("expert_dtype")
    if key is None:
        return None
    if text.raw[key] not in FP4:
        text.refuse(key, " or ".join(FP4))
    return FP4[text.raw[key]]


def _of_draft(
    stated: Scheme | None,
    formats: Mapping[str, str],
    layers: int,
    mixers: Placed,
    feed_forwards: Placed,
    experts: str | None,
) -> dict[str, str]:
    """Formats of the MTP layers: of the layer behind the last one, or of ``mtp.layers.0``."""
    name, block = mixers.of_draft, feed_forwards.blocks[feed_forwards.of_draft or ""]
    kind = mixers.blocks[name or ""]["kind"]
    places = f"model.layers.{layers}", "mtp.layers.0"

    def of(modules: Sequence[Sequence[str]]) -> str:
        if stated is None:
            return "bf16"
        return Counter(stated.format_of(*names) for names in zip(*modules, strict=True)).most_common(1)[0][0]

    dense = of([of_mixer(kind, place) for place in places])
    found = {"draft_dense": dense}
    if block["kind"] == "experts":
        found["draft_experts"] = experts or of([of_feed_forward("routed_experts", place) for place in places])
    return found
