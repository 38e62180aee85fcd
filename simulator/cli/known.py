"""What the user knows and result files do not hold: ``--set`` and ``--set-file``, of every command that reads them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from simulator.errors import InputError

Command = Callable[..., None]


def known_options(command: Command) -> Command:
    """Both options; the command receives one :class:`~simulator.measurements.importing.known.Known` or None, as
    ``known``."""

    @functools.wraps(command)
    def wrapped(known: tuple[str, ...] | None, set_file: str | None, **arguments: Any) -> None:
        stated = None
        if known or set_file is not None:
            from simulator.measurements.importing.known import from_options

            stated = from_options(known or (), set_file)
        command(known=stated, **arguments)

    option = click.option(
        "--set",
        "known",
        metavar="COLUMN=VALUE",
        multiple=True,
        callback=_none_if_empty,
        help="What the files do not hold, such as hardware=h200 or tp=4; repeatable.",
    )
    file = click.option(
        "--set-file", metavar="FILE.yaml", help="The same as YAML, and under files: for single files by name."
    )
    return option(file(wrapped))


def no_known(known: Any) -> None:
    """Refuse both options where no file is read.

    Raises:
        InputError: one of them is there.
    """
    if known is not None:
        raise InputError("--set and --set-file complete result files: expected files beside them")


def _none_if_empty(context: click.Context, option: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...] | None:
    return value or None
