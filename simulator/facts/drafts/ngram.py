"""Tokens copied from where the last few stood before: no weights and no passes."""

from __future__ import annotations

from typing import ClassVar, Literal

from simulator.facts.drafts.base import DraftShape


class NgramDraft(DraftShape):
    """Looks the last tokens up in prompt and output, on the host while it schedules.

    Source: vLLM, ``vllm/v1/spec_decode/ngram_proposer.py``; prompt lookup decoding.
    """

    title: ClassVar[str] = "n-gram draft"
    kind: Literal["ngram"] = "ngram"
