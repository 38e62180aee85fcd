"""Parameters and bytes of weights: exact counts from a model's shape, its checkpoint and the parallelism.

All sizes are in bytes, all counts in parameters. Oracle: the tensor shapes of Qwen/Qwen3.5-397B-A17B."""

from __future__ import annotations

from simulator.facts.deployment import Deployment, attention_tp
from simulator.facts.formats import BYTES_PER_PARAM
from simulator.facts.layers import kv_heads_per_gpu
from simulator.facts.model import Checkpoint, Model, group_formats


def attention_parameters(model: Model) -> int:
    """Parameters of one full-attention layer: q (with its output gate), k, v, o, and the two head norms."""
    a = model.attention
    return _query_output_parameters(model) + kv_projection_parameters(model) + 2 * a.head_dim


def _query_output_parameters(model: Model) -> int:
    a = model.attention
    return model.hidden * a.query_heads * a.head_dim * (3 if a.output_gate else 2)


def kv_projection_parameters(model: Model) -> int:
    """Parameters of the k and v projections of one full-attention layer."""
    return 2 * model.hidden * model.attention.kv_heads * model.attention.head_dim


def gdn_parameters(model: Model) -> int:
    """Parameters of one Gated DeltaNet layer: q, k, v, z, b, a and output projections, convolution, decay and norm."""
    g = model.gdn
    if g is None:
        return 0
    values = g.value_heads * g.value_dim
    projections = model.hidden * (_conv_channels(model) + 2 * values + 2 * g.value_heads)
    return projections + _conv_channels(model) * g.conv_kernel + 2 * g.value_heads + g.value_dim


def _conv_channels(model: Model) -> int:
    g = model.gdn
    return 0 if g is None else 2 * g.key_heads * g.key_dim + g.value_heads * g.value_dim


def expert_parameters(model: Model) -> int:
    """Parameters of one routed expert: gate, up and down projection."""
    return 3 * model.hidden * model.moe.intermediate


def shared_expert_parameters(model: Model) -> int:
    """Parameters of the shared expert of one layer."""
    return 3 * model.hidden * model.moe.shared_intermediate


def router_parameters(model: Model) -> int:
    """Parameters of the router of one layer."""
    return model.hidden * model.moe.experts


def _norm_parameters(model: Model) -> int:
    return model.hidden * (3 if model.moe.shared_intermediate else 2)


def target_parameters(model: Model) -> dict[str, int]:
    """Parameters of the whole target model per tensor group; ``norms`` includes the shared expert's scalar gate."""
    return {
        "attention": model.full_layers * attention_parameters(model),
        "gdn": model.gdn_layers * gdn_parameters(model),
        "routed_experts": model.layers * model.moe.experts * expert_parameters(model),
        "shared_expert": model.layers * shared_expert_parameters(model),
        "router": model.layers * router_parameters(model),
        "norms": model.layers * _norm_parameters(model) + model.hidden,
        "embedding": model.vocabulary * model.hidden,
        "lm_head": model.vocabulary * model.hidden,
    }


def draft_parameters(model: Model) -> dict[str, int]:
    """Parameters of the MTP layers per tensor group. Embedding and lm_head are the target's, not counted again."""
    layers = model.mtp_layers
    return {
        "draft_fc": layers * 2 * model.hidden**2,
        "draft_attention": layers * attention_parameters(model),
        "draft_experts": layers * model.moe.experts * expert_parameters(model),
        "draft_shared_expert": layers * shared_expert_parameters(model),
        "draft_router": layers * router_parameters(model),
        "draft_norms": layers * (_norm_parameters(model) + 3 * model.hidden),
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


def expert_bytes(model: Model, fmt: str) -> float:
    """Stored bytes of one routed expert (6.685 MB in MXFP4, 25.17 MB in BF16)."""
    return expert_parameters(model) * BYTES_PER_PARAM[fmt]


def weight_bytes_per_gpu(deployment: Deployment, draft: bool) -> dict[str, float]:
    """Bytes of weights on each GPU per tensor group.

    Routed and shared experts, embedding and lm_head are divided by tp (with expert parallelism ep x tp_expert = tp);
    attention and GDN by tp/dp, with KV heads replicated beyond one per GPU; routers, norms and the draft's fc are
    whole on every GPU. ``draft`` says whether the MTP layers are loaded.
    """
    model, heads = deployment.model, deployment.model.attention
    ranks = attention_tp(deployment)
    kv_share = kv_heads_per_gpu(heads, ranks) / heads.kv_heads
    kv = kv_projection_parameters(model)
    rest = attention_parameters(model) - kv
    attention_share = (rest / ranks + kv * kv_share) / (rest + kv)
    shares = {
        "attention": attention_share,
        "draft_attention": attention_share,
        "gdn": 1 / ranks,
        "router": 1.0,
        "norms": 1.0,
        "draft_fc": 1.0,
        "draft_router": 1.0,
        "draft_norms": 1.0,
    }
    return {
        group: size * shares.get(group, 1 / deployment.tp)
        for group, size in checkpoint_bytes(model, deployment.weights).items()
        if draft or not group.startswith("draft_")
    }
