"""Check where results go before anything is computed; write them whole or not at all."""

from __future__ import annotations

import sys

import click

from simulator.cli.streams import say
from simulator.errors import InputError
from simulator.files.kinds import HEAD, PICTURE, RESULT, SIGNATURE, TAIL, Glimpse
from simulator.files.paths import user_path
from simulator.files.writing import check_place, special, write_file
from simulator.results.printable import printable

BROKEN = 3
"""Exit status when a promise is broken."""


def exit_if_broken(kept: bool) -> None:
    """End the command with :data:`BROKEN` if promises are not kept; everything is printed by then."""
    sys.stdout.flush()
    if not kept:
        raise click.exceptions.Exit(BROKEN)


def check_outputs(output: str | None, plot: str | None, option: str = "--output") -> None:
    """Refuse a place that cannot be written or holds another kind of file, and a picture of unknown format.

    Raises:
        InputError: names the option, the path, what is wrong with it or what was found there.
        MachineError: the disk is full.
    """
    path = None if output is None else check_place(option, output, RESULT)
    if plot is not None:
        from simulator.plots import picture_format

        picture_format(plot)
        if check_place("--plot", plot, PICTURE) == path:
            raise InputError(f"{option} and --plot both name {output}")


def emit(text: str, output: str | None, option: str = "--output") -> None:
    """Print, or write a file that appears whole or not at all. A text table in a file ends with a line that says whose.

    Raises:
        InputError: the file cannot be written, or another kind of file stands there.
        MachineError: the disk or standard output is full, or standard output is closed.
    """
    text = text if text.endswith("\n") else text + "\n"
    if output is None:
        say(text)
        return
    data = printable(text).encode("utf-8")
    if not (special(user_path(option, output)) or RESULT.ours(Glimpse(data[:HEAD], data[-TAIL:]))):
        data += f"\n{SIGNATURE}\n".encode()
    write_file(option, output, RESULT, data)
