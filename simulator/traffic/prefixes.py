"""Prefixes that the prompts of a trace share, as an endless cache would hold them."""

from __future__ import annotations

import numpy as np

from simulator.traffic.trace import Trace


def ideal_hits(trace: Trace) -> tuple[float, float] | None:
    """Part of the input that an endless prefix cache would hold: of all tokens, and the mean over requests.

    A block is a hit when every block before it in the prompt is one and an earlier request had it. Of the last block of
    a prompt only its own tokens count. None: the file does not say which prompts are alike.
    """
    if trace.blocks is None:
        return None
    seen: set[int] = set()
    hits = np.zeros(trace.count)
    for i, blocks in enumerate(trace.blocks):
        held = next((n for n, block in enumerate(blocks) if block not in seen), len(blocks))
        hits[i] = min(held * trace.block_tokens, int(trace.prompt[i]))
        seen.update(blocks)
    return float(hits.sum() / trace.prompt.sum()), float((hits / trace.prompt).mean())


def told_prefixes(trace: Trace) -> list[str]:
    """What shared prefixes mean for a simulation of the trace, in words; nothing where none are known."""
    hits = ideal_hits(trace)
    if hits is None or not hits[0]:
        return []
    return [f"{100 * hits[0]:.0f} % of its input tokens are prefixes of earlier prompts, computed all the same"]
