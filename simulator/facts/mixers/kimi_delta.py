"""Kimi delta attention (KDA), a gated delta net that forgets each channel at a rate of its own: its shape.

Oracle: the tensor shapes of moonshotai/Kimi-Linear-48B-A3B and the config.json of moonshotai/Kimi-K3."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from simulator.facts.formats import CONV_STATE_BYTES, STATE_BYTES
from simulator.facts.mixers.base import MixerShape
from simulator.facts.shapes import ConvKernel, HeadChannels, Heads, undivided


class KimiDelta(MixerShape):
    """A recurrent state per sequence, one square matrix per head, instead of a KV cache.

    Source: Kimi Linear, arXiv 2510.26692.
    """

    kind: Literal["kimi_delta"] = "kimi_delta"
    heads: Heads = Field(gt=0)
    head_dim: HeadChannels = Field(gt=0)
    conv_kernel: ConvKernel = Field(gt=1)
    full_rank_gate: bool = Field(
        default=False, description="the output gate is one matrix, not two of the rank of a head"
    )

    @property
    def width(self) -> int:
        """Channels of all heads: of the queries, of the keys, of the values and of the gates."""
        return self.heads * self.head_dim

    @property
    def conv_channels(self) -> int:
        """Channels that the convolutions run over: queries, keys and values."""
        return 3 * self.width

    @property
    def low_rank_gates(self) -> int:
        """Gates made of two matrices of the rank of a head: the decay, and the output gate where it is not full."""
        return 1 if self.full_rank_gate else 2

    def parameters(self, hidden: int) -> dict[str, int]:
        """Parameters: q, k, v, output, gates, beta, convolutions; decay with its bias, and the norm of a head."""
        return {"gdn": self._whole(hidden) + self._sharded(hidden)}

    def _whole(self, hidden: int) -> int:
        return self.low_rank_gates * hidden * self.head_dim + self.head_dim

    def _sharded(self, hidden: int) -> int:
        full = hidden * self.width * (5 if self.full_rank_gate else 4)
        gates = self.low_rank_gates * self.head_dim * self.width
        return full + gates + hidden * self.heads + self.conv_channels * self.conv_kernel + self.heads + self.width

    def share_per_gpu(self, hidden: int, ranks: int) -> dict[str, float]:
        """Heads are sharded over ``ranks`` GPUs; the first matrices of the gates of low rank are whole on each."""
        whole, sharded = self._whole(hidden), self._sharded(hidden)
        return {"gdn": (whole + sharded / ranks) / (whole + sharded)}

    def cached_tokens(self, context: float) -> float:
        """None: there is no cache."""
        return 0.0

    def state_bytes(self, dtype: str) -> float:
        """Bytes of one copy of a sequence's state: a matrix per head in ``dtype``, and the BF16 convolutions'.

        Example:
            >>> KimiDelta(heads=96, head_dim=128, conv_kernel=4).state_bytes("fp32")
            6512640.0
        """
        return (
            self.width * self.head_dim * STATE_BYTES[dtype]
            + (self.conv_kernel - 1) * self.conv_channels * CONV_STATE_BYTES
        )

    def faults(self, ranks: int) -> list[str]:
        """What a number of ranks breaks, each as the end of a sentence that begins with the number."""
        return undivided(ranks, {"KDA heads": self.heads})
