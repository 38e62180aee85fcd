"""Options that say what traffic comes and what fleet serves it, and options of the closed loop taken away."""

from __future__ import annotations

from collections.abc import Callable

import click

from simulator.cli.options import given
from simulator.cli.promise_options import promises
from simulator.errors import InputError
from simulator.units import parse_duration

CLOSED_LOOP_ONLY = ("requests_per_client",)


def duration(context: click.Context, option: click.Parameter, value: str | None) -> float | None:
    """Click callback: seconds."""
    return None if value is None else parse_duration(option.opts[0], value)


def length_options(command: Callable[..., None]) -> Callable[..., None]:
    """``lengths``, ``promises`` and ``router``."""
    for option in reversed(
        [
            click.option(
                "--lengths",
                metavar="KIND",
                help="fixed, uniform[:0.8] (0.8 L to L), lognormal:CV (mean L), or empirical:FILE.csv.  [default: "
                "uniform, --range-ratio x L to L]",
            ),
            click.option(
                "--promise",
                "promises",
                metavar="METRIC-pP=LIMIT",
                multiple=True,
                callback=promises,
                help="Also --ttft-p99 2s, --tpot-p95 25ms, --e2e-p90 30s: any percentile.",
            ),
            click.option(
                "--router",
                metavar="NAME",
                default="least-outstanding",
                show_default=True,
                help="round-robin, least-outstanding or two-choices; with prefix caches prefix-aware or sticky.",
            ),
        ]
    ):
        command = option(command)
    return command


def prefix_cache_option(command: Callable[..., None]) -> Callable[..., None]:
    """``prefix_cache``: on, off, or None where the user left it to the trace."""
    option = click.option(
        "--prefix-cache",
        type=click.Choice(["on", "off"], case_sensitive=False),
        help="Prompts kept after their request.  [default: on where the trace says what prompts share]",
    )
    return option(command)


def check_lengths(lengths: str | None) -> None:
    """Refuse two ways to state the spread of lengths.

    Raises:
        InputError: ``--lengths`` and ``--range-ratio``.
    """
    if lengths is not None and given("range_ratio"):
        raise InputError("--lengths and --range-ratio: expected one way to state how lengths spread, found both")


def without_closed_loop(command: click.Command) -> None:
    """Hide the options that only the closed-loop benchmark has."""
    for parameter in command.params:
        if parameter.name in CLOSED_LOOP_ONLY and isinstance(parameter, click.Option):
            parameter.hidden = True
