"""Run one input in this process, in a folder of its own, and say what is wrong with what came out."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuzzing.inputs import JOURNAL, Input

STATUSES = {0: "accepted", 1: "failed", 2: "refused", 3: "broken", 4: "unchecked"}
"""What an exit status says; 3: a promise is broken or a curve impossible, 4: a curve that nothing could judge."""
ANSWERS = ("click.", "simulator.")
"""Modules whose exceptions are answers."""
BUG = "this is a bug"
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
NUMBERLESS = re.compile(r"(?<![\w.\\/-])[-+]?(?:nan|inf|infinity)(?![\w.-])", re.IGNORECASE)
ECHO = {"nan": "nqn", "inf": "iqf"}
LEFT_BEHIND = (".part", ".tmp")
SEEN: list[BaseException] = []
"""Exceptions that a command raised and that are no answer to bad input, whether or not something turned them into a
sentence."""


@dataclass(frozen=True)
class Finding:
    """What is wrong with one input.

    Attributes:
        what: crash, hang, memory, death, status, escape, nan, left behind, destroyed, warning or sentence.
        place: where in the simulator, or which command; findings of one kind and place are one finding.
        detail: traceback or text.
    """

    what: str
    place: str
    detail: str


@dataclass(frozen=True)
class Verdict:
    """The exit status in words, and what is wrong."""

    status: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class Outcome:
    """What a command left: exit status (None: it raised), what it printed, and all files of the folder."""

    status: int | None
    out: str
    err: str
    files: Mapping[str, bytes]


def watch() -> None:
    """Note every exception that a command raises, before any handler of last resort turns it into a sentence."""
    from simulator import cli

    def noting(inner: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            try:
                return inner(*arguments, **named)
            except BaseException as fault:
                if not any(kind.__module__.startswith(ANSWERS) for kind in type(fault).__mro__):
                    _note(fault)
                raise

        return call

    cli.group.make_context = noting(cli.group.make_context)  # type: ignore[method-assign]
    cli.group.invoke = noting(cli.group.invoke)  # type: ignore[method-assign]


def _note(fault: BaseException) -> None:
    if fault not in SEEN:
        SEEN.append(fault)


def judge(one: Input, folder: Path, run: Callable[[list[str]], int] | None = None) -> Verdict:
    """Run an input in an empty folder.

    Args:
        run: instead of the command line of the simulator.
    """
    if run is None:
        from simulator.cli import run
    SEEN.clear()
    outcome = run_in(one, folder, run)
    findings = [*_crash(outcome), *_told(one, outcome), *_terminal(one, outcome), *_folder(one, outcome)]
    if outcome.status in (0, 3, 4):
        findings += _no_numbers(one, outcome, folder, run)
    status = "crashed" if outcome.status is None else STATUSES.get(outcome.status, "crashed")
    return Verdict(status, tuple(findings))


def run_in(one: Input, folder: Path, run: Callable[[list[str]], int]) -> Outcome:
    """Write the files of an input to a folder and run its command line there, output captured."""
    for name, content in one.files.items():
        (folder / name).write_bytes(content)
    out, err = io.BytesIO(), io.BytesIO()
    here = os.getcwd()
    os.chdir(folder)
    status: int | None = None
    try:
        with (
            contextlib.redirect_stdout(io.TextIOWrapper(out, "utf-8", write_through=True)),
            contextlib.redirect_stderr(io.TextIOWrapper(err, "utf-8", "backslashreplace", write_through=True)),
        ):
            try:
                status = run(list(one.arguments))
            except BaseException as fault:
                _note(fault)
            sys.stdout.detach()
            sys.stderr.detach()
    finally:
        os.chdir(here)
    files = {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
    return Outcome(status, out.getvalue().decode("utf-8", "replace"), err.getvalue().decode("utf-8", "replace"), files)


def _crash(outcome: Outcome) -> Iterator[Finding]:
    for fault in SEEN:
        kind = "memory" if isinstance(fault, MemoryError) else "crash"
        yield Finding(kind, place(fault), "".join(traceback.format_exception(fault))[-6000:])
    if not SEEN and ("Traceback" in outcome.err or BUG in outcome.err):
        yield Finding("crash", "a sentence alone", outcome.err[-3000:])


def place(fault: BaseException) -> str:
    """File, function and type: where in the simulator an exception passed last."""
    frames = [f for f in traceback.extract_tb(fault.__traceback__) if "/simulator/" in f.filename]
    if not frames:
        return type(fault).__name__
    last = frames[-1]
    return f"{last.filename.rpartition('/simulator/')[2]}:{last.name} {type(fault).__name__}"


def _told(one: Input, outcome: Outcome) -> Iterator[Finding]:
    """Exit status and sentences."""
    if outcome.status is not None and outcome.status not in STATUSES:
        yield Finding("status", _command(one), f"exit status {outcome.status}")
    if outcome.status == 2 and not outcome.err.startswith("mtpsim: error: "):
        yield Finding("sentence", _command(one), outcome.err[:500])
    for line in outcome.err.splitlines():
        if found := re.search(r"/(\w+/\w+\.py):\d+: (\w+Warning): ", line):
            yield Finding("warning", f"{found[1]} {found[2]}", line)


def _command(one: Input) -> str:
    return " ".join(a for a in one.arguments[:2] if re.fullmatch(r"[a-z][a-z-]*", a))


def _terminal(one: Input, outcome: Outcome) -> Iterator[Finding]:
    for stream, text in (("stdout", outcome.out), ("stderr", outcome.err)):
        found = CONTROL.search(text)
        if found:
            near = text[max(0, found.start() - 60) : found.end() + 40]
            yield Finding(
                "escape",
                f"{stream} of {one.arguments[0] if one.arguments else ''}, status {outcome.status}",
                repr(near),
            )


def _folder(one: Input, outcome: Outcome) -> Iterator[Finding]:
    for name in outcome.files:
        if name.endswith(LEFT_BEHIND):
            yield Finding("left behind", name, name)
    for name, before in one.files.items():
        after = outcome.files.get(name)
        if after == before or (name == JOURNAL and after is not None and _kept(before, after, outcome.files)):
            continue
        yield Finding("destroyed", f"{name} by {one.arguments[0]}, status {outcome.status}", repr(after)[:300])


def _kept(before: bytes, after: bytes, files: Mapping[str, bytes]) -> bool:
    """Whether a journal lost nothing: appended to; or a file of ours whose every whole line is somewhere still."""
    if after.startswith(before):
        return True
    first = before.split(b"\n", 1)[0]
    if not (
        first.startswith((b'{"plan"', b"mtpsim results"))
        or b"mtpsim results".startswith(first)
        or b'{"plan": "'.startswith(first[:10])
    ):
        return False
    everything = b"\n".join(files.values())
    return all(line in everything for line in before.split(b"\n")[1:-1] if _whole(line))


def _whole(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _no_numbers(one: Input, outcome: Outcome, folder: Path, run: Callable[[list[str]], int]) -> Iterator[Finding]:
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
    yield Finding("nan", f"{where} of {_command(one)}", near)


def _respelled(content: bytes) -> bytes:
    for word, other in ECHO.items():
        content = re.sub(re.escape(word.encode()), other.encode(), content, flags=re.IGNORECASE)
    return content


def _found(one: Input, outcome: Outcome) -> tuple[str, str] | None:
    texts = {"stdout": outcome.out}
    texts |= {
        n: c.decode("utf-8", "replace")
        for n, c in outcome.files.items()
        if n not in one.files and not n.endswith((".png", ".svg", ".pdf"))
    }
    for where, text in texts.items():
        match = NUMBERLESS.search(text)
        if match:
            return where, text[max(0, match.start() - 100) : match.end() + 60]
    return None
