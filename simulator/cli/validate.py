"""``mtpsim validate``."""

from __future__ import annotations

import sys
from typing import Any

import click

from simulator.cli.known import known_options
from simulator.cli.output import check_outputs, emit

FINDINGS = 3
"""Exit status when something is suspicious or impossible."""
UNCHECKED = 4
"""Exit status when nothing was found, but no profile says what to expect of some rows."""


@click.command()
@click.argument("curves", nargs=-1, required=True, metavar="FILE...")
@click.option("--calibration", metavar="NAME|FILE", help="Default: the shipped one that matches each row, else priors.")
@click.option("--force", is_flag=True, help="Apply a calibration outside what it was fitted to.")
@click.option("--model", metavar="NAME|FILE", help="Profile of the rows' model; default: the one they name.")
@click.option("--allow-dequant", is_flag=True, help="Compute in a wider format if the hardware lacks one.")
@click.option("--allow-unchecked", is_flag=True, help="Exit with 0 though some rows could not be checked.")
@known_options
@click.option("--select", "expression", metavar="EXPR", help='Rows, such as "engine = ATOM and precision = FP8".')
@click.option(
    "--method",
    type=click.Choice(["des", "closed-form"], case_sensitive=False),
    default="des",
    show_default=True,
    help="Discrete events, or a formula.",
)
@click.option("--plot", metavar="FILE.png|svg|pdf", help="Draw a picture too.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json"], case_sensitive=False),
    default="table",
    show_default=True,
)
@click.option("--output", metavar="FILE", help="Write there instead of the terminal.")
def validate(
    curves: tuple[str, ...],
    calibration: str | None,
    force: bool,
    model: str | None,
    allow_dequant: bool,
    allow_unchecked: bool,
    expression: str | None,
    known: Any,
    method: str,
    plot: str | None,
    form: str,
    output: str | None,
) -> None:
    """Check whether measured curves are possible and plausible, row by row.

    Identities and labels first, then physical roofs at any acceptance, what the model expects, what else the figures
    fit, and the acceptance length that MTP/Off pairs imply. Exit status: 0 all checked and clean, 2 bad input, 3
    something suspicious or impossible, 4 nothing found but some rows unchecked: no profile knows their model or
    hardware (0 with --allow-unchecked).

    \b
    mtpsim validate curve.csv
    mtpsim validate off.csv mtp.csv --select "concurrency <= 64" --plot curve.png
    mtpsim validate curve.csv --calibration fit.yaml --format json
    mtpsim validate curve.csv --model mine.yaml
    """
    check_outputs(output, plot)
    from simulator import api
    from simulator.cli.kernel_start import start_kernels

    rows = api.read_measurements(curves, select=expression, known=known)
    start_kernels()
    report = api.validate(rows, calibration, force=force, method=method, model=model, allow_dequant=allow_dequant)
    if plot is not None:
        from simulator.plots.drawing import draw

        draw(report, plot)
    if form == "table":
        from simulator.cli.text.validate import validation_text

        emit(validation_text(report, piped=output is not None), output)
    else:
        emit(report.to_json(), output)
    sys.stdout.flush()
    if report.suspect:
        raise click.exceptions.Exit(FINDINGS)
    if report.unchecked and not allow_unchecked:
        raise click.exceptions.Exit(UNCHECKED)
