"""The prefix cache against a plain dictionary in the order of use."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import pytest

from simulator.kernels.prefix_cache import Paths, lru_hits


def plain(paths: Paths, play: list[int], request: list[int], capacity: int) -> list[int]:
    """Leading blocks that each request finds: blocks touched from the last to the first, the oldest dropped."""
    cache: OrderedDict[tuple[int, int], int] = OrderedDict()
    found = []
    for p, r in zip(play, request, strict=True):
        runs = range(paths.of[r], paths.of[r + 1])
        ids = [(p, b) for k in runs for b in range(paths.first[k], paths.first[k] + paths.size[k])]
        hits = 0
        while hits < len(ids) and ids[hits] in cache:
            hits += 1
        for one in reversed(ids):
            cache[one] = 1
            cache.move_to_end(one)
        while len(cache) > capacity:
            cache.popitem(last=False)
        found.append(hits)
    return found


def random_paths(rng: np.random.Generator, requests: int, blocks: int) -> Paths:
    """Prompts that share beginnings: each a few ranges of ids, no id twice."""
    of, first, count = [0], [], []
    for _ in range(requests):
        ends = np.sort(rng.choice(np.arange(1, blocks), size=2 * rng.integers(1, 4), replace=False))
        low = 0
        for cut, on in zip(ends[::2], ends[1::2], strict=True):
            if cut > low:
                first.append(low)
                count.append(cut - low)
            low = on
        of.append(len(first))
    return Paths(*(np.array(x, np.int64) for x in (of, first, count)))


@pytest.mark.parametrize("capacity", [0, 1, 7, 40, 90, 1000])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_finds_what_a_plain_cache_finds(capacity: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    plays, blocks, n = 9, 30, 120
    paths = random_paths(rng, 12, blocks)
    play = np.sort(rng.integers(0, plays, n) + rng.integers(0, 3, n)).tolist()
    request = rng.integers(0, 12, n).tolist()
    last = [int(p not in play[i + 1 :]) for i, p in enumerate(play)]
    found, ideal = np.zeros((2, n), np.int64)
    sizes = np.full(max(play) + 1, blocks)
    lru_hits(paths, sizes, *(np.array(x) for x in (play, request, last)), capacity, found, ideal)
    assert found.tolist() == plain(paths, play, request, capacity)
    assert ideal.tolist() == plain(paths, play, request, 10**9)


def test_a_larger_cache_finds_no_less() -> None:
    rng = np.random.default_rng(3)
    n, paths = 200, random_paths(rng, 12, 40)
    play, request = rng.integers(0, 5, n), rng.integers(0, 12, n)
    last, sizes = np.zeros(n, np.int64), np.full(5, 40)
    before = np.zeros(n, np.int64)
    for capacity in range(0, 200, 20):
        found, ideal = np.zeros((2, n), np.int64)
        lru_hits(paths, sizes, play, request, last, capacity, found, ideal)
        assert (found >= before).all()
        assert (found <= ideal).all()
        before = found
