"""The rounds that a request needs: drawn exactly, and their mean and spread."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulator.speculation.acceptance import Speculation

Array = NDArray[np.float64]


def draw_rounds(rng: np.random.Generator, tokens: NDArray[np.int64], spec: Speculation) -> Array:
    """Rounds that each request needs to emit ``tokens`` tokens, drawn exactly.

    While at least m(k+1) tokens remain, m rounds cannot overshoot, so they are drawn at once as a multinomial; the last
    few are drawn one by one. The cost grows with log(tokens), not with tokens.

    Args:
        rng: source of randomness.
        tokens: tokens still to emit, shape (n,), each >= 0.
        spec: acceptance.

    Returns:
        Rounds, shape (n,).
    """
    left = np.array(tokens, dtype=np.int64)
    if spec.tokens == 0:
        return left.astype(float)
    emission = spec.emission()
    most = spec.tokens + 1
    values = np.arange(1, most + 1)
    rounds = np.zeros(left.shape)
    open_ones = np.flatnonzero(left > 0)
    left = left[open_ones]
    while open_ones.size:
        block = np.maximum(left // most, 1)
        rounds[open_ones] += block
        left -= rng.multinomial(block, emission) @ values
        unfinished = left > 0
        open_ones, left = open_ones[unfinished], left[unfinished]
    return rounds
