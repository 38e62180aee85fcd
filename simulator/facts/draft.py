"""What drafts tokens for a model: its own layers for multi-token prediction (MTP)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from simulator.facts.layers import LayerGroup
from simulator.facts.quantities import Spec
from simulator.facts.shapes import Layers


class MtpDraft(Spec):
    """Layers of the model's own kind behind a projection of two hidden vectors to one; embedding and lm_head are the
    target's.

    Source: DeepSeek-V3, arXiv 2412.19437.
    """

    kind: Literal["mtp"] = "mtp"
    layers: Layers = Field(default=1, gt=0)
    mixer: str
    feed_forward: str

    @property
    def groups(self) -> list[LayerGroup]:
        """Its layers."""
        return [LayerGroup(count=self.layers, mixer=self.mixer, feed_forward=self.feed_forward)]

    def parameters(self, hidden: int) -> dict[str, int]:
        """Parameters beside its layers: the projections, and three norms more than a layer has."""
        return {"fc": self.layers * 2 * hidden**2, "norms": self.layers * 3 * hidden}

    @property
    def projection_share(self) -> float:
        """Part of the projection that each GPU holds: a plain linear layer, so all of it.

        Source: SGLang 0.5.23, ``sglang/srt/models/qwen3_5_mtp.py``.
        """
        return 1.0


Draft = MtpDraft
