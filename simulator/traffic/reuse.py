"""How much of its prompts a prefix cache finds: an endless one, and any size that drops what was used longest ago.

A prompt is looked up from its first block on, until one is missing; then its blocks are touched from last to first, so
that the ends of prompts are dropped before their beginnings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from simulator.files.limits import within
from simulator.kernels import Prompts, nothing_held, reuse_distances
from simulator.traffic.session_builder import runs_of_ids
from simulator.traffic.trace import Tokens, Trace
from simulator.units import GIGA

BYTES_OF_BLOCK = 24
"""Memory that a block takes while distances are computed."""
STEPS = (1, 2, 3, 5)
"""Capacities of a curve, times powers of ten."""
AS_GOOD = 0.9999
"""Part of an endless cache's hits at which a curve ends."""
SPAN = 1000
"""Largest capacity of a curve over the smallest, about."""


@dataclass(frozen=True)
class Reuse:
    """What caches hold of prompts.

    Attributes:
        prompt: input tokens, shape (n,).
        ideal: tokens of each that an endless cache holds, shape (n,).
        found: tokens that a cache of ``c`` blocks finds in all, at ``c``, shape (blocks + 1,).
        block_tokens: tokens of a block.
    """

    prompt: Tokens
    ideal: Tokens
    found: Tokens
    block_tokens: int

    @property
    def of_tokens(self) -> float:
        """Part of all input tokens that an endless cache holds."""
        return float(self.ideal.sum() / self.prompt.sum())

    @property
    def of_requests(self) -> float:
        """Part of the input that an endless cache holds, mean over requests."""
        return float((self.ideal / self.prompt).mean())

    @property
    def tokens(self) -> int:
        """Tokens of all blocks: what an endless cache holds at the end."""
        return (self.found.size - 1) * self.block_tokens

    def hit_rate(self, capacity_tokens: float) -> float:
        """Part of all input tokens that a cache of so many tokens finds."""
        blocks = min(int(capacity_tokens // self.block_tokens), self.found.size - 1)
        return float(self.found[blocks] / self.prompt.sum())


def reuse_of(tokens: Tokens, runs: Sequence[Sequence[tuple[int, int]]], block_tokens: int, where: str) -> Reuse:
    """What caches hold of prompts that come one after the other.

    Args:
        tokens: of each prompt, shape (n,).
        runs: ranges of block ids of each; ids from 0 on, each once in a prompt.
        block_tokens: of a block.
        where: the blocks are from, for messages.

    Raises:
        InputError: more blocks than the limits allow.
    """
    blocks = max((first + count for one in runs for first, count in one), default=0)
    within("memory-gb", blocks * BYTES_OF_BLOCK / GIGA, where)
    found = _distances(tokens, runs, block_tokens, blocks)
    if found is None:
        chained, blocks = _chained(runs)
        found = _distances(tokens, chained, block_tokens, blocks)
    assert found is not None
    needed, ideal = found
    return Reuse(tokens, ideal, np.cumsum(needed), block_tokens)


def reuse_of_trace(trace: Trace) -> Reuse | None:
    """What caches hold of the prompts of a trace, in order of their arrival; None: the file does not say."""
    if trace.blocks is None:
        return None
    sizes = [len(one) for one in trace.blocks]
    flat = np.array([one for blocks in trace.blocks for one in blocks], dtype=object)
    numbers: dict[int, int] = {}
    ids = np.array([numbers.setdefault(one, len(numbers)) for one in flat], dtype=np.int64)
    parts = np.split(ids, np.cumsum(sizes)[:-1])
    return reuse_of(trace.prompt, [runs_of_ids(part) for part in parts], trace.block_tokens, trace.kind)


def lru_rows(curves: Mapping[int | None, Reuse]) -> list[dict[str, float | int | None]]:
    """Hit rates by size of cache.

    Args:
        curves: by the number of sessions at a time; None: requests come by themselves.

    Returns:
        Of each curve a row per capacity (tokens): part of the input found, and that over what an endless cache holds.
    """
    sizes = capacities(list(curves.values()))
    rows: list[dict[str, float | int | None]] = []
    for lanes, reuse in curves.items():
        ideal = reuse.of_tokens
        for capacity in sizes:
            rate = reuse.hit_rate(capacity)
            part = rate / ideal if ideal else None
            row = {"lanes": lanes, "capacity_tokens": capacity, "hit_rate_tokens": rate, "part_of_ideal": part}
            rows.append(row)
    return rows


def capacities(curves: Sequence[Reuse]) -> list[int]:
    """Sizes of cache, tokens: 1, 2, 3 and 5 times powers of ten, up to one that is as good as endless for all."""
    most = max(one.tokens for one in curves)
    every = [step * 10**power for power in range(len(str(most)) + 1) for step in STEPS]
    largest = next(one for one in every if all(curve.hit_rate(one) >= AS_GOOD * curve.of_tokens for curve in curves))
    block = max(one.block_tokens for one in curves)
    return [one for one in every if max(block, largest / SPAN) <= one <= largest]


def _distances(
    tokens: Tokens, runs: Sequence[Sequence[tuple[int, int]]], block_tokens: int, blocks: int
) -> tuple[Tokens, Tokens] | None:
    flat = np.array([pair for one in runs for pair in one], dtype=np.int64).reshape(-1, 2)
    offsets = np.concatenate(([0], np.cumsum([len(one) for one in runs]))).astype(np.int64)
    prompts = Prompts(tokens, offsets, flat[:, 0].copy(), flat[:, 1].copy())
    needed, ideal = np.zeros(blocks + 1, np.int64), np.zeros(tokens.size, np.int64)
    alike = reuse_distances(prompts, nothing_held(tokens.size, blocks), block_tokens, needed, ideal)
    return (needed, ideal) if alike else None


def _chained(runs: Sequence[Sequence[tuple[int, int]]]) -> tuple[list[list[tuple[int, int]]], int]:
    """Ids that stand for the whole prompt up to the end of their block, of ids that stand for the block alone."""
    numbers: dict[tuple[int, int], int] = {}
    out = []
    for one in runs:
        before, ids = -1, []
        for first, count in one:
            for block in range(first, first + count):
                before = numbers.setdefault((before, block), len(numbers))
                ids.append(before)
        out.append(runs_of_ids(np.array(ids, dtype=np.int64)))
    return out, len(numbers)
