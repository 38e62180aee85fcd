"""Names of the weights of each tensor group, as checkpoints and their lists of unquantised modules write them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

ATTENTION = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj")
LATENT = ("self_attn.q_b_proj", "self_attn.kv_a_proj_with_mqa", "self_attn.kv_b_proj", "self_attn.o_proj")
LINEAR = ("linear_attn.in_proj_qkvz", "linear_attn.in_proj_qkv", "linear_attn.in_proj_z", "linear_attn.out_proj")

OF_MIXER: Mapping[str, Sequence[str]] = {
    "attention": ATTENTION,
    "latent_attention": LATENT,
    "compressed_attention": ("self_attn.wq_b", "self_attn.q_b_proj", "self_attn.wo_b", "self_attn.o_proj"),
    "gated_delta_net": LINEAR,
    "kimi_delta": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"),
    "mamba2": ("mixer.in_proj", "mixer.out_proj"),
}
"""Kind of mixer -> its large projections, each under the name of a layer."""

LINEAR_KINDS = ("gated_delta_net", "kimi_delta", "mamba2")
"""Kinds whose formats are those of the group ``gdn``."""

GATED, PLAIN = ("gate_proj", "up_proj", "down_proj"), ("up_proj", "down_proj")


def of_mixer(kind: str, layer: str, single: bool = False) -> list[str]:
    """The projections of a mixer in one layer.

    Args:
        kind: of mixer.
        layer: name of the layer, such as ``model.layers.3``.
        single: layers are either a mixer or a feed-forward, so both are called ``mixer``.

    Example:
        >>> of_mixer("mamba2", "backbone.layers.0")
        ['backbone.layers.0.mixer.in_proj', 'backbone.layers.0.mixer.out_proj']
    """
    return [f"{layer}.{name.replace('self_attn', 'mixer') if single else name}" for name in OF_MIXER[kind]]


def of_feed_forward(group: str, layer: str, single: bool = False) -> list[str]:
    """The projections of a tensor group ``dense``, ``routed_experts`` or ``shared_expert`` in one layer."""
    block = "mixer" if single else "mlp"
    inner = {"dense": "", "routed_experts": "experts.0.", "shared_expert": "shared_expert."}[group]
    return [f"{layer}.{block}.{inner}{name}" for name in (PLAIN if single else GATED)]


def spellings(name: str) -> list[str]:
    """The other names that checkpoints have for the same module.

    Example:
        >>> spellings("model.layers.3.mlp.shared_expert.up_proj")[1]
        'model.layers.3.mlp.shared_experts.up_proj'
    """
    changes: Sequence[Callable[[str], str]] = (
        lambda text: text.replace("shared_expert.", "shared_experts."),
        lambda text: text.replace(".mlp.experts", ".block_sparse_moe.experts"),
        lambda text: text.replace("model.layers", "model.language_model.layers"),
        lambda text: text.replace("model.layers", "language_model.model.layers"),
        lambda text: text.replace(".experts.0.", ".experts."),
        lambda text: text.replace("lm_head", "language_model.lm_head"),
    )
    names = [name]
    for change in changes:
        names += [changed for known in list(names) if (changed := change(known)) not in names]
    return names
