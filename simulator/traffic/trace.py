"""What a traffic file holds: requests as they came, or rates over time with the burstiness of their gaps."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Tokens = NDArray[np.int64]
Blocks = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Trace:
    """Requests in order of arrival.

    Attributes:
        kind: name of the format.
        send: arrival times, s, shape (n,).
        prompt: input tokens, shape (n,).
        output: output tokens, shape (n,).
        failed: rows left out because the request had no answer.
        blocks: hashes of the full prefix up to each block of the prompt, request by request; None: not in the file.
        block_tokens: tokens of a block.
        from_first: times are counted from the first request, because the clock of the file is another one.
    """

    kind: str
    send: Array
    prompt: Tokens
    output: Tokens
    failed: int = 0
    blocks: Blocks | None = None
    block_tokens: int = 512
    from_first: bool = False

    @property
    def count(self) -> int:
        """Number of requests."""
        return self.send.size

    @property
    def span(self) -> float:
        """Seconds from the first request to the last."""
        return float(self.send[-1] - self.send[0])

    def on_own_clock(self) -> Trace:
        """From the first request, where more time lies before it than the trace lasts: a date, no idle time."""
        if self.send[0] > self.span:
            return replace(self, send=self.send - self.send[0], from_first=True)
        return self

    def notes(self) -> list[str]:
        """What a reader of results must know about the file, in words."""
        out = []
        if self.failed:
            out.append(f"{self.failed} failed {'request' if self.failed == 1 else 'requests'} (no output) left out")
        if self.from_first:
            out.append("times from the first request")
        return out


FAMILIES = ("gamma", "weibull", "exponential")


@dataclass(frozen=True)
class Gaps:
    """How gaps between requests vary, in units of their mean.

    Attributes:
        family: one of :data:`FAMILIES`.
        cv: coefficient of variation: 0 even, 1 Poisson, above it bursty.
        shape: parameter of the family; None: the one that gives ``cv``.
    """

    family: str = "gamma"
    cv: float = 1.0
    shape: float | None = None

    def draw(self, rng: np.random.Generator, n: int) -> Array:
        """``n`` gaps of mean 1, shape (n,)."""
        if self.family == "weibull":
            shape = self.shape or weibull_shape(self.cv)
            return rng.weibull(shape, n) / math.gamma(1.0 + 1.0 / shape)
        if self.cv == 0 and self.shape is None:
            return np.ones(n)
        if self.shape is not None:
            return rng.gamma(self.shape, 1.0 / self.shape, n)
        return rng.gamma(1.0 / self.cv**2, self.cv**2, n)


def weibull_shape(cv: float) -> float:
    """Shape of the Weibull distribution with this coefficient of variation, by bisection."""
    low, high = 0.05, 50.0
    for _ in range(60):
        middle = math.sqrt(low * high)
        if weibull_cv(middle) > cv:
            low = middle
        else:
            high = middle
    return math.sqrt(low * high)


def weibull_cv(shape: float) -> float:
    """Coefficient of variation of a Weibull distribution."""
    log = math.lgamma(1.0 + 2.0 / shape) - 2.0 * math.lgamma(1.0 + 1.0 / shape)
    return math.sqrt(max(0.0, math.expm1(log)))


@dataclass(frozen=True)
class Rates:
    """Rates over time.

    Attributes:
        kind: name of the format.
        starts: s, ascending from 0, shape (n,).
        rates: requests/s from each start on, shape (n,).
        gaps: of each window; None: not in the file.
        length: s; where the last window ends, None: not in the file.
    """

    kind: str
    starts: Array
    rates: Array
    gaps: tuple[Gaps, ...] | None = None
    length: float | None = None
