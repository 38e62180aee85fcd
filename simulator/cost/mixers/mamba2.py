"""Operators of Mamba-2 layers: projections, the scan of the recurrent state, and small kernels."""

from __future__ import annotations

from dataclasses import replace

from simulator.cost.operator import ST, Operator, T
from simulator.cost.rates import ACTIVATION_BYTES, Rates
from simulator.facts.deployment import LayerFormats
from simulator.facts.mixers.mamba2 import Mamba2

CHUNK = 128
"""Tokens per chunk of the scan (``chunk_size`` of nvidia/NVIDIA-Nemotron-3-Super-120B-A12B)."""
LAUNCHES = 5
"""Kernels of the chunked scan: sums of decays, states of chunks, passing them on, products of inputs and outputs within
a chunk, and the scan (state-spaces/mamba)."""


def operators(layer: Mamba2, count: float, formats: LayerFormats, rates: Rates) -> list[Operator]:
    """Operators of ``count`` layers.

    Heads are sharded over the GPUs of an attention rank, and groups as far as there are any; tokens are divided among
    the ranks. The kernel that updates the state has the rates of a delta rule.
    """
    d, fmt = rates.deployment, formats["gdn"]
    hidden, tp, dp = d.model.hidden, d.attention_tp, d.dp
    inner, heads, conv = layer.inner / tp, layer.heads / tp, layer.conv_channels(tp)
    moved = {ST: layer.state_bytes(d.engine.state_dtype) / tp / dp, T: (conv + inner) * ACTIVATION_BYTES / dp}
    scan = rates.kernel("gdn", "mamba scan (state)", count, {T: scan_flops(layer, tp) / dp}, moved)
    return [
        rates.gemm("mamba in", count, hidden, inner + conv + heads, fmt, share=1 / dp),
        replace(scan, launched=LAUNCHES),
        rates.gemm("mamba out", count, inner, hidden, fmt, share=1 / dp),
        rates.small("mamba convolution, norm, gate", 3 * count, 2 * (conv + inner) * ACTIVATION_BYTES / dp),
    ]


def scan_flops(layer: Mamba2, ranks: int = 1) -> float:
    """FLOPs of the chunked scan per token on each of ``ranks`` GPUs.

    Per head two products with the state (the update and the read-out), 4 P N FLOPs, and one inside the chunk of C
    tokens, C P as half of it is masked; per group the products of reading and taking in, C N.
    Source: Dao and Gu, Transformers are SSMs, arXiv 2405.21060.
    """
    per_head = 4.0 * layer.head_dim * layer.state_dim + CHUNK * layer.head_dim
    return layer.heads / ranks * per_head + layer.groups_per_gpu(ranks) * CHUNK * float(layer.state_dim)
