"""A walk through the requests of a trace: as many as are asked for, in their order, again and again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from simulator import kernels as kn
from simulator.traffic.prefixes import Prefixes
from simulator.traffic.trace import Tokens


def places(count: int, start: int, n: int) -> tuple[Tokens, Tokens]:
    """Which of ``count`` requests come, from ``start`` on, and in which turn each, shape (n,).

    Example:
        >>> [part.tolist() for part in places(3, 1, 5)]
        [[1, 2, 0, 1, 2], [0, 0, 1, 1, 1]]
    """
    steps = start + np.arange(n, dtype=np.int64)
    return steps % count, steps // count


def walked(prefixes: Prefixes, which: Tokens, turn: Tokens) -> Prefixes:
    """What requests of a walk share: within one turn what they shared in the trace, with other turns nothing."""
    paths = prefixes.paths
    count = np.diff(paths.of)[which]
    of = np.concatenate(([0], np.cumsum(count))).astype(np.int64)
    picked = np.repeat(paths.of[which] - of[:-1], count) + np.arange(of[-1])
    first = paths.first[picked] + np.repeat(turn, count) * prefixes.blocks
    home = prefixes.home[which]
    turns = int(turn.max(initial=0)) + 1
    return replace(
        prefixes,
        paths=kn.Paths(of, first, paths.size[picked]),
        blocks=turns * prefixes.blocks,
        ideal=prefixes.ideal[which],
        home=np.where(home < 0, -1, home + turn * prefixes.homes),
        homes=turns * prefixes.homes,
    )
