"""Hit ratios of a plain LRU cache over recorded coding-agent sessions, against those of an independent script."""

from __future__ import annotations

import csv
import heapq
import json
import random
from pathlib import Path

import numpy as np
import pytest

from simulator.kernels.compiled import config
from simulator.kernels.prefix_cache import Paths, lru_hits

TRACES = Path(__file__).parents[3] / "shared" / "traces"
BLOCK = 64
REFERENCE = TRACES / "lru_reference.csv"

pytestmark = [
    pytest.mark.skipif(not REFERENCE.exists(), reason="the recorded sessions are not here"),
    pytest.mark.skipif(bool(config.DISABLE_JIT), reason="hours without the compiler"),
]


def chosen() -> list[list[list]]:
    """Top-level requests of up to 256,000 tokens, of sessions with more than one."""
    lines = (TRACES / "weka_cc042026_rle_part1.jsonl").read_text().splitlines()
    found = [[r for r in json.loads(line)["r"] if isinstance(r, list) and 0 < r[1] <= 256_000] for line in lines]
    return [session for session in found if len(session) > 1]


def order_of_requests(sessions: list[list[list]], lanes: int, count: int) -> tuple[list[int], list[int], list[int]]:
    """Play, session and request in the order in which ``lanes`` closed loops send them; no cache changes that."""
    rng = random.Random(42)
    order = list(range(len(sessions)))
    rng.shuffle(order)
    heap: list[tuple[float, int]] = []
    at: list[list[int]] = []
    for i in range(lanes):
        session = order[i % len(order)]
        at.append([session, int(rng.uniform(0.25, 0.75) * len(sessions[session])), i])
        heapq.heappush(heap, (rng.random(), i))
    taken, sent = lanes, []
    while len(sent) < count:
        now, i = heapq.heappop(heap)
        session, k, play = at[i]
        requests = sessions[session]
        sent.append((play, session, k))
        gap = 0.0
        if k + 1 < len(requests):
            gap = min(max(requests[k + 1][4] or 0, 0), 10.0)
            at[i][1] = k + 1
        else:
            at[i] = [order[taken % len(order)], 0, taken]
            taken += 1
        heapq.heappush(heap, (now + (requests[k][3] or 5.0) + gap, i))
    play, session, request = (list(x) for x in zip(*sent, strict=True))
    return play, session, request


def test_agrees_with_the_reference() -> None:
    sessions = chosen()
    begins = np.cumsum([0, *map(len, sessions)])
    runs = [r[7] for session in sessions for r in session]
    paths = Paths(
        np.cumsum([0, *map(len, runs)]),
        np.array([first for one in runs for first, _ in one]),
        np.array([count for one in runs for _, count in one]),
    )
    blocks = [max(first + n for r in session for first, n in r[7]) for session in sessions]
    length = np.array([sum(n for _, n in one) for one in runs])
    with REFERENCE.open() as file:
        rows = list(csv.DictReader(file))
    for lanes in sorted({int(row["N"]) for row in rows}):
        mine = [row for row in rows if int(row["N"]) == lanes]
        count = int(mine[0]["requests"])
        play, session, request = order_of_requests(sessions, lanes, count)
        which = begins[session] + request
        last = np.array([k == len(sessions[s]) - 1 for s, k in zip(session, request, strict=True)], np.int64)
        sizes = np.zeros(max(play) + 1, np.int64)
        sizes[play] = [blocks[s] for s in session]
        for row in mine:
            found, ideal = np.zeros((2, count), np.int64)
            capacity = int(row["capacity_tokens"]) // BLOCK
            lru_hits(paths, sizes, np.array(play), which, last, capacity, found, ideal)
            asked = length[which][lanes:].sum()
            for name, hits in (("lru_block_hit", found), ("infinite_hit", ideal)):
                assert round(hits[lanes:].sum() / asked, 4) == float(row[name]), (lanes, row["capacity_tokens"])
