"""Options and progress of the what-if studies."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from simulator.bounds import MOST_WHOLE, parse_whole
from simulator.cli.lists import parse_floats
from simulator.cli.numbers import INT
from simulator.cli.output import emit
from simulator.errors import InputError, brief
from simulator.files.limits import within

if TYPE_CHECKING:
    from simulator.serving.scenario import Scenario
    from simulator.what_if.backends import Backend
    from simulator.what_if.study import Study

Command = Callable[..., None]


def backend_options(command: Command) -> Command:
    """Where discrete events run: ``backend``, ``scheduler``, ``jobs`` and ``results``."""
    options = [
        click.option(
            "--backend",
            metavar="joblib|dask|serial",
            default="joblib",
            show_default=True,
            help="Of discrete events: local processes, a Dask cluster, or this process.",
        ),
        click.option("--scheduler", metavar="ADDRESS", help="Of the Dask cluster, such as tcp://127.0.0.1:8786."),
        click.option("--jobs", metavar="N", type=INT, default=-1, show_default=True, help="Processes; -1: all cores."),
        click.option(
            "--results", metavar="FILE", help="Keep finished runs here; an interrupted sweep resumes from it."
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def backend_of(options: dict[str, Any]) -> Backend:
    """Take the backend's options out of ``options``.

    Raises:
        InputError: options that do not go together.
    """
    from simulator.what_if.backends import Backend

    named = {name: options.pop(name) for name in ("scheduler", "jobs", "results")}
    return Backend(name=str(options.pop("backend")).lower(), **named)


def values_or_range(option: str, text: str | None) -> list[float] | None:
    """``0.1,0.5``, or ``LOW..HIGH`` (21 values), or ``LOW..HIGH:N`` (N values).

    Raises:
        InputError: not numbers, or a range that is reversed or empty.
    """
    if text is None:
        return None
    low, dots, rest = text.partition("..")
    if not dots:
        return parse_floats(option, text)
    from simulator.what_if.ranges import STEPS, span

    high, colon, count = rest.partition(":")
    ends = [*parse_floats(option, low), *parse_floats(option, high)]
    try:
        steps = parse_whole(count) if colon else STEPS
    except ValueError:
        steps = 0
    if len(ends) != 2 or not 0 < steps <= MOST_WHOLE:
        raise InputError(f"{option}: expected a range such as 0..1 or 0..1:11, found {brief(text)}")
    within("points", steps, f"{option} {text}")
    return span(option, ends[0], ends[1], steps)


def refuse_lengths(context: click.Context, option: click.Parameter, value: str | None) -> None:
    """Click callback of ``--lengths``, which are tokens in every command.

    Raises:
        InputError: it was given.
    """
    if value is not None:
        raise InputError("--lengths: are tokens of requests; expected --acceptance-lengths for tokens per round")


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """A function to tell what is done and what there is to do; it draws on standard error, and only on a terminal."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def names_in(option: str, text: str | None) -> list[str]:
    """Names separated by commas; none of None.

    Raises:
        InputError: an empty one.
    """
    if text is None:
        return []
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise InputError(f"{option}: expected names separated by commas, found {text!r}")
    return names


def emit_study(
    study: Study,
    form: str,
    output: str | None,
    plot: str | None,
    scenario: Scenario | None = None,
    measured: str | None = None,
) -> None:
    """Draw and print a study; ``measured`` is a file of points to mark, of the ``scenario``."""
    if plot is not None:
        from simulator.plots.drawing import draw
        from simulator.what_if.measured import measured_points

        draw(study, plot, measured=measured_points(measured, scenario) if measured and scenario else ())
    if form == "table":
        from simulator.cli.text.what_if import study_text

        emit(study_text(study, piped=output is not None), output)
    else:
        emit(study.to_json() if form == "json" else study.to_csv(), output)
