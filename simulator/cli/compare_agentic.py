"""``mtpsim compare --workload agentic``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import click

from simulator.cli.numbers import REAL
from simulator.cli.options import Inputs, given
from simulator.cli.output import emit
from simulator.cli.traffic import duration as seconds
from simulator.errors import InputError
from simulator.traffic.sweeps import Counts

Command = Callable[..., None]

OF_SESSIONS = ("host_cache_ratio", "duration", "think_cap")
OF_FIXED_LENGTHS = (
    *("isl", "osl", "range_ratio", "requests_per_client"),
    *("sweep", "against", "front_rule", "method", "known", "set_file"),
)
"""Options that recorded sessions leave no room for."""


def agentic_options(command: Command) -> Command:
    """What recorded sessions need: ``workload``, ``sessions``, ``host_cache_ratio``, ``duration``, ``think_cap``."""
    for option in (
        click.option("--think-cap", metavar="T", callback=seconds, help="Agentic: no wait is longer.  [default: 10s]"),
        click.option(
            "--duration", metavar="T", callback=seconds, help="Agentic: requests are sent in.  [default: 20min]"
        ),
        click.option(
            "--host-cache-ratio",
            metavar="R",
            type=REAL,
            help="Agentic: prompts kept on the hosts, over those on the GPUs.  [default: 1.5]",
        ),
        click.option(
            "--workload",
            type=click.Choice(["fixed", "agentic"], case_sensitive=False),
            default="fixed",
            callback=lambda _context, _option, value: value.lower(),
            show_default=True,
            help="Requests of one length, or recorded sessions of agents.",
        ),
        click.argument("sessions", metavar="TRACE...", nargs=-1),
    ):
        command = option(command)
    return command


def no_sessions(sessions: tuple[str, ...]) -> None:
    """Refuse what only recorded sessions have.

    Raises:
        InputError: names it.
    """
    beside = [*given(*OF_SESSIONS), *sessions[:1]]
    if beside:
        raise InputError(f"{beside[0]}: is of recorded sessions; expected --workload agentic beside it")


def compare_sessions(
    inputs: Inputs,
    sessions: tuple[str, ...],
    concurrency: Counts | None,
    at: list[float] | None,
    form: str,
    output: str | None,
    plot: str | None,
    **options: Any,
) -> None:
    """Compare under recorded sessions, and print or draw the answer.

    Raises:
        InputError: bad input, or an option that sessions leave no room for.
    """
    beside = given(*OF_FIXED_LENGTHS)
    if beside:
        raise InputError(f"{', '.join(beside)}: not with --workload agentic, whose requests are those of the sessions")
    inputs = inputs.with_default_depths()
    if not given("tp"):
        inputs = replace(inputs, tp=inputs.tp[:1])
    from simulator import api
    from simulator.cli.kernel_start import start_kernels

    scenario = inputs.scenario()
    start_kernels()
    result = api.compare_agentic(scenario, list(sessions) or None, concurrency=concurrency, at=at or (), **options)
    if plot is not None:
        from simulator.plots.drawing import draw

        draw(result, plot)
    if form == "table":
        from simulator.cli.text.agentic import agentic_text

        emit(agentic_text(result, piped=output is not None), output)
    else:
        emit(result.to_json() if form == "json" else result.to_csv(), output)
