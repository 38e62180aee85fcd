"""Acceptance of drafted tokens, in all the ways users state it.

Everything becomes conditional per-position probabilities ``a_1..a_k``: draft token j is accepted with probability
``a_j`` given that all before it were. A round emits ``1 + accepted`` tokens."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from simulator.errors import InputError

Array = NDArray[np.float64]


MAX_DEPTH = 64
SHOWN = 8
"""Most probabilities that a source lists."""


Kind = Literal["off", "stated", "published", "fitted"]


@dataclass(frozen=True)
class Source:
    """Where an acceptance comes from: ``kind`` for the program to ask, ``text`` for people to read.

    ``stated``: the user's own number. ``published``: a table of measured lengths. ``fitted``: found by a calibration,
    which is uncertain of it.
    """

    kind: Kind
    text: str

    def __str__(self) -> str:
        """The words."""
        return self.text


@dataclass(frozen=True)
class Speculation:
    """Draft depth and acceptance; ``probabilities`` has ``k`` entries and ``source`` says where they come from."""

    probabilities: tuple[float, ...] = ()
    source: Source = Source("off", "off")

    @property
    def tokens(self) -> int:
        """Draft depth k; 0 means off."""
        return len(self.probabilities)

    @property
    def acceptance_length(self) -> float:
        """Mean tokens per round, ``1 + sum_i prod_{j<=i} a_j`` (Leviathan et al., arXiv 2211.17192)."""
        return 1.0 + float(np.cumprod(self.probabilities).sum()) if self.tokens else 1.0

    def emission(self) -> Array:
        """Probability of emitting 1..k+1 tokens in a round, shape (k + 1,)."""
        reach = np.concatenate(([1.0], np.cumprod(self.probabilities), [0.0]))
        return reach[:-1] - reach[1:]


OFF = Speculation()


def _depth(k: int) -> int:
    if not 1 <= k <= MAX_DEPTH:
        raise InputError(f"--mtp: expected a depth of 1 to {MAX_DEPTH} when an acceptance is given, found {k}")
    return k


def _checked(values: Sequence[float], k: int, option: str) -> tuple[float, ...]:
    if len(values) != _depth(k):
        raise InputError(f"{option}: expected {k} probabilities for --mtp {k}, found {len(values)}")
    bad = [a for a in values if not 0.0 <= a <= 1.0]
    if bad:
        raise InputError(f"{option}: expected probabilities in [0, 1], found {', '.join(map(str, bad))}{_percent(bad)}")
    return tuple(float(a) for a in values)


def _percent(values: Sequence[float]) -> str:
    """A hint where fractions may have been meant."""
    return " (per cent? 75 % is 0.75)" if all(1.0 < a <= 100.0 for a in values) and max(values) > 10 else ""


def _listed(values: Sequence[float]) -> str:
    shown = [f"{a:g}" for a in values]
    return ", ".join(shown if len(shown) <= SHOWN else [*shown[:SHOWN], "..."])


def from_positions(
    values: Sequence[float], k: int, source: Source | None = None, option: str = "--acceptance"
) -> Speculation:
    """Acceptance from conditional per-position probabilities: each given that all drafts before it were accepted.

    Raises:
        InputError: a value outside [0, 1], or not exactly k of them.
    """
    found = _checked(values, k, option)
    return Speculation(found, source or Source("stated", f"per position {_listed(found)}, each given all before it"))


def from_unconditional(values: Sequence[float], k: int, option: str = "--acceptance-positions") -> Speculation:
    """Acceptance from the share of all rounds in which position 1, 2, ... was accepted, as vLLM prints it.

    The length is 1 plus their sum; position i given all before it is share i over share i - 1.

    Raises:
        InputError: a value outside [0, 1], not exactly k of them, or a share that exceeds the one before it.

    Example:
        >>> from_unconditional([0.90, 0.75, 0.60], 3).acceptance_length
        3.25
    """
    reach = np.array(_checked(values, k, option))
    before = np.concatenate(([1.0], reach[:-1]))
    rises = np.flatnonzero(reach > before)
    if rises.size:
        at = int(rises[0])
        raise InputError(
            f"{option}: a position is accepted only in rounds in which all before it were, so unconditional shares "
            f"do not rise; found {reach[at]:g} at position {at + 1} after {before[at]:g}. Given all before it, they "
            f"are conditional:{','.join(f'{a:g}' for a in reach)}"
        )
    positions = np.divide(reach, before, out=np.zeros(k), where=before > 0)
    text = f"per position {_listed(values)} of all rounds, unconditional"
    return Speculation(tuple(float(a) for a in positions), Source("stated", text))


def from_drafted(share: float, k: int) -> Speculation:
    """Acceptance from accepted over drafted tokens, which is (length - 1) / k, with the same rate at each position.

    Raises:
        InputError: the share is outside [0, 1].

    Example:
        >>> round(from_drafted(0.75, 3).acceptance_length, 9)
        3.25
    """
    if not 0.0 <= share <= 1.0:
        raise InputError(
            f"--draft-acceptance: expected accepted over drafted tokens in [0, 1], found {share:g}{_percent([share])}"
        )
    return from_length(
        1.0 + _depth(k) * share, k, Source("stated", f"draft acceptance {share:g}, accepted over drafted")
    )


def from_rate(rate: float, k: int) -> Speculation:
    """Acceptance from one conditional rate for all positions: length ``(1 - a^(k+1)) / (1 - a)``.

    Raises:
        InputError: the rate is outside [0, 1].
    """
    if not 0.0 <= rate <= 1.0:
        raise InputError(f"--acceptance-rate: expected a rate in [0, 1], found {rate}{_percent([rate])}")
    text = f"acceptance rate {rate:g} at each position, given all before it"
    return from_positions([rate] * _depth(k), k, Source("stated", text))


@functools.lru_cache(maxsize=1024)
def rate_of_length(length: float, k: int) -> float:
    """The single rate whose acceptance length at depth k is ``length``, by bisection to machine precision."""
    if length <= 1.0:
        return 0.0
    if length >= k + 1:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(60):
        mid = 0.5 * (low + high)
        if sum(mid**i for i in range(k + 1)) < length:
            low = mid
        else:
            high = mid
    return 0.5 * (low + high)


def from_length(length: float, k: int, source: Source | None = None) -> Speculation:
    """Acceptance from a mean number of tokens per round, with the same rate at each position.

    Raises:
        InputError: the length is outside [1, k + 1].
    """
    if not 1.0 <= length <= _depth(k) + 1:
        raise InputError(f"--acceptance-length: expected a length in [1, {k + 1}] for --mtp {k}, found {length:g}")
    return Speculation((rate_of_length(length, k),) * k, source or Source("stated", f"acceptance length {length:g}"))


def at_depth(length: float, known: int, k: int, source: str) -> Speculation:
    """An acceptance length fitted at depth ``known``, carried to depth k at equal acceptance per position.

    ``source``: in words, which fit it comes from.

    Raises:
        InputError: the depth is out of range.
    """
    if k == known:
        return from_length(length, k, Source("fitted", source))
    rate = rate_of_length(length, known)
    return from_positions([rate] * _depth(k), k, Source("fitted", f"{source} at depth {known}, same rate at depth {k}"))


def from_length_table(lengths: Sequence[float], k: int, source: str) -> Speculation:
    """Acceptance from published lengths at depth 1, 2, ...: position i is reached with probability AL(i) - AL(i-1).

    Raises:
        InputError: the table ends before depth k, or rises so that a position would be more than certain.
    """
    if _depth(k) > len(lengths):
        raise InputError(f"--mtp: {source} is published up to depth {len(lengths)}, found --mtp {k}")
    reach = np.diff(np.concatenate(([1.0], np.asarray(lengths[:k], dtype=float))))
    before = np.concatenate(([1.0], reach[:-1]))
    positions = np.divide(reach, before, out=np.zeros(k), where=before > 0)
    worst = int(np.argmax(positions))
    if positions[worst] > 1.0 + 1e-9:
        raise InputError(
            f"{source}: the length rises by {reach[worst]:.2f} at depth {worst + 1} after {before[worst]:.2f} before, "
            f"which no acceptance per position can do (noise of the measurement); "
            f"give --acceptance-length {lengths[k - 1]:g} instead"
        )
    return Speculation(tuple(float(a) for a in np.clip(positions, 0.0, 1.0)), Source("published", source))
