"""Our sessions as JSONL, one a line: ``{"session", "block_tokens", "requests"}``.

A request has ``input_tokens``, ``output_tokens``, ``service_s`` (recorded seconds of the model, or null), ``stream`` (0
the conversation, k its k-th subagent), ``waits`` (pairs: an earlier request, counted from 0, and seconds after its end)
and ``blocks`` (pairs: the first id of a range of block ids, and how many).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from simulator.files.kinds import SESSIONS
from simulator.files.writing import write_file
from simulator.traffic.formats.head import Head
from simulator.traffic.formats.refusal import refuse_sessions
from simulator.traffic.formats.session_cells import (
    PAIR,
    Faults,
    block_of,
    items_of,
    length_of,
    name_of,
    ranges_of,
    seconds_of,
    whole_of,
)
from simulator.traffic.session_builder import SessionBuilder, Waits
from simulator.traffic.sessions import Session, Sessions
from simulator.traffic.trace import Trace

NAME = "sessions (JSONL)"


def recognises(head: Head) -> bool:
    """By its name and its requests."""
    return is_session(head.first_object)


def read(text: str, path: str) -> Trace:
    """Refused.

    Raises:
        InputError: always, with the reason.
    """
    raise refuse_sessions(path, NAME)


def is_session(record: dict[str, Any]) -> bool:
    """Whether a JSON object is one."""
    return {"session", "requests"} <= record.keys()


def session_of(record: dict[str, Any], where: str, faults: Faults) -> tuple[Session | None, int | None]:
    """A session and the tokens of its blocks.

    Args:
        record: a JSON object.
        where: it stands.
        faults: what is wrong with it is noted there; then, and where it has no request, there is no session.
    """
    try:
        items = faults.take(where, items_of, record, "requests")
        block = faults.take(where, block_of, record, "block_tokens")
        name = faults.take(where, name_of, record, "session")
    except ValueError:
        return None, None
    requests = SessionBuilder()
    subagents = 0
    for place, cells in enumerate(items):
        here = f"{where}: requests[{place}]"
        if faults.enough:
            break
        if not isinstance(cells, dict):
            faults.add(here, f"expected a JSON object, found {type(cells).__name__}")
            continue
        try:
            stream = faults.take(here, whole_of, cells, "stream", absent=0)
            if stream > subagents + 1:
                faults.add(here, f"stream: expected at most {subagents + 1}, the next subagent, found {stream}")
                continue
            subagents = max(subagents, stream)
            service = faults.take(here, seconds_of, cells, "service_s", absent=-1.0)
            waits = _waits(here, cells, place, faults)
            requests.add(
                faults.take(here, length_of, cells, "input_tokens"),
                faults.take(here, length_of, cells, "output_tokens"),
                None if service < 0 else service,
                stream,
                waits,
                faults.take(here, ranges_of, cells, "blocks"),
            )
        except ValueError:
            continue
    return (requests.session(name) if requests.count else None), block


def _waits(here: str, cells: dict[str, Any], place: int, faults: Faults) -> Waits:
    waits: list[tuple[int, float]] = []
    pairs: list[Any] = faults.take(here, items_of, cells, "waits", absent=[])
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != PAIR:
            faults.add(here, "waits: expected pairs of a request and the seconds after its end")
            raise ValueError
        one = dict(zip(("request", "seconds"), pair, strict=True))
        request = faults.take(f"{here}: waits", whole_of, one, "request")
        if request >= place or request in [known for known, _ in waits]:
            which = "itself" if request == place else f"request {request}"
            faults.add(here, f"waits: expected earlier requests, each once, found {which}")
            raise ValueError
        waits.append((request, faults.take(f"{here}: waits", seconds_of, one, "seconds")))
    return waits


def write_sessions(sessions: Sessions, path: str | os.PathLike[str]) -> Path:
    """Write sessions to a JSONL file, which :func:`simulator.traffic.session_files.read_sessions` reads back equal.

    Args:
        sessions: any.
        path: of the file; only one of the same kind is replaced.

    Raises:
        InputError: the place cannot be written, or something else stands there.
        MachineError: the disk is full.
    """
    lines = (json.dumps(_record(one, sessions.block_tokens), separators=(",", ":")) for one in sessions.items)
    return write_file("sessions", path, SESSIONS, "".join(f"{line}\n" for line in lines))


def _record(session: Session, block_tokens: int) -> dict[str, Any]:
    return {"session": session.name, "block_tokens": block_tokens, "requests": list(_requests(session))}


def _requests(session: Session) -> Iterator[dict[str, Any]]:
    for i in range(session.count):
        service = float(session.service[i])
        yield {
            "input_tokens": int(session.prompt[i]),
            "output_tokens": int(session.output[i]),
            "service_s": None if np.isnan(service) else service,
            "stream": int(session.stream[i]),
            "waits": [list(one) for one in session.waits(i)],
            "blocks": [list(one) for one in session.runs(i)],
        }
