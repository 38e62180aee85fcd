"""What is wrong with what was printed and written, where the command was content: no numbers, no JSON, formulas."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

from fuzzing.inputs import Input
from fuzzing.outcome import Finding, Outcome, Run, command, run_in

NUMBERLESS = re.compile(r"(?<![\w.\\/-])[-+]?(?:nan|inf|infinity)(?![\w.-])", re.IGNORECASE)
FORMULA = re.compile(r"[=@\t\uff1d\uff0b\uff0d\uff20]|[+-](?![\d.]*\d[\d.]*(e[+-]?\d+)?$)", re.IGNORECASE)
ECHO = {"nan": "nqn", "inf": "iqf"}


def malformed(one: Input, outcome: Outcome) -> Iterator[Finding]:
    """What claims to be JSON must be, and no cell of a table may be one that a spreadsheet would run."""
    for where, text in _texts(one, outcome).items():
        if text.startswith("{") and "json" in one.arguments:
            try:
                json.loads(text)
            except ValueError as fault:
                yield Finding("not JSON", f"{where} of {command(one)}", f"{fault}: {text[:300]}")
        elif where.endswith(".csv") or (where == "stdout" and "csv" in one.arguments and "," in text.split("\n")[0]):
            cells = (cell for row in csv.reader(io.StringIO(text)) for cell in row)
            if found := next((cell for cell in cells if FORMULA.match(cell)), None):
                yield Finding("formula", f"{where} of {command(one)}", repr(found))


def _texts(one: Input, outcome: Outcome) -> dict[str, str]:
    """What was printed, and the files that were written, pictures left out."""
    written = (n for n in outcome.files if n not in one.files and not n.endswith((".png", ".svg", ".pdf")))
    return {"stdout": outcome.out} | {name: outcome.files[name].decode("utf-8", "replace") for name in written}


def no_numbers(one: Input, outcome: Outcome, folder: Path, run: Run) -> Iterator[Finding]:
    """``nan`` and ``inf`` in what was printed or written, unless the words are the user's own text given back.

    An echo is told from a number by running the same input with these words spelled otherwise.
    """
    found = _found(one, outcome)
    if not found:
        return
    given = " ".join(one.arguments).encode("utf-8", "surrogateescape") + b" ".join(one.files.values())
    if any(word.encode() in given.lower() for word in ECHO):
        respelled = Input(
            one.name,
            tuple(
                _respelled(a.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")
                for a in one.arguments
            ),
            {name: _respelled(content) for name, content in one.files.items()},
        )
        again = folder / "again"
        again.mkdir()
        second = run_in(respelled, again, run)
        if second.status == outcome.status and not _found(one, second):
            return
    where, near = found
    yield Finding("nan", f"{where} of {command(one)}", near)


def _respelled(content: bytes) -> bytes:
    for word, other in ECHO.items():
        content = re.sub(re.escape(word.encode()), other.encode(), content, flags=re.IGNORECASE)
    return content


def _found(one: Input, outcome: Outcome) -> tuple[str, str] | None:
    for where, text in _texts(one, outcome).items():
        match = NUMBERLESS.search(text)
        if match:
            return where, text[max(0, match.start() - 100) : match.end() + 60]
    return None
