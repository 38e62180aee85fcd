"""Sessions of coding agents (callanjfox/kv-cache-tester, run by Weka; AgentX uses the form too): JSON, one object each.

A request has ``t`` (s), ``in``, ``out``, ``hash_ids`` (one per full block of the prompt), ``api_time`` (s of the model)
and ``think_time`` (s from the end of the request before). A marker among them, of type ``subagent``, holds the requests
of a subagent. Its ``t`` is when the answer of the subagent came, ``duration_ms`` after its start (in the published set
that start lies 0.1 to 1.1 s after the end of the parent's request, 57 of 59 times); without a duration it is the start.
The times inside count from the session's start or from the subagent's, which their size tells.

The run-length coded form has one session a line: ``{"id", "bs", "r"}`` with requests ``[t, in, out, api_time,
think_time, type, ttft, [[first id, number of ids], ...]]``, and markers ``{"t", "dur_ms", "r"}``.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from simulator.traffic.formats.head import Head
from simulator.traffic.formats.refusal import refuse_sessions
from simulator.traffic.formats.session_cells import (
    Faults,
    answer_of,
    block_of,
    ids_of,
    items_of,
    length_of,
    name_of,
    ranges_of,
    seconds_of,
)
from simulator.traffic.session_builder import SessionBuilder, Waits
from simulator.traffic.sessions import Session
from simulator.traffic.trace import Trace
from simulator.units import MILLI

NAME = "a session of a coding agent (Weka)"
CODED = ("t", "in", "out", "api_time", "think_time", "type", "ttft", "hash_ids")
"""Values of a request in the run-length coded form, in order."""
DURATION = {"requests": "duration_ms", "r": "dur_ms"}
"""Key of the requests of a subagent -> key of how long it lasted."""
ROUNDED = 1.0
"""Seconds: times of requests are whole ones in the published set."""
MOST_SUBAGENTS_DEEP = 20

EMPTY = "answers of 0 tokens, taken as 1"
GAPS = "delays that the file does not tell, taken as 0"
CHILDLESS = "subagents without requests, left out"
PARTIAL = "prompts with more or fewer block ids than full blocks; the ids are kept"


def recognises(head: Head) -> bool:
    """By its requests and the size of its blocks, written out or run-length coded."""
    return is_session(head.first_object)


def read(text: str, path: str) -> Trace:
    """Refused.

    Raises:
        InputError: always, with the reason.
    """
    raise refuse_sessions(path, NAME)


def is_session(record: dict[str, Any]) -> bool:
    """Whether a JSON object is one, in either form."""
    keys = record.keys()
    return bool({"requests", "block_size"} <= keys or {"r", "bs"} <= keys)


def session_of(
    record: dict[str, Any], where: str, faults: Faults, told: Counter[str]
) -> tuple[Session | None, int | None]:
    """A session and the tokens of its blocks.

    Args:
        record: a JSON object.
        where: it stands.
        faults: what is wrong with it is noted there; then, and where it has no request, there is no session.
        told: what a reader of results must know, counted.
    """
    coded = "r" in record
    key, size, name = ("r", "bs", "id") if coded else ("requests", "block_size", "id")
    try:
        items = faults.take(where, items_of, record, key)
        block = faults.take(where, block_of, record, size)
        title = faults.take(where, name_of, record, name, absent="")
    except ValueError:
        return None, None
    reading = _Reading(coded, block, faults, told, on_own_clock(items, "r" if coded else "requests"))
    reading.stream(items, f"{where}: {key}" if where else key, 0, [], None, 0.0, 0)
    return (reading.requests.session(title or "unnamed") if reading.requests.count else None), block


def on_own_clock(items: list[Any], key: str) -> bool:
    """Whether times of subagents count from their own starts: one that would begin long before its start tells."""
    for item in items:
        if not isinstance(item, dict) or not isinstance(inner := item.get(key), list) or not inner:
            continue
        first, marker, lasted = inner[0], item.get("t"), item.get(DURATION[key]) or 0.0
        begins = first[0] if isinstance(first, list) and first else first.get("t") if isinstance(first, dict) else None
        if not (
            isinstance(begins, int | float) and isinstance(marker, int | float) and isinstance(lasted, int | float)
        ):
            continue
        if begins < marker - MILLI * lasted - ROUNDED:
            return True
    return False


@dataclass
class _Reading:
    """A session tree while it is walked through."""

    coded: bool
    block: int
    faults: Faults
    told: Counter[str]
    relative: bool
    requests: SessionBuilder = field(default_factory=SessionBuilder)
    subagents: int = 0

    def stream(
        self, items: list[Any], where: str, stream: int, begins: Waits, ended: float | None, clock: float, deep: int
    ) -> int | None:
        """The requests of a conversation, and of the subagents that it starts.

        Args:
            items: requests and markers.
            where: they stand.
            stream: number of the conversation.
            begins: what its first request waits for, with a delay that is added to.
            ended: recorded end of that, s; None: there is none.
            clock: session time at which the times of these items are 0, s.
            deep: subagents above it.

        Returns:
            Its last request; None: it has none.
        """
        last: int | None = None
        joins: list[int] = []
        for place, item in enumerate(items):
            if self.faults.enough:
                break
            here = f"{where}[{place}]"
            cells = self._cells(item, here)
            if cells is None:
                continue
            try:
                start = clock + self.faults.take(here, seconds_of, cells, "t")
                if cells.get("type") == "subagent":
                    key = "r" if self.coded else "requests"
                    inner = self.faults.take(here, items_of, cells, key)
                    lasted = MILLI * self.faults.take(here, seconds_of, cells, DURATION[key], absent=0.0)
                    start = max(start - lasted, clock if ended is None else ended)
                    if (child := self._subagent(inner, here, start, begins, last, ended, deep)) is not None:
                        joins.append(child)
                    continue
                waits = self._waits(here, cells, start, begins, last, ended)
                service = self.faults.take(here, seconds_of, cells, "api_time", absent=-1.0)
                last = self._request(here, cells, stream, [*waits, *((one, 0.0) for one in joins)], service)
            except ValueError:
                continue
            ended, joins = start + service if service >= 0 else None, []
        return last

    def _cells(self, item: Any, here: str) -> dict[str, Any] | None:
        if self.coded and isinstance(item, list):
            if len(item) != len(CODED):
                self.faults.add(here, f"expected {len(CODED)} values ({', '.join(CODED)}), found {len(item)}")
                return None
            return dict(zip(CODED, item, strict=True))
        if isinstance(item, dict):
            return {**item, "type": "subagent"} if self.coded else item
        self.faults.add(here, f"expected a request or a subagent, found {type(item).__name__}")
        return None

    def _subagent(
        self,
        items: list[Any],
        here: str,
        start: float,
        begins: Waits,
        last: int | None,
        ended: float | None,
        deep: int,
    ) -> int | None:
        if not items:
            self.told[CHILDLESS] += 1
            return None
        if deep >= MOST_SUBAGENTS_DEEP:
            self.faults.add(here, f"subagents more than {MOST_SUBAGENTS_DEEP} deep")
            raise ValueError
        self.subagents += 1
        waits = begins if last is None else [(last, 0.0)]
        key = "r" if self.coded else "requests"
        clock = start if self.relative else 0.0
        return self.stream(items, f"{here}: {key}", self.subagents, waits, ended, clock, deep + 1)

    def _waits(
        self, here: str, cells: dict[str, Any], start: float, begins: Waits, last: int | None, ended: float | None
    ) -> Waits:
        """Of the first request of a subagent from the recorded offset, of a later one its think time."""
        if last is None:
            gap = max(0.0, start - ended) if ended is not None else 0.0
            if begins and ended is None:
                self.told[GAPS] += 1
            return [(one, before + gap) for one, before in begins]
        think = self.faults.take(here, seconds_of, cells, "think_time", absent=-1.0)
        if think < 0:
            if ended is None:
                self.told[GAPS] += 1
            think = max(0.0, start - ended) if ended is not None else 0.0
        return [(last, think)]

    def _request(self, here: str, cells: dict[str, Any], stream: int, waits: Waits, service: float) -> int:
        take = self.faults.take
        prompt = take(here, length_of, cells, "in")
        output = take(here, answer_of, cells, "out")
        runs = take(here, ranges_of if self.coded else ids_of, cells, "hash_ids")
        self.told[EMPTY] += not output
        self.told[PARTIAL] += sum(count for _, count in runs) != prompt // self.block
        return self.requests.add(prompt, output or 1, None if service < 0 else service, stream, waits, runs)
