"""``mtpsim describe-trace``."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import click

from simulator.cli.output import check_outputs, emit
from simulator.cli.traffic import duration as seconds
from simulator.errors import InputError
from simulator.files.kinds import SESSIONS
from simulator.files.writing import check_place

if TYPE_CHECKING:
    from simulator.traffic.describe import TraceSummary
    from simulator.traffic.describe_sessions import SessionsSummary
    from simulator.traffic.sessions import Sessions


@click.command("describe-trace")
@click.argument("path", metavar="FILE")
@click.option("--window", metavar="T", callback=seconds, help="Requests are counted in, such as 1min.")
@click.option("--sessions", metavar="FILE.jsonl", help="Write sessions there, in our own form, which replay reads.")
@click.option("--plot", metavar="FILE.png|svg|pdf", help="Draw a picture too.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "csv"], case_sensitive=False),
    default="table",
    show_default=True,
)
@click.option("--output", metavar="FILE", help="Write there instead of the terminal.")
def describe_trace(
    path: str, window: float | None, sessions: str | None, plot: str | None, form: str, output: str | None
) -> None:
    """Requests, rate over time, lengths, burstiness and shared prefixes of a traffic file.

    A trace of Mooncake, Azure or BurstGPT, windows of ServeGen, sessions of coding agents (Weka; a folder too), or our
    own CSV and JSONL: seen by the content of the file, not by its name.

    \b
    mtpsim describe-trace conversation.jsonl
    mtpsim describe-trace azure.csv --window 1min --plot traffic.png
    mtpsim describe-trace sessions.jsonl --plot cache.png
    mtpsim describe-trace recorded/ --sessions ours.jsonl
    """
    check_outputs(output, plot)
    if sessions is not None:
        check_place("--sessions", sessions, SESSIONS)
    from simulator import api

    found = api.describe_trace(path, window=window)
    if sessions is not None:
        api.write_sessions(_sessions_of(found), sessions)
    if plot is not None:
        from simulator.plots.drawing import draw

        draw(found, plot)
    if form == "table":
        emit(_text(found, output is not None), output)
    else:
        emit(found.to_json() if form == "json" else found.to_csv(), output)


def _sessions_of(found: TraceSummary | SessionsSummary) -> Sessions:
    if type(found).__name__ != "SessionsSummary":
        raise InputError(f"--sessions: {found.meta['file']} holds no sessions; expected a file or folder of sessions")
    return cast("SessionsSummary", found).sessions


def _text(found: TraceSummary | SessionsSummary, piped: bool) -> str:
    if type(found).__name__ == "SessionsSummary":
        from simulator.cli.text.describe_sessions import sessions_text

        return sessions_text(cast("SessionsSummary", found), piped)
    from simulator.cli.text.describe_trace import trace_text

    return trace_text(cast("TraceSummary", found), piped)
