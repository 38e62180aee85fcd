"""``--limit`` and ``--allow-implausible``, which every command has."""

from __future__ import annotations

from typing import Any

import click

from simulator.errors import InputError, unknown_name
from simulator.files.limits import LIMITS, limits


def insisting(command: click.Command) -> click.Command:
    """The command, and those below it, with both options; they hold until the command ends."""
    if isinstance(command, click.Group):
        for below in command.commands.values():
            insisting(below)
    elif not any(option.name == "allow_implausible" for option in command.params):
        command.params += [_limit(), _implausible()]
    return command


def _limit() -> click.Option:
    return click.Option(
        ["--limit"],
        metavar="NAME=N",
        multiple=True,
        expose_value=False,
        callback=_raise_limits,
        help=f"Raise a limit, repeatable: {', '.join(LIMITS)}.",
    )


def _implausible() -> click.Option:
    return click.Option(
        ["--allow-implausible"],
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=_insist,
        help="Take numbers of profiles outside their plausible range.",
    )


def _raise_limits(context: click.Context, option: click.Parameter, value: tuple[str, ...]) -> None:
    most: dict[str, Any] = {}
    for text in value:
        name, _, number = text.partition("=")
        if name not in LIMITS:
            raise unknown_name("limit", name, LIMITS)
        try:
            most[name.replace("-", "_")] = float(number)
        except ValueError:
            raise InputError(f"--limit {text}: expected NAME=N, such as rows=10000000") from None
    context.with_resource(limits(**most))


def _insist(context: click.Context, option: click.Parameter, value: bool) -> None:
    if value:
        context.with_resource(limits(implausible=True))
