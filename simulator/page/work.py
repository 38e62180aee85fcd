"""What a tab is given beside the state: where points come from, whom to tell of progress, rows to lay over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from simulator.measurements.rows import Row
from simulator.page.series import Points, computed
from simulator.page.sessions import Replays, replayed

Tell = Callable[[str, float | None], None]
"""Told a few words and the part that is done, 0 to 1 or None; raises :class:`CancelledError` once nobody waits."""


class CancelledError(Exception):
    """Nobody waits for the answer any more."""


def nobody(text: str, part: float | None) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Work:
    """How an answer is made.

    Attributes:
        points: where the points of a series come from.
        replays: the same of a series of replayed sessions.
        tell: told of progress.
        measured: rows of the user, laid over the curve and judged in Check.
        intervals: with 90 % intervals.
    """

    points: Points = computed
    replays: Replays = replayed
    tell: Tell = nobody
    measured: tuple[Row, ...] = ()
    intervals: bool = True


PLAIN = Work()
