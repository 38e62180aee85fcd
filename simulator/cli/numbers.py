"""The types of options that are numbers: finite and of a size that can be computed with.

What a number may be beyond that is for the function behind the command to say, which Python users call too.
"""

from __future__ import annotations

from typing import Any

import click

from simulator.bounds import number, parse_number, parse_whole, small_enough
from simulator.errors import InputError, brief


class _Whole(click.ParamType):  # type: ignore[type-arg]
    name = "whole number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        option = _option(param)
        if isinstance(value, str):
            try:
                value = parse_whole(value)
            except ValueError:
                raise InputError(f"{option}: expected a whole number, found {brief(value)}") from None
        return small_enough(option, value)


class _Number(click.ParamType):  # type: ignore[type-arg]
    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        option = _option(param)
        if isinstance(value, str):
            try:
                value = parse_number(value)
            except ValueError as fault:
                raise InputError(f"{option}: {fault}, found {brief(value)}") from None
        return number(option, value)


def _option(param: click.Parameter | None) -> str:
    return param.opts[0] if param is not None and param.opts else "number"


INT = _Whole()
"""``--seed 7``."""
REAL = _Number()
"""``--rate 0.5``."""
