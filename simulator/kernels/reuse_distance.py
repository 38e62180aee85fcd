"""How large a cache must be for the blocks of prompts to be found in it: every size of cache in one pass.

The cache drops the block that was used least recently. A prompt is looked up from its first block on, until one is
missing; then its blocks are touched from last to first. Blocks whose last prompt is the same then lie together, the
first on top, so that the distance of a block follows from one count per prompt, kept in a Fenwick tree over prompts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from simulator.kernels.compiled import compiled
from simulator.kernels.records import Indices


class Prompts(NamedTuple):
    """Prompts in the order of their look-ups, as ranges of block ids.

    Equal ids have all blocks before them alike, ids are below the number of blocks, and a prompt has each id once.
    """

    tokens: Indices
    """Of each prompt, shape (n,)."""
    runs_of: Indices
    """Prompt i has the ranges ``runs_of[i]:runs_of[i + 1]``, shape (n + 1,)."""
    run_first: Indices
    """First id of each range."""
    run_count: Indices
    """Number of ids of each range."""


class Held(NamedTuple):
    """The endless cache."""

    last: Indices
    """Prompt that touched a block last; -1: none. Shape (blocks,)."""
    before: Indices
    """Block before it in every prompt; -1: it is the first. Shape (blocks,)."""
    bottom: Indices
    """Blocks at the beginning of each prompt that a later one has touched, shape (n,)."""
    tree: Indices
    """Blocks that each prompt touched last, as a Fenwick tree, shape (n + 1,)."""


@compiled
def reuse_distances(prompts: Prompts, held: Held, block_tokens: int, needed: Indices, ideal: Indices) -> bool:
    """Tokens that are found, by the size of cache that it takes.

    Args:
        prompts: all of them.
        held: filled; at first nothing, -1 in ``last`` and 0 elsewhere.
        block_tokens: of a full block.
        needed: filled; tokens found in a cache of ``c`` blocks and in no smaller one, at ``c``; shape (blocks + 1,).
        ideal: filled; tokens of each prompt that an endless cache holds, shape (n,).

    Returns:
        Whether equal ids have all blocks before them alike; if not, nothing of the above holds.
    """
    blocks = 0
    for i in range(prompts.tokens.size):
        ideal[i] = look_up(prompts, held, i, blocks, block_tokens, needed)
        more = touch(prompts, held, i)
        if more < 0:
            return False
        blocks += more
    return True


@compiled
def look_up(prompts: Prompts, held: Held, i: int, blocks: int, block_tokens: int, needed: Indices) -> int:
    """Tokens of prompt i that the endless cache of so many blocks holds, each counted at the size that it takes."""
    seen, newer, most, size, tokens = -1, 0, 0, 0, 0
    for k in range(prompts.runs_of[i], prompts.runs_of[i + 1]):
        for block in range(prompts.run_first[k], prompts.run_first[k] + prompts.run_count[k]):
            last = held.last[block]
            if last < 0:
                return tokens
            if last != seen:
                seen = last
                newer = blocks - up_to(held.tree, last)
            most = max(most, newer + size - held.bottom[last] + 1)
            part = max(0, min(block_tokens, prompts.tokens[i] - size * block_tokens))
            needed[most] += part
            tokens += part
            size += 1
    return tokens


@compiled
def touch(prompts: Prompts, held: Held, i: int) -> int:
    """Make the blocks of prompt i the most recent ones.

    Returns:
        Blocks that were not there; -1: one of them has another before it than last time.
    """
    parent, size, new = -1, 0, 0
    taken, old = 0, -1
    for k in range(prompts.runs_of[i], prompts.runs_of[i + 1]):
        for block in range(prompts.run_first[k], prompts.run_first[k] + prompts.run_count[k]):
            last = held.last[block]
            if last >= 0 and (held.before[block] != parent or held.bottom[last] != size):
                return -1
            if last != old:
                if old >= 0:
                    add(held.tree, old, -taken)
                taken, old = 0, last
            if last < 0:
                new += 1
            else:
                held.bottom[last] = size + 1
            taken += 1
            held.last[block] = i
            held.before[block] = parent
            parent = block
            size += 1
    if old >= 0:
        add(held.tree, old, -taken)
    add(held.tree, i, size)
    return new


@compiled
def up_to(tree: Indices, place: int) -> int:
    """Sum of a Fenwick tree from its beginning to a place, that included."""
    total = 0
    i = place + 1
    while i > 0:
        total += tree[i]
        i -= i & -i
    return total


@compiled
def add(tree: Indices, place: int, value: int) -> None:
    """Add to a place of a Fenwick tree."""
    i = place + 1
    while i < tree.size:
        tree[i] += value
        i += i & -i


def nothing_held(prompts: int, blocks: int) -> Held:
    """The cache before the first prompt."""
    return Held(
        np.full(blocks, -1, np.int64),
        np.zeros(blocks, np.int64),
        np.zeros(prompts, np.int64),
        np.zeros(prompts + 1, np.int64),
    )
