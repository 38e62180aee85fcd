"""What a file is, by its content: a file of the user is only replaced by one of the same kind."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from simulator.results.columns import declared

HEAD, TAIL = 1 << 16, 1 << 8
"""Bytes looked at from the start and from the end of a file."""

SIGNATURE = "Written by mtpsim."
"""Last line of a text table that goes to a file; what others wrote, or added below, is not replaced."""

MARKS: tuple[frozenset[str], ...] = tuple(
    frozenset(names.split())
    for names in (
        "scope scope_reasons",
        "kind name summary",
        "field value unit meaning source",
        "half_width narrowed",
        "metric mtp_over_off acceptance_length",
        "request replica arrival_s rounds",
        "name value unit sd scale",
        "parameter value unit sd rows",
        "cv_of_gaps index_of_dispersion window_s",
        "subagents output_share median_think_s",
    )
)
"""Columns that make a CSV file of declared columns a result: no measured file has them."""


@dataclass(frozen=True)
class Glimpse:
    """The first and the last bytes of a file."""

    head: bytes
    tail: bytes

    @classmethod
    def of(cls, path: Path) -> Glimpse:
        """Those of a file.

        Raises:
            OSError: it cannot be read.
        """
        with path.open("rb") as file:
            head = file.read(HEAD)
            file.seek(0, 2)
            file.seek(max(0, file.tell() - TAIL))
            return cls(head, file.read(TAIL))

    @property
    def first_line(self) -> str:
        """What stands before the first line break, as far as it is text."""
        return self.head.split(b"\n", 1)[0].decode("utf-8", "replace").strip()


@dataclass(frozen=True)
class Kind:
    """A kind of file that the program writes: its name with the article, and how it is recognised."""

    name: str
    ours: Callable[[Glimpse], bool]


def is_picture(found: Glimpse) -> bool:
    """PNG or PDF by the first bytes, SVG by its root element."""
    head = found.head
    if head.startswith((b"\x89PNG\r\n\x1a\n", b"%PDF-")):
        return True
    return re.match(rb"\s*<(\?xml|svg)", head) is not None and re.search(rb"<svg[\s>]", head) is not None


def is_calibration(found: Glimpse) -> bool:
    """A YAML mapping whose top level has ``format`` and ``parameters``."""
    return all(re.search(rb"(?m)^" + key + rb":", found.head) for key in (b"format", b"parameters"))


def is_priors(found: Glimpse) -> bool:
    """A YAML mapping whose top level has ``tables``, ``fits`` and ``parameters``."""
    return all(re.search(rb"(?m)^" + key + rb":", found.head) for key in (b"tables", b"fits", b"parameters"))


def is_model(found: Glimpse) -> bool:
    """A YAML mapping whose top level has ``hidden``, ``layers`` and ``checkpoints``."""
    return all(re.search(rb"(?m)^" + key + rb":", found.head) for key in (b"hidden", b"layers", b"checkpoints"))


def is_page(found: Glimpse) -> bool:
    """An HTML document with the title of the page."""
    return re.match(rb"\s*<!doctype html>.{0,4000}<title>mtpsim: the live chart</title>", found.head, re.S) is not None


def is_sessions(found: Glimpse) -> bool:
    """JSONL whose first line begins as a session that we write."""
    return re.match(rb'\{"session":"(\\.|[^"\\])*","block_tokens":', found.head) is not None


def is_result(found: Glimpse) -> bool:
    """JSON, CSV or a text table as the commands write them."""
    if re.match(rb'\{\n ?"meta": \{', found.head):
        return True
    if found.tail.endswith(f"\n{SIGNATURE}\n".encode()):
        return True
    try:
        names = next(csv.reader([found.first_line]), [])
    except csv.Error:
        return False
    return all(declared(name) is not None for name in names) and any(mark <= set(names) for mark in MARKS)


RESULT = Kind("an earlier result of mtpsim", is_result)
PICTURE = Kind("a picture (PNG, SVG or PDF)", is_picture)
CALIBRATION = Kind("a calibration", is_calibration)
KERNEL_PRIORS = Kind("kernel priors", is_priors)
MODEL = Kind("a model profile", is_model)
PAGE = Kind("a page of mtpsim", is_page)
SESSIONS = Kind("sessions as mtpsim writes them", is_sessions)

FOREIGN: tuple[tuple[str, Callable[[Glimpse], bool]], ...] = (
    *((kind.name, kind.ours) for kind in (RESULT, PICTURE, CALIBRATION, KERNEL_PRIORS, MODEL, PAGE, SESSIONS)),
    ("what a plan has simulated (--resume)", lambda found: found.head.startswith(b'{"plan": "')),
    ("finished runs of a sweep (--results)", lambda found: found.first_line == "mtpsim results"),
    ("a binary file", lambda found: b"\0" in found.head),
)


def described(found: Glimpse) -> str:
    """What a file is, in words for a message."""
    for name, recognises in FOREIGN:
        if recognises(found):
            return name
    line = found.first_line
    return f"a file that begins with {line[:40] + '...' if len(line) > 40 else line!r}"
