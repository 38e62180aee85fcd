"""Distances of reuse, by hand and against a plain list in which the most recent block stands first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from simulator.kernels import Prompts, nothing_held, reuse_distances
from simulator.kernels.reuse_distance import add, look_up, touch, up_to

BLOCK = 4


def prompts_of(ids: Sequence[Sequence[int]], tokens: Sequence[int] | None = None) -> Prompts:
    flat = np.array([block for one in ids for block in one], dtype=np.int64)
    offsets = np.concatenate(([0], np.cumsum([len(one) for one in ids]))).astype(np.int64)
    lengths = [BLOCK * len(one) for one in ids] if tokens is None else tokens
    return Prompts(np.array(lengths, dtype=np.int64), offsets, flat, np.ones_like(flat))


def plain(ids: Sequence[Sequence[int]], blocks: int) -> list[int]:
    """Tokens found by the size of cache: the place of a block in the list, and the worst of those before it."""
    needed, recent = [0] * (blocks + 1), list[int]()
    for one in ids:
        worst = 0
        for block in one:
            if block not in recent:
                break
            worst = max(worst, recent.index(block) + 1)
            needed[worst] += BLOCK
        for block in reversed(one):
            if block in recent:
                recent.remove(block)
            recent.insert(0, block)
    return needed


def test_a_tree_of_sums() -> None:
    tree, values = np.zeros(21, np.int64), np.zeros(20, np.int64)
    rng = np.random.default_rng(0)
    for _ in range(60):
        place, value = int(rng.integers(20)), int(rng.integers(-5, 6))
        add(tree, place, value)
        values[place] += value
        assert [up_to(tree, i) for i in range(20)] == np.cumsum(values).tolist()


def test_distances_by_hand() -> None:
    """Blocks 0 1, then 2, then 0 3: block 0 lies second, below block 2; block 3 is new."""
    prompts = prompts_of([[0, 1], [2], [0, 3]], [8, 4, 7])
    held = nothing_held(3, 4)
    needed = np.zeros(5, np.int64)
    assert [look_up(prompts, held, 0, 0, BLOCK, needed), touch(prompts, held, 0)] == [0, 2]
    assert [look_up(prompts, held, 1, 2, BLOCK, needed), touch(prompts, held, 1)] == [0, 1]
    assert [look_up(prompts, held, 2, 3, BLOCK, needed), touch(prompts, held, 2)] == [4, 1]
    assert needed.tolist() == [0, 0, 4, 0, 0]
    assert held.last.tolist() == [2, 0, 1, 2]
    assert held.before.tolist() == [-1, 0, -1, 0]
    assert held.bottom.tolist() == [1, 0, 0]


@pytest.mark.parametrize("seed", range(8))
def test_distances_against_a_list(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ids: list[list[int]] = []
    new = 0
    for _ in range(40):
        kept = ids[rng.integers(len(ids))] if ids else []
        kept = kept[: rng.integers(len(kept) + 1)]
        more = int(rng.integers(0 if kept else 1, 4))
        ids.append([*kept, *range(new, new + more)])
        new += more
    needed, ideal = np.zeros(new + 1, np.int64), np.zeros(len(ids), np.int64)
    assert reuse_distances(prompts_of(ids), nothing_held(len(ids), new), BLOCK, needed, ideal)
    assert needed.tolist() == plain(ids, new)
    assert needed.sum() == ideal.sum()


def test_the_last_block_counts_its_own_tokens() -> None:
    needed, ideal = np.zeros(4, np.int64), np.zeros(2, np.int64)
    prompts = prompts_of([[0, 1, 2], [0, 1, 2]], [5, 5])
    assert reuse_distances(prompts, nothing_held(2, 3), BLOCK, needed, ideal)
    assert (needed.tolist(), ideal.tolist()) == ([0, 4, 1, 0], [0, 5])


@pytest.mark.parametrize("ids", [[[0, 1], [1, 0]], [[0, 1], [0, 2], [3, 2]], [[0, 0]]])
def test_ids_with_other_blocks_before_them_are_told(ids: list[list[int]]) -> None:
    needed, ideal = np.zeros(5, np.int64), np.zeros(len(ids), np.int64)
    assert not reuse_distances(prompts_of(ids), nothing_held(len(ids), 4), BLOCK, needed, ideal)
