"""The lines of a journal: how an entry is written, and what of a file can still be read after it was cut or damaged."""

from __future__ import annotations

import json
import re
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from simulator.errors import InputError

NUL = b"\0"
"""What a file system may leave in place of bytes that a crash kept from the disk."""

_SUMMED = re.compile(rb'(\{.*), "crc": "([0-9a-f]{8})"\}', re.DOTALL)


@dataclass(frozen=True)
class Format:
    """What a kind of journal looks like.

    Attributes:
        option: that names such a file, such as ``--results``.
        what: it keeps, in words.
        headers: first lines that are right; the first of them begins a new file.
        kin: first lines of files of this kind that belong to something else.
        field: name of the content of an entry.
        check: key and content as read -> content; any ValueError, TypeError or KeyError means that it is damaged.
    """

    option: str
    what: str
    headers: tuple[str, ...]
    kin: re.Pattern[str]
    field: str
    check: Callable[[str, Any], Any]

    def entry(self, key: str, content: Any) -> bytes:
        """One line: JSON with a check sum over what stands before it."""
        body = json.dumps({"key": key, self.field: content}, allow_nan=False)
        return f'{body[:-1]}, "crc": "{zlib.crc32(body.encode()):08x}"}}\n'.encode()

    def parsed(self, line: bytes) -> tuple[str, Any] | None:
        """Key and content of a line, with a check sum or without; None if it is damaged."""
        summed = _SUMMED.fullmatch(line)
        body = line if summed is None else summed[1] + b"}"
        if summed is not None and zlib.crc32(body) != int(summed[2], 16):
            return None
        try:
            entry = json.loads(body.decode("utf-8"), parse_constant=_no_number)
            if not isinstance(entry, dict) or entry.keys() != {"key", self.field}:
                return None
            key = entry["key"]
            return (key, self.check(key, entry[self.field])) if isinstance(key, str) and key else None
        except (ValueError, TypeError, KeyError, RecursionError, OverflowError, AttributeError):
            return None


@dataclass
class Found:
    """What a journal holds.

    Attributes:
        known: content by key.
        header: first line, as bytes; None if the file has to be begun.
        good: lines that are sound.
        damaged: (number, line) of those that are not.
    """

    known: dict[str, Any] = field(default_factory=dict)
    header: bytes | None = None
    good: list[bytes] = field(default_factory=list)
    damaged: list[tuple[int, bytes]] = field(default_factory=list)

    @property
    def content(self) -> bytes:
        """The file without what is damaged or cut off."""
        return b"" if self.header is None else b"".join(line + b"\n" for line in (self.header, *self.good))


def number_in(value: Any) -> float:
    """A finite number that is not negative, as every number of a journal is.

    Raises:
        ValueError: it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= sys.float_info.max:
        raise ValueError("not a number in range")
    return float(value)


def read_lines(data: bytes, form: Format, place: str) -> Found:
    """What can be read of a file that may be cut anywhere, have lines glued together, or bytes damaged.

    A last line that was cut off counts as never written. A line that is damaged otherwise is listed.

    Raises:
        InputError: the file is not of this format, or belongs to something else.
    """
    first, *rest = data.split(b"\n")
    first = _trimmed(first)
    headers = [header.encode() for header in form.headers]
    if not rest and any(len(data) <= len(h) and h.startswith(first) and h != first for h in headers):
        return Found()
    start = b'{"key": "'
    header = next((h for h in headers if first == h or first.startswith(h + start)), None)
    if header is None:
        raise _foreign(first, form, place)
    found = Found(header=header)
    lines = [first[len(header) :], *map(_trimmed, rest)]
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        entry = form.parsed(line)
        if entry is not None:
            found.known[entry[0]] = entry[1]
            found.good.append(line)
        elif number < len(lines) or not (line.startswith(start) or start.startswith(line)):
            found.damaged.append((number, line))
    return found


def _trimmed(line: bytes) -> bytes:
    return line.strip(NUL + b"\r")


def _foreign(first: bytes, form: Format, place: str) -> InputError:
    text = first.decode("utf-8", "replace")
    if form.kin.fullmatch(text):
        return InputError(f"{form.option} {place}: it belongs to other inputs; name another file")
    shown = repr(text[:40]) + ("..." if len(text) > 40 else "")
    return InputError(
        f"{form.option} {place}: found a file that begins with {shown}; expected {form.what}, or a new name"
    )


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number")
