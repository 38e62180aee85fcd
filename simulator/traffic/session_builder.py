"""A session while it is read: requests added one by one, then made into arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from simulator.traffic.sessions import Session, Tokens

Waits = Sequence[tuple[int, float]]
"""Requests that are waited for, and the seconds after the end of each."""
Runs = Sequence[tuple[int, int]]
"""Ranges of block ids: the first and how many."""

MOST_IDS = 2**31
"""Block ids stay below; larger ones, such as hashes, are numbered anew."""


class SessionBuilder:
    """Requests in the order in which they are added."""

    def __init__(self) -> None:
        """An empty session."""
        self._requests: list[tuple[int, int, float, int]] = []
        self._waits: list[Waits] = []
        self._runs: list[Runs] = []

    @property
    def count(self) -> int:
        """Requests so far."""
        return len(self._requests)

    def add(self, prompt: int, output: int, service: float | None, stream: int, waits: Waits, runs: Runs) -> int:
        """One more request.

        Args:
            prompt: input tokens.
            output: output tokens.
            service: recorded seconds of the model; None: not known.
            stream: 0 the conversation, k its k-th subagent.
            waits: earlier requests that it waits for.
            runs: the blocks of its prompt.

        Returns:
            Its number, by which later requests wait for it.
        """
        self._requests.append((prompt, output, math.nan if service is None else service, stream))
        self._waits.append(waits)
        self._runs.append(runs)
        return len(self._requests) - 1

    def session(self, name: str) -> Session:
        """All of them as arrays."""
        table = np.array(self._requests, dtype=np.float64).reshape(-1, 4)
        waits = [one for waits in self._waits for one in waits]
        runs = [one for runs in self._runs for one in runs]
        if any(first + count > MOST_IDS for first, count in runs):
            self._runs = _numbered_anew(self._runs)
            runs = [one for runs in self._runs for one in runs]
        return Session(
            name=name,
            prompt=table[:, 0].astype(np.int64),
            output=table[:, 1].astype(np.int64),
            service=table[:, 2].copy(),
            stream=table[:, 3].astype(np.int64),
            waits_of=_offsets(self._waits),
            waits_for=np.array([request for request, _ in waits], dtype=np.int64),
            delay=np.array([delay for _, delay in waits], dtype=np.float64),
            runs_of=_offsets(self._runs),
            run_first=np.array([first for first, _ in runs], dtype=np.int64),
            run_count=np.array([count for _, count in runs], dtype=np.int64),
        )


def runs_of_ids(ids: Tokens) -> list[tuple[int, int]]:
    """Ids as ranges of ids that follow one another.

    Example:
        >>> runs_of_ids(np.array([1, 2, 3, 7, 8, 2]))
        [(1, 3), (7, 2), (2, 1)]
    """
    starts = np.concatenate(([0], np.flatnonzero(np.diff(ids) != 1) + 1)) if ids.size else np.zeros(0, np.int64)
    ends = np.append(starts[1:], ids.size)
    return list(zip(ids[starts].tolist(), (ends - starts).tolist(), strict=True))


def has_twice(runs: Runs) -> bool:
    """Whether an id is in two of the ranges."""
    return any(first + count > following for (first, count), (following, _) in pairwise(sorted(runs)))


def _offsets(parts: Sequence[Sequence[object]]) -> Tokens:
    return np.concatenate(([0], np.cumsum([len(part) for part in parts]))).astype(np.int64)


def _numbered_anew(requests: Sequence[Runs]) -> list[Runs]:
    """The same blocks under small numbers, in order of their first appearance."""
    numbers: dict[int, int] = {}
    out: list[Runs] = []
    for runs in requests:
        ids = (one for first, count in runs for one in range(first, first + count))
        out.append(runs_of_ids(np.array([numbers.setdefault(one, len(numbers)) for one in ids], dtype=np.int64)))
    return out
