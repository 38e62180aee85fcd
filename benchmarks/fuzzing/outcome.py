"""Run one input in this process, in a folder of its own, and note all that it leaves."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuzzing.inputs import Input

ANSWERS = ("click.", "simulator.")
"""Modules whose exceptions are answers."""
SEEN: list[BaseException] = []
"""Exceptions that a command raised and that are no answer to bad input, whether or not something turned them into a
sentence."""
Run = Callable[[list[str]], int]
"""A command line to its exit status."""


@dataclass(frozen=True)
class Finding:
    """What is wrong with one input.

    Attributes:
        what: one of :data:`~fuzzing.counts.WRONG`.
        place: where in the simulator, or which command; findings of one kind and place are one finding.
        detail: traceback or text.
    """

    what: str
    place: str
    detail: str


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


def run_in(one: Input, folder: Path, run: Run) -> Outcome:
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


def command(one: Input) -> str:
    """The words that name the command of an input."""
    return " ".join(a for a in one.arguments[:2] if re.fullmatch(r"[a-z][a-z-]*", a))
