"""Prefixes that the prompts of a trace share: as ranges of block ids, and as an endless cache would hold them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator import kernels as kn
from simulator.traffic.session_builder import runs_of_ids
from simulator.traffic.trace import Array, Tokens, Trace


@dataclass(frozen=True, eq=False)
class Prefixes:
    """What the prompts of requests share, in order of arrival.

    Attributes:
        paths: ranges of block ids of each; equal ids mean that the whole prompt up to the end of that block is equal.
        blocks: different ids, which are below this.
        block_tokens: tokens of a block.
        ideal: tokens of each that an endless cache for all of them holds, shape (n,).
        home: number of the session of each, or of what begins with the same block, below ``homes``; -1: of none.
        homes: how many there are.
    """

    paths: kn.Paths
    blocks: int
    block_tokens: int
    ideal: Array
    home: Tokens
    homes: int

    @property
    def shared(self) -> kn.Shared:
        """The same for the kernels."""
        return kn.Shared(self.paths, self.blocks, self.home, self.homes)


def prefixes_of(trace: Trace) -> Prefixes | None:
    """What the prompts of a trace share; None: the file does not say which prompts are alike.

    A block is alike when every block before it in the prompt is. Of the last block of a prompt only its own tokens
    count.
    """
    if trace.blocks is None:
        return None
    numbers: dict[tuple[int, int], int] = {}
    runs: list[list[tuple[int, int]]] = []
    ideal, home = np.zeros(trace.count), np.full(trace.count, -1, np.int64)
    for i, blocks in enumerate(trace.blocks):
        known, before, ids = len(numbers), -1, []
        for block in blocks:
            before = numbers.setdefault((before, block), len(numbers))
            ids.append(before)
        held = next((j for j, one in enumerate(ids) if one >= known), len(ids))
        ideal[i] = min(held * trace.block_tokens, int(trace.prompt[i]))
        runs.append(runs_of_ids(np.array(ids, dtype=np.int64)))
        if ids:
            home[i] = ids[0]
    return Prefixes(paths_of(runs), len(numbers), trace.block_tokens, ideal, home, len(numbers))


def paths_of(runs: list[list[tuple[int, int]]]) -> kn.Paths:
    """Ranges of block ids, prompt by prompt, as the kernels have them."""
    flat = np.array([pair for one in runs for pair in one], dtype=np.int64).reshape(-1, 2)
    of = np.concatenate(([0], np.cumsum([len(one) for one in runs]))).astype(np.int64)
    return kn.Paths(of, flat[:, 0].copy(), flat[:, 1].copy())


def told_prefixes(prompt: Tokens, prefixes: Prefixes | None) -> str:
    """What shared prefixes mean for a simulation that keeps no prompts, in words; nothing where none are known."""
    if prefixes is None or not prefixes.ideal.any():
        return ""
    share = 100 * prefixes.ideal.sum() / prompt.sum()
    return f"{share:.0f} % of its input tokens are prefixes of earlier prompts, computed all the same"
