"""All formats of traffic files, and which one a file has."""

from __future__ import annotations

from types import ModuleType
from typing import Protocol

from simulator.errors import InputError
from simulator.traffic.formats import azure, burstgpt, mooncake, own_csv, own_jsonl, own_sessions, rates, servegen, weka
from simulator.traffic.formats.head import Head
from simulator.traffic.trace import Rates, Trace


class Format(Protocol):
    """A module of this room."""

    NAME: str

    def recognises(self, head: Head) -> bool:
        """Whether a file that begins like this has the format."""
        ...

    def read(self, text: str, path: str) -> Trace | Rates:
        """What it holds.

        Raises:
            InputError: the first faulty lines by number.
        """
        ...


FORMATS: tuple[ModuleType, ...] = (own_csv, own_jsonl, mooncake, azure, burstgpt, rates, servegen, weka, own_sessions)
TRACES = (own_csv, own_jsonl, mooncake, azure, burstgpt)
"""Those that hold requests which come by themselves."""
SESSIONS = (weka, own_sessions)
"""Those that hold sessions, which a trace is not."""
PROFILES = (rates, servegen)
"""Those that hold rates."""


def format_of(head: Head) -> ModuleType | None:
    """The format of a file, by content; None: none of them.

    Raises:
        InputError: its first line is no JSON although it begins as JSON, or several formats fit.
    """
    fitting = [one for one in FORMATS if one.recognises(head)]
    if len(fitting) > 1:
        names = " and ".join(one.NAME for one in fitting)
        raise InputError(f"{head.path}: line 1: it may be {names}; expected the columns of one of them")
    return fitting[0] if fitting else None
