"""Standard output and standard error when they are closed, full, or their reader has gone."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from typing import Any

import click

from simulator.cli.text.page import bold
from simulator.errors import MachineError
from simulator.files.writing import MACHINE
from simulator.results.printable import printable

STANDARD = (1, 2)
"""File descriptors of standard output and standard error."""


class Closed(io.TextIOBase):
    """A standard output that was closed before the program began: nothing is lost in silence."""

    def write(self, text: str) -> int:
        """Refuse.

        Raises:
            OSError: always.
        """
        raise OSError(errno.EBADF, "it is closed")


def take_places() -> None:
    """Make sure that no file which is opened later becomes standard input, output or error.

    Where one was closed the system would give its number to the next file, and what is printed would go into that.
    """
    with contextlib.suppress(OSError):
        while (handle := os.open(os.devnull, os.O_RDWR)) <= 2:
            pass
        os.close(handle)
    if sys.stdout is None:
        sys.stdout = Closed()
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - open to the end


def say(text: str) -> None:
    """Print on standard output, at once, with all control characters spelt out but those of bold type.

    Raises:
        MachineError: it is full or closed.
        BrokenPipeError: its reader has gone.
    """
    text = bold(_shown(text if text.endswith("\n") else text + "\n", sys.stdout))
    try:
        if isinstance(sys.stdout, Closed):
            sys.stdout.write(text)
        click.echo(text, nl=False)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as fault:
        raise lost(fault) from None


def complain(text: str) -> None:
    """A sentence on standard error; where it cannot be written the exit status alone tells."""
    report(f"mtpsim: {text}")


def report(text: str) -> None:
    """The same as it is."""
    try:
        click.echo(_shown(text, sys.stderr), err=True)
    except (OSError, ValueError):
        silence(sys.stderr)


def _shown(text: str, stream: Any) -> str:
    """The text as a stream can show it: what its encoding lacks is spelt out."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return printable(text).encode(encoding, "backslashreplace").decode(encoding)


def lost(fault: OSError) -> MachineError:
    """The fault of standard output, or of a place that is named with it."""
    place = "standard output" if fault.filename is None else os.fsdecode(fault.filename)
    return MachineError(f"{place}: cannot be written: {fault.strerror or fault}")


def is_lost(fault: OSError) -> bool:
    """Whether the machine is at fault, as with a full disk."""
    return fault.errno in MACHINE


def silence(stream: Any) -> None:
    """Let what a stream still holds go nowhere, or the interpreter would complain at its end.

    A stream that a caller put in the place of standard output or error is left open.
    """
    with contextlib.suppress(OSError, ValueError):
        number = stream.fileno()
        if number in STANDARD:
            handle = os.open(os.devnull, os.O_WRONLY)
            try:
                os.dup2(handle, number)
            finally:
                os.close(handle)
    with contextlib.suppress(OSError, ValueError):
        stream.flush()
