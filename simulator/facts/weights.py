"""Parameters and bytes of weights: sums over the layers of a model, in its checkpoint's formats, under parallelism.

All sizes are in bytes, all counts in parameters. Oracle: the tensor shapes of Qwen/Qwen3.5-397B-A17B."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from simulator.facts.checkpoint import Checkpoint, draft_group
from simulator.facts.deployment import Deployment, formats_of
from simulator.facts.formats import BYTES_PER_PARAM, Format
from simulator.facts.model import Model

N = TypeVar("N", int, float)

GROUPS = (
    *("fc", "attention", "indexer", "gdn", "dense", "routed_experts", "shared_expert", "latent", "router", "norms"),
    *("embedding", "lm_head"),
)
"""Tensor groups in the order of all tables; ``fc`` are projections of a draft, whose layers stand behind them."""


def target_parameters(model: Model) -> dict[str, int]:
    """Parameters of the whole target model per tensor group; ``norms`` includes the shared expert's scalar gate.

    With a tied embedding the one matrix counts as the lm_head.
    """
    hidden = model.hidden
    found = model.target_layers.parameters(hidden)
    table = model.vocabulary * hidden
    found["norms"] += hidden
    return _in_order(found | {"embedding": 0 if model.tied_embedding else table, "lm_head": table})


def draft_parameters(model: Model) -> dict[str, int]:
    """Parameters of the draft per tensor group. What it has of the target is not counted again."""
    if model.draft is None:
        return {}
    found = model.draft_layers.parameters(model.draft.width(model.hidden))
    own = model.draft.own(model.hidden, model.vocabulary)
    return _of_draft(_in_order(_together(found, own)))


def total_parameters(model: Model) -> int:
    """Parameters of the text model without its MTP layers (396.35 B for Qwen3.5-397B-A17B)."""
    return sum(target_parameters(model).values())


def active_parameters(model: Model) -> int:
    """Parameters that one token multiplies with, lm_head included and embedding excluded (16.33 B)."""
    groups = target_parameters(model)
    all_experts = groups.get("routed_experts", 0)
    routed = all_experts * model.experts.top_k // model.experts.experts if model.experts else 0
    return total_parameters(model) - all_experts - groups.get("embedding", 0) + routed


def checkpoint_bytes(model: Model, checkpoint: Checkpoint) -> dict[str, float]:
    """Stored bytes per tensor group, target and draft (about 238 GB in all for MXFP4, 405 GB for FP8)."""
    return _stored(target_parameters(model) | draft_parameters(model), formats_of(model, checkpoint))


def total_checkpoint_bytes(model: Model, checkpoint: Checkpoint) -> float:
    """Stored bytes of the text model and its MTP layers; a vision encoder is not part of the model here."""
    return sum(checkpoint_bytes(model, checkpoint).values())


def weight_bytes_per_gpu(deployment: Deployment, draft: bool) -> dict[str, float]:
    """Bytes of weights on each GPU per tensor group; ``draft`` says whether the MTP layers are loaded.

    Mixers are divided by tp/dp and feed-forwards by tp, as their kinds say; embedding and lm_head by tp; norms by
    nothing. Of pipeline stages it is the one with the most layers and the lm_head.
    """
    d, model = deployment, deployment.model
    found = model.target_layers.parameters_per_gpu(model.hidden, d.attention_tp, d.tp)
    if d.pp > 1:
        found = {group: count * d.stage_share for group, count in found.items()}
    table = model.vocabulary * model.hidden / d.tp
    found["norms"] += model.hidden
    first = 0.0 if model.tied_embedding or d.pp > 1 else table
    counts = _in_order(found | {"embedding": first, "lm_head": table})
    if draft and model.draft is not None:
        found = model.draft_layers.parameters_per_gpu(model.draft.width(model.hidden), d.attention_tp, d.tp)
        own = {group: float(count) for group, count in model.draft.own(model.hidden, model.vocabulary).items()}
        sharded = sum(one.count * one.k * one.n for one in model.draft.projections(model.hidden) if one.sharded)
        own["fc"] -= sharded * (1 - 1 / d.attention_tp)
        own |= {group: own[group] / d.tp for group in ("embedding", "lm_head") if group in own}
        counts |= _of_draft(_in_order(_together(found, own)))
    return _stored(counts, d.formats)


def _in_order(counts: Mapping[str, N]) -> dict[str, N]:
    """The groups that there are, in the order of :data:`GROUPS`."""
    assert counts.keys() <= set(GROUPS), counts.keys()
    return {group: counts[group] for group in GROUPS if counts.get(group)}


def _together(layers: Mapping[str, N], own: Mapping[str, N]) -> dict[str, N]:
    return {**layers, **own, "norms": layers["norms"] + own["norms"]}


def _of_draft(counts: Mapping[str, N]) -> dict[str, N]:
    return {draft_group(group): count for group, count in counts.items()}


def _stored(counts: Mapping[str, float], formats: Mapping[str, Format]) -> dict[str, float]:
    return {group: count * BYTES_PER_PARAM[formats[group]] for group, count in counts.items()}
