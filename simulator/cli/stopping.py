"""Ctrl-C, ``kill`` and a terminal that closes: the same clean end for all, with the exit status of each."""

from __future__ import annotations

import signal
import time
import warnings
from collections.abc import Sequence
from types import FrameType
from typing import Any

STOPPING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
AT_ONCE = 1.0
"""Seconds within which signals are one: what cleans up is not to be interrupted by the second of two."""

_last: list[tuple[int, float]] = []


class Stopped(KeyboardInterrupt):
    """A signal asked for the end; ``number`` is that of the signal."""

    def __init__(self, number: int) -> None:
        """With the number of the signal."""
        super().__init__(number)
        self.number = number


def watch_signals() -> None:
    """Raise :class:`Stopped` on a signal that asks for the end, unless the caller wants it ignored (``nohup``)."""
    for number in STOPPING:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _stop)


def stop_behind(fault: Exception) -> Stopped | None:
    """The end that was asked for, if there was one: a library may turn it into an exception of its own."""
    return Stopped(_last[0][0]).with_traceback(fault.__traceback__) if _last else None


def status_of(fault: BaseException) -> int:
    """128 and the number of the signal; 130 for an interrupt by other means."""
    return 128 + int(getattr(fault, "number", signal.SIGINT))


def told(fault: BaseException, files: Sequence[str]) -> str:
    """What was kept of work that ended early: notes of the exception, and files that were written before."""
    parts = [*getattr(fault, "__notes__", []), *(f"{name} is written" for name in files)]
    return "; ".join(parts)


def _stop(number: int, frame: FrameType | None) -> Any:
    now = time.monotonic()
    if _last and now - _last[-1][1] < AT_ONCE:
        return
    _last.append((number, now))
    warnings.simplefilter("ignore")  # of libraries that are cut short
    raise Stopped(number)
