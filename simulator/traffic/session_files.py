"""Sessions from files: those of coding agents and our own JSONL, in files or folders; and the set that ships."""

from __future__ import annotations

import functools
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from simulator.bounds import whole
from simulator.errors import InputError, brief
from simulator.files.json_reading import parse_json, parse_json_object
from simulator.files.limits import within
from simulator.files.paths import user_path
from simulator.files.reading import MEGABYTE, check_rows, decoded, read_bytes
from simulator.traffic.formats import own_sessions, weka
from simulator.traffic.formats.head import Head
from simulator.traffic.formats.registry import TRACES, format_of
from simulator.traffic.formats.session_cells import Faults
from simulator.traffic.overflow import shortened
from simulator.traffic.sessions import Session, Sessions

BYTES_OF_REQUEST = 400
"""Memory that a request takes, an estimate."""
BYTES_OF_BYTE = 8
"""Memory that a byte of JSON takes while it is read, an estimate."""
ENDINGS = (".json", ".jsonl")
"""Of the files of a folder that are read."""
SHIPPED = Path(__file__).parent / "shipped" / "weka_cc042026_40.jsonl"
LEAST_TOKENS = 2


def read_sessions(paths: str | os.PathLike[str] | Sequence[str], *, longest: int | None = None) -> Sessions:
    """The sessions of files.

    Args:
        paths: of a file, several, or folders, in which every file that ends in .json or .jsonl is read.
        longest: input and output tokens of a request; the first that is longer ends its conversation. None: any.

    Raises:
        InputError: no such file, no sessions in it, blocks of different sizes, or the first faulty records by line.

    Example:
        >>> import os, tempfile
        >>> path = os.path.join(tempfile.mkdtemp(), "one.jsonl")
        >>> request = '{"input_tokens": 70, "output_tokens": 5, "blocks": [[0, 1]]}'
        >>> _ = open(path, "w").write('{"session": "a", "block_tokens": 64, "requests": [' + request + ']}')
        >>> read_sessions(path).totals
        Totals(sessions=1, requests=1, subagents=0, prompt=70, output=5)
    """
    named = [os.fspath(paths)] if isinstance(paths, str | os.PathLike) else list(paths)
    if not named:
        raise InputError("sessions: expected at least one file")
    found = _Found()
    for path in (one for name in named for one in _files(name)):
        found.add(_opened(path))
    return _within(found.sessions(", ".join(named[:3])), longest)


def holds_sessions(head: Head) -> bool:
    """Whether a file begins as one of sessions does."""
    if not head.is_json:
        return False
    if _one_a_line(head):
        return _is_session(head.first_object)
    try:
        record = parse_json(head.text, head.path)
    except InputError:
        return False
    return isinstance(record, dict) and _is_session(record)


def sessions_in(head: Head) -> Sessions:
    """The sessions of a file that is already read.

    Raises:
        InputError: as of :func:`read_sessions`.
    """
    found = _Found()
    found.add(head)
    return found.sessions(head.path)


def shipped_sessions(*, longest: int | None = None) -> Sessions:
    """Forty recorded sessions of coding agents that ship: every 15th of a published set.

    Of the set of April 2026 of callanjfox/kv-cache-tester (Apache-2.0); see ``shipped/README.md``.

    Args:
        longest: as of :func:`read_sessions`.

    Raises:
        InputError: nothing is so short.

    Example:
        >>> shipped_sessions().totals.sessions
        40
    """
    return _within(_shipped(), longest)


@functools.cache
def _shipped() -> Sessions:
    return read_sessions(SHIPPED)


def _is_session(record: dict[str, Any]) -> bool:
    return weka.is_session(record) or own_sessions.is_session(record)


def _opened(path: str) -> Head:
    data = read_bytes(user_path("sessions", path), path)
    check_rows(data, path, bytes_each=BYTES_OF_REQUEST)
    return Head(decoded(data, path), path)


def _files(name: str) -> Iterator[str]:
    place = user_path("sessions", name)
    if not place.is_dir():
        yield name
        return
    try:
        inside = sorted(one for one in place.iterdir() if one.suffix.lower() in ENDINGS and one.is_file())
    except OSError as fault:
        raise InputError(f"{name}: cannot be read: {fault.strerror or fault}") from None
    if not inside:
        raise InputError(f"{name}: expected files that end in {' or '.join(ENDINGS)}, found a folder without any")
    yield from (os.fspath(one) for one in inside)


@dataclass
class _Found:
    """Sessions of all files so far."""

    items: list[Session] = field(default_factory=list)
    kinds: dict[str, None] = field(default_factory=dict)
    blocks: dict[int, str] = field(default_factory=dict)
    told: Counter[str] = field(default_factory=Counter)
    requests: int = 0

    def add(self, head: Head) -> None:
        """Those of one more file."""
        faults = Faults(head.path)
        for where, record in _records(head):
            self._add(head.path, where, record, faults)
            if faults.enough:
                break
        faults.check()

    def _add(self, path: str, where: str, record: dict[str, Any], faults: Faults) -> None:
        if weka.is_session(record):
            self.kinds[weka.NAME] = None
            session, block = weka.session_of(record, where, faults, self.told)
        elif own_sessions.is_session(record):
            self.kinds[own_sessions.NAME] = None
            session, block = own_sessions.session_of(record, where, faults)
        else:
            keys = brief(", ".join(record))
            faults.add(where, f"expected a session with its requests, found the keys {keys}")
            return
        if block is not None:
            self.blocks.setdefault(block, f"{path}: {where}" if where else path)
        if len(self.blocks) > 1:
            (one, first), (other, second) = self.blocks.items()
            raise InputError(
                f"{second}: blocks of {other} tokens, those of {first} have {one}; expected the same in all sessions"
            )
        if session is not None:
            self.items.append(session)
            self.requests += session.count
            within("rows", self.requests, path, bytes_each=BYTES_OF_REQUEST)

    def sessions(self, names: str) -> Sessions:
        """All of them, at least one."""
        if not self.items:
            raise InputError(f"{names}: sessions without requests; expected at least one request")
        notes = tuple(f"{what} ({count:,})" for what, count in self.told.items() if count)
        (block,) = self.blocks
        return Sessions(" and ".join(self.kinds), tuple(self.items), block, notes)


def _records(head: Head) -> Iterator[tuple[str, dict[str, Any]]]:
    """The JSON objects of a file and where each stands: one a line, or the whole file is one."""
    if not head.is_json:
        _refuse(head)
    if not _one_a_line(head):
        yield "", _whole(head)
        return
    if not _is_session(head.first_object):
        _refuse(head)
    at, line = 0, 0
    while at < len(head.text):
        end = head.text.find("\n", at)
        end = len(head.text) if end < 0 else end
        line += 1
        entry = head.text[at:end]
        at = end + 1
        if entry.strip():
            _check_memory(entry, head.path)
            where = f"line {line}"
            yield where, parse_json_object(entry, f"{head.path}: {where}")


def _one_a_line(head: Head) -> bool:
    """Whether the first line is a whole object, and not the beginning of one."""
    return len(head.lines) == 1 or head.lines[0][1].rstrip().endswith("}")


def _whole(head: Head) -> dict[str, Any]:
    _check_memory(head.text, head.path)
    found = parse_json(head.text, head.path)
    if not isinstance(found, dict):
        raise InputError(f"{head.path}: expected a JSON object with a session, found {type(found).__name__}")
    if not _is_session(found):
        keys = brief(", ".join(found))
        raise InputError(f"{head.path}: expected a session with its requests, found the keys {keys}")
    return found


def _check_memory(text: str, path: str) -> None:
    within("file-mb", len(text) / MEGABYTE, path, bytes_each=BYTES_OF_BYTE * MEGABYTE)


def _refuse(head: Head) -> None:
    """Raise what a file is that holds no sessions."""
    found = format_of(head)
    if found is not None and found in TRACES:
        raise InputError(
            f"{head.path}: this is {found.NAME}: requests that come by themselves; expected sessions, in which each "
            "request waits for the answer before it; mtpsim simulate --trace runs it"
        )
    raise InputError(f"{head.path}: line 1: expected sessions of coding agents (Weka) or our own, found {head.found}")


def _within(sessions: Sessions, longest: int | None) -> Sessions:
    if longest is None:
        return sessions
    whole("longest", longest, LEAST_TOKENS)
    left = [shortened(one, longest) for one in sessions.items]
    items = tuple(one for one in left if one is not None)
    if not items:
        raise InputError(f"longest: expected at least the tokens of some first request, found {longest:,}")
    requests = sessions.totals.requests - sum(one.count for one in items)
    if not requests:
        return sessions
    gone = len(sessions.items) - len(items)
    note = f"requests over {longest:,} tokens and those that follow them, left out ({requests:,}"
    note += f"; {gone:,} sessions whole)" if gone else ")"
    return replace(sessions, items=items).noting(note)
