"""Gated DeltaNet, a linear attention with a recurrent state: its shape.

Oracle: the tensor shapes and the config.json of Qwen/Qwen3.5-397B-A17B."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from simulator.facts.formats import CONV_STATE_BYTES, STATE_BYTES
from simulator.facts.mixers.base import MixerShape
from simulator.facts.shapes import ConvKernel, HeadChannels, Heads, undivided


class GatedDeltaNet(MixerShape):
    """Gated DeltaNet: a recurrent state per sequence instead of a KV cache.

    Source: Yang et al., Gated Delta Networks, arXiv 2412.06464.
    """

    kind: Literal["gated_delta_net"] = "gated_delta_net"
    key_heads: Heads = Field(gt=0)
    key_dim: HeadChannels = Field(gt=0)
    value_heads: Heads = Field(gt=0)
    value_dim: HeadChannels = Field(gt=0)
    conv_kernel: ConvKernel = Field(gt=1)

    @property
    def keys(self) -> int:
        """Channels of all key heads; as many of the queries."""
        return self.key_heads * self.key_dim

    @property
    def values(self) -> int:
        """Channels of all value heads; as many of the output gate z."""
        return self.value_heads * self.value_dim

    @property
    def conv_channels(self) -> int:
        """Channels that the convolution runs over: queries, keys and values."""
        return 2 * self.keys + self.values

    def parameters(self, hidden: int) -> dict[str, int]:
        """Parameters: q, k, v, z, b, a and output projections, convolution, decay and norm."""
        projections = hidden * (self.conv_channels + 2 * self.values + 2 * self.value_heads)
        rest = self.conv_channels * self.conv_kernel + 2 * self.value_heads + self.value_dim
        return {"gdn": projections + rest}

    def share_per_gpu(self, hidden: int, ranks: int) -> dict[str, float]:
        """An equal part for each of ``ranks`` GPUs: heads and channels are sharded."""
        return {"gdn": 1 / ranks}

    def cached_tokens(self, context: float) -> float:
        """None: there is no cache."""
        return 0.0

    def state_bytes(self, dtype: str) -> float:
        """Bytes of one copy of a sequence's state: a matrix per value head in ``dtype``, and the BF16 convolution's.

        On each GPU of an attention rank it is this over the number of its GPUs: state heads and channels are sharded.

        Example:
            >>> net = GatedDeltaNet(key_heads=16, key_dim=128, value_heads=64, value_dim=128, conv_kernel=4)
            >>> net.state_bytes("bf16")
            2170880.0
        """
        recurrent = self.value_heads * self.key_dim * self.value_dim * STATE_BYTES[dtype]
        convolution = (self.conv_kernel - 1) * self.conv_channels * CONV_STATE_BYTES
        return recurrent + convolution

    def faults(self, ranks: int) -> list[str]:
        """What a number of ranks breaks, each as the end of a sentence that begins with the number."""
        return undivided(ranks, {"GDN key heads": self.key_heads, "GDN value heads": self.value_heads})
