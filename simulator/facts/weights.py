"""Parameters and bytes of weights: sums over the layers of a model, in its checkpoint's formats, under parallelism.

All sizes are in bytes, all counts in parameters. Oracle: the tensor shapes of Qwen/Qwen3.5-397B-A17B."""

from __future__ import annotations

from simulator.facts.deployment import Deployment
from simulator.facts.formats import BYTES_PER_PARAM
from simulator.facts.model import Checkpoint, Model, group_formats


def target_parameters(model: Model) -> dict[str, int]:
    """Parameters of the whole target model per tensor group; ``norms`` includes the shared expert's scalar gate."""
    hidden, moe = model.hidden, model.moe
    return {
        "attention": model.full_layers * model.attention.parameters(hidden),
        "gdn": model.gdn_layers * model.gdn.parameters(hidden) if model.gdn is not None else 0,
        "routed_experts": model.layers * moe.experts * moe.expert_parameters(hidden),
        "shared_expert": model.layers * moe.shared_expert_parameters(hidden),
        "router": model.layers * moe.router_parameters(hidden),
        "norms": model.layers * (2 * hidden + moe.shared_gate_parameters(hidden)) + hidden,
        "embedding": model.vocabulary * hidden,
        "lm_head": model.vocabulary * hidden,
    }


def draft_parameters(model: Model) -> dict[str, int]:
    """Parameters of the MTP layers per tensor group. Embedding and lm_head are the target's, not counted again.

    An MTP layer is a full-attention layer with a projection of two hidden vectors to one and three norms more.
    """
    layers, hidden, moe = model.mtp_layers, model.hidden, model.moe
    return {
        "draft_fc": layers * 2 * hidden**2,
        "draft_attention": layers * model.attention.parameters(hidden),
        "draft_experts": layers * moe.experts * moe.expert_parameters(hidden),
        "draft_shared_expert": layers * moe.shared_expert_parameters(hidden),
        "draft_router": layers * moe.router_parameters(hidden),
        "draft_norms": layers * (5 * hidden + moe.shared_gate_parameters(hidden)),
    }


def total_parameters(model: Model) -> int:
    """Parameters of the text model without its MTP layers (396.35 B for Qwen3.5-397B-A17B)."""
    return sum(target_parameters(model).values())


def active_parameters(model: Model) -> int:
    """Parameters that one token multiplies with, lm_head included and embedding excluded (16.33 B)."""
    groups = target_parameters(model)
    routed = groups["routed_experts"] * model.moe.top_k // model.moe.experts
    return total_parameters(model) - groups["routed_experts"] - groups["embedding"] + routed


def checkpoint_bytes(model: Model, checkpoint: Checkpoint) -> dict[str, float]:
    """Stored bytes per tensor group, target and draft (about 238 GB in all for MXFP4, 405 GB for FP8)."""
    formats = group_formats(checkpoint)
    counts = target_parameters(model) | draft_parameters(model)
    return {group: count * BYTES_PER_PARAM[formats[group]] for group, count in counts.items()}


def total_checkpoint_bytes(model: Model, checkpoint: Checkpoint) -> float:
    """Stored bytes of the text model and its MTP layers; a vision encoder is not part of the model here."""
    return sum(checkpoint_bytes(model, checkpoint).values())


WHOLE = ("router", "norms", "draft_fc", "draft_router", "draft_norms")
"""Groups that every GPU holds whole. The draft's fc is a plain linear layer: SGLang 0.5.23,
``sglang/srt/models/qwen3_5_mtp.py``."""


def share_per_gpu(deployment: Deployment, group: str) -> float:
    """Part of a tensor group that each GPU holds.

    Routed and shared experts, embedding and lm_head are divided by tp (with expert parallelism ep x tp_expert = tp);
    attention and GDN by tp/dp, with KV heads replicated beyond one per GPU; the groups of :data:`WHOLE` by nothing.
    """
    model, ranks = deployment.model, deployment.attention_tp
    if group in WHOLE:
        return 1.0
    if group in ("attention", "draft_attention"):
        return model.attention.share_per_gpu(model.hidden, ranks)
    return 1 / (ranks if group == "gdn" else deployment.tp)


def weight_bytes_per_gpu(deployment: Deployment, draft: bool) -> dict[str, float]:
    """Bytes of weights on each GPU per tensor group; ``draft`` says whether the MTP layers are loaded."""
    return {
        group: size * share_per_gpu(deployment, group)
        for group, size in checkpoint_bytes(deployment.model, deployment.weights).items()
        if draft or not group.startswith("draft_")
    }
