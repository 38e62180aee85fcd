"""The rounds that a request needs: drawn exactly, and their mean and spread."""

from __future__ import annotations

import functools
from dataclasses import dataclass

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


@dataclass(frozen=True)
class RoundMoments:
    """Rounds of a request: their mean, and the variance that the acceptance of drafts gives them."""

    mean: float
    variance: float
    per_round: float
    """Mean tokens of a round."""


@functools.lru_cache(maxsize=4096)
def round_moments(output: float, spec: Speculation) -> RoundMoments:
    """Mean and variance of the rounds that a request of ``output`` tokens needs after its first one.

    Wald's identity with the mean overshoot of a lattice renewal process, E[X(X-1)] / (2 E[X]), for the mean; the
    variance of a renewal process, n Var[X] / E[X]^3 (Cox, Renewal Theory, 1962, 4.2).

    Example:
        >>> from simulator.speculation.acceptance import OFF
        >>> round_moments(1024.0, OFF).mean
        1023.0
    """
    emission = spec.emission()
    values = np.arange(1, emission.size + 1)
    mean = float(emission @ values)
    variance = float(emission @ values**2) - mean**2
    overshoot = float(emission @ (values * (values - 1))) / (2 * mean)
    rounds = max(0.0, output - 1.0 + overshoot) / mean if output > 1 else 0.0
    return RoundMoments(rounds, max(output - 1.0, 0.0) * variance / mean**3, mean)
