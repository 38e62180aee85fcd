"""Ctrl-C, ``kill`` and a terminal that closes: the same clean end for all, with the exit status of each."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from types import FrameType
from typing import Any

STOPPING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


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


def _stop(number: int, frame: FrameType | None) -> Any:
    for again in STOPPING:  # one is enough: what cleans up is not to be interrupted
        if signal.getsignal(again) is _stop:
            signal.signal(again, signal.SIG_IGN)
    raise Stopped(number)


def status_of(fault: BaseException) -> int:
    """128 and the number of the signal; 130 for an interrupt by other means."""
    return 128 + int(getattr(fault, "number", signal.SIGINT))


def told(fault: BaseException, files: Sequence[str]) -> str:
    """What was kept of work that ended early: notes of the exception, and files that were written before."""
    parts = [*getattr(fault, "__notes__", []), *(f"{name} is written" for name in files)]
    return "; ".join(parts)
