"""Check where results go before anything is computed; write them whole or not at all."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from pathlib import Path

import click

from simulator.cli.text.page import bold
from simulator.errors import InputError
from simulator.files.printable import printable

BROKEN = 3
"""Exit status when a promise is broken."""


def exit_if_broken(kept: bool) -> None:
    """End the command with :data:`BROKEN` if promises are not kept; everything is printed by then."""
    sys.stdout.flush()
    if not kept:
        raise click.exceptions.Exit(BROKEN)


def check_outputs(output: str | None, plot: str | None) -> None:
    """Refuse a place that cannot be written, and a picture of unknown format.

    Raises:
        InputError: names the option, the path and what is wrong with it.
    """
    if output is not None and plot is not None and Path(output).expanduser() == Path(plot).expanduser():
        raise InputError(f"--output and --plot both name {output}")
    if output is not None:
        _check_writable("--output", output)
    if plot is not None:
        from simulator.plots import picture_format

        picture_format(plot)
        _check_writable("--plot", plot)


def say(text: str, *, err: bool = False) -> None:
    """Print to a terminal or a pipe, with all control characters spelt out but those of bold type."""
    text = text if text.endswith("\n") else text + "\n"
    click.echo(bold(printable(text)), nl=False, err=err)


def emit(text: str, output: str | None) -> None:
    """Print, or write a file beside its place and rename it.

    Raises:
        InputError: the file cannot be written.
    """
    text = text if text.endswith("\n") else text + "\n"
    if output is None:
        say(text)
        return
    path = Path(output).expanduser()
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if _special(path):
            path.write_text(text, encoding="utf-8")
            return
        try:
            draft.write_text(text, encoding="utf-8")
            draft.replace(path)
        finally:
            with contextlib.suppress(OSError):
                draft.unlink()
    except OSError as fault:
        raise InputError(f"--output {output}: cannot be written: {fault.strerror or fault}") from None


def _special(path: Path) -> bool:
    """A pipe or a device, such as /dev/stdout, which cannot be replaced."""
    return path.exists() and not path.is_file()


def _check_writable(option: str, name: str) -> None:
    path = Path(name).expanduser()
    if path.is_dir():
        raise InputError(f"{option} {name}: cannot be written: it is a directory")
    if _special(path):
        return
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as fault:
        raise InputError(f"{option} {name}: cannot be written: {fault.strerror or fault}") from None
