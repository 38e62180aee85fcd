"""Which stated concurrencies run: of a range those that fit in memory, and one that is written out must fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from simulator.traffic.sweeps import Counts, Grid, parse_counts

if TYPE_CHECKING:
    from simulator.serving.scenario import Scenario

FITTING = "Clients; 4..256 means the powers of two, of which those run that fit in memory."


def concurrency_option(default: str, *, stated: bool = False) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """``concurrency``, :class:`~simulator.traffic.sweeps.Counts`: the default if it is ``stated``, else None for it."""
    if stated:
        return click.option(
            "--concurrency", metavar="N,..", callback=counts, default=default, show_default=True, help=FITTING
        )
    text = f"{FITTING}  [default: {default}]"
    return click.option("--concurrency", metavar="N,..", callback=counts, help=text)


def counts(context: click.Context, option: click.Parameter, value: str | None) -> Counts | None:
    """Click callback: a list of clients."""
    return None if value is None else parse_counts(option.opts[0], value)


def check_each(asked: Counts, scenarios: Sequence[Scenario]) -> None:
    """Refuse a concurrency that is written out and does not fit one of the scenarios.

    Raises:
        InputError: with the arithmetic, or a number that is no concurrency.
    """
    from simulator.prediction.predict import check_concurrencies

    check_concurrencies(asked)
    for scenario in scenarios:
        for count in asked:
            if count in asked.stated:
                scenario.check_memory(count)


def fitting(asked: Counts, scenarios: Sequence[Scenario]) -> tuple[list[int], list[str]]:
    """The concurrencies that fit at least one of the scenarios, and a note on the others.

    Raises:
        InputError: one that is written out fits none of them, or nothing fits.
    """
    from simulator.prediction.predict import check_concurrencies

    check_concurrencies(asked)
    roomy = max(scenarios, key=lambda s: s.max_concurrency)
    fits = [count for count in asked if any(s.memory.fits(count) for s in scenarios)]
    for count in asked:
        if count not in fits and (count in asked.stated or not fits):
            roomy.check_memory(count)
    left = [str(count) for count in asked if count not in fits]
    if not left:
        return fits, []
    most = roomy.max_concurrency
    return fits, [f"concurrency {', '.join(left)} left out, since at most {most} requests fit in memory"]


def clients_of(asked: Counts | None, sweep: Grid | None) -> list[tuple[int | None, Counts]]:
    """What is to run at each replica size of a sweep; without one, at any (None)."""
    if sweep is not None:
        return [(tp, Counts(clients, (c for of, c in sweep.stated if of == tp))) for tp, clients in sweep.sizes]
    return [] if asked is None else [(None, asked)]
