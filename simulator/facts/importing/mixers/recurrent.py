"""Layers with a recurrent state: gated delta net, Kimi delta attention, Mamba-2."""

from __future__ import annotations

from simulator.facts.importing.found import Block, Found, stated
from simulator.facts.importing.keys import Keys


def delta_net(text: Keys) -> Block:
    """A gated delta net."""
    return {
        "kind": "gated_delta_net",
        "key_heads": text.needed("linear_num_key_heads"),
        "key_dim": text.needed("linear_key_head_dim"),
        "value_heads": text.needed("linear_num_value_heads"),
        "value_dim": text.needed("linear_value_head_dim"),
        "conv_kernel": text.needed("linear_conv_kernel_dim"),
    }


def kimi_delta(linear: Keys) -> Block:
    """Kimi delta attention; ``linear`` is ``linear_attn_config``."""
    return {
        "kind": "kimi_delta",
        "heads": linear.needed("num_heads"),
        "head_dim": linear.needed("head_dim"),
        "conv_kernel": linear.needed("short_conv_kernel_size"),
        **stated(full_rank_gate=linear.on("use_full_rank_gate")),
    }


def mamba2(text: Keys) -> Block:
    """A Mamba-2 layer."""
    return {
        "kind": "mamba2",
        "heads": text.needed("mamba_num_heads"),
        "head_dim": text.needed("mamba_head_dim"),
        "state_dim": text.needed("ssm_state_size"),
        "groups": text.whole("n_groups") or Found(1, "no key: one group"),
        "conv_kernel": text.needed("conv_kernel"),
    }
