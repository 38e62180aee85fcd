"""Small session trees for the tests of the replay: block ids as ranges, and what waits for what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from simulator.kernels.prefix_cache import Paths
from simulator.kernels.sessions import Recorded


@dataclass
class Asked:
    """One recorded request: tokens, rounds, blocks as ranges, requests of its session that it waits for with delays."""

    prompt: int
    output: int = 1
    rounds: int = 0
    runs: Sequence[tuple[int, int]] = ()
    after: Sequence[tuple[int, float]] = ()
    stream: int = 0
    at: float = 0.0
    service: float = 0.0


@dataclass
class Tree:
    """A session."""

    requests: list[Asked] = field(default_factory=list)


def recorded(trees: Sequence[Tree]) -> Recorded:
    """Arrays of the sessions."""
    flat = [one for tree in trees for one in tree.requests]
    begins = np.cumsum([0, *(len(tree.requests) for tree in trees)])
    starts = [low for low, tree in zip(begins, trees, strict=False) for _ in tree.requests]
    blocks = [max((a + n for one in tree.requests for a, n in one.runs), default=1) for tree in trees]
    edges = [(low + j, i, wait) for i, (one, low) in enumerate(zip(flat, starts, strict=True)) for j, wait in one.after]
    edges.sort(key=lambda edge: edge[0])
    runs = [run for one in flat for run in one.runs]
    return Recorded(
        begins.astype(np.int64),
        np.array(blocks, np.int64),
        np.array([one.prompt for one in flat], float),
        np.array([one.output for one in flat], float),
        np.array([one.rounds for one in flat], float),
        np.array([one.stream for one in flat], np.int64),
        np.array([one.at for one in flat], float),
        np.array([len(one.after) for one in flat], np.int64),
        np.searchsorted([edge[0] for edge in edges], np.arange(len(flat) + 1)).astype(np.int64),
        np.array([edge[1] for edge in edges], np.int64),
        np.array([edge[2] for edge in edges], float),
        Paths(
            np.cumsum([0, *(len(one.runs) for one in flat)]).astype(np.int64),
            np.array([a for a, _ in runs], np.int64),
            np.array([n for _, n in runs], np.int64),
        ),
    )
