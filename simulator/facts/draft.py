"""What drafts tokens for a model.

A new kind is one file in ``drafts/`` and a word in the union here."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from simulator.facts.drafts.mtp import MtpDraft
from simulator.facts.drafts.ngram import NgramDraft
from simulator.facts.drafts.separate import BlockDraft, EagleDraft, ModelDraft

__all__ = ["KINDS", "BlockDraft", "Draft", "EagleDraft", "ModelDraft", "MtpDraft", "NgramDraft"]

KINDS: dict[str, type[MtpDraft | EagleDraft | BlockDraft | ModelDraft | NgramDraft]] = {
    "mtp": MtpDraft,
    "eagle3": EagleDraft,
    "block": BlockDraft,
    "model": ModelDraft,
    "ngram": NgramDraft,
}
Draft = Annotated[MtpDraft | EagleDraft | BlockDraft | ModelDraft | NgramDraft, Field(discriminator="kind")]
