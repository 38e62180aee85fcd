"""Mamba-2, a state space model with a recurrent state: its shape.

Oracle: the config.json of nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-FP8."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from simulator.facts.formats import CONV_STATE_BYTES, STATE_BYTES
from simulator.facts.mixers.base import MixerShape
from simulator.facts.shapes import ConvKernel, HeadChannels, Heads, undivided


class Mamba2(MixerShape):
    """A recurrent state per sequence, ``head_dim`` x ``state_dim`` per head, instead of a KV cache.

    Heads of a group share what the state takes in (B) and how it is read (C), as query heads share keys and values.

    Source: Dao and Gu, Transformers are SSMs, arXiv 2405.21060.
    """

    kind: Literal["mamba2"] = "mamba2"
    heads: Heads = Field(gt=0)
    head_dim: HeadChannels = Field(gt=0)
    state_dim: HeadChannels = Field(gt=0)
    groups: Heads = Field(default=1, gt=0)
    conv_kernel: ConvKernel = Field(gt=1)

    @property
    def inner(self) -> int:
        """Channels of all heads; as many of the gate."""
        return self.heads * self.head_dim

    def groups_per_gpu(self, ranks: int) -> int:
        """Groups on each of ``ranks`` GPUs; beyond one group per GPU they are replicated."""
        return max(1, math.ceil(self.groups / ranks))

    def conv_channels(self, ranks: int = 1) -> float:
        """Channels that the convolution runs over on each of ``ranks`` GPUs: those of the heads, B and C."""
        return self.inner / ranks + 2 * self.groups_per_gpu(ranks) * self.state_dim

    def parameters(self, hidden: int) -> dict[str, int]:
        """Parameters: gate, heads, B, C and step in; convolution with its bias; decay, skip, step's bias; norm; out."""
        return {"gdn": round(self._on_gpu(hidden, 1))}

    def _on_gpu(self, hidden: int, ranks: int) -> float:
        inner, heads, conv = self.inner / ranks, self.heads / ranks, self.conv_channels(ranks)
        return hidden * (inner + conv + heads) + conv * (self.conv_kernel + 1) + 3 * heads + inner + inner * hidden

    def share_per_gpu(self, hidden: int, ranks: int) -> dict[str, float]:
        """Heads are sharded over ``ranks`` GPUs, groups as far as there are any."""
        return {"gdn": self._on_gpu(hidden, ranks) / self._on_gpu(hidden, 1)}

    def cached_tokens(self, context: float) -> float:
        """None: there is no cache."""
        return 0.0

    def state_bytes(self, dtype: str) -> float:
        """Bytes of one copy of a sequence's state: a matrix per head in ``dtype``, and the BF16 convolution's.

        Example:
            >>> Mamba2(heads=128, head_dim=64, state_dim=128, groups=8, conv_kernel=4).state_bytes("fp32")
            4255744.0
        """
        recurrent = self.inner * self.state_dim * STATE_BYTES[dtype]
        return recurrent + (self.conv_kernel - 1) * self.conv_channels() * CONV_STATE_BYTES

    def faults(self, ranks: int) -> list[str]:
        """What a number of ranks breaks, each as the end of a sentence that begins with the number."""
        faults = undivided(ranks, {"Mamba heads": self.heads})
        if self.groups % ranks and ranks % self.groups:
            faults.append(f"must divide or be a multiple of the {self.groups} Mamba groups")
        return faults
