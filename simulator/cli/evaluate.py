"""``mtpsim evaluate``."""

from __future__ import annotations

from typing import Any

import click

from simulator.cli.known import known_options
from simulator.cli.output import check_outputs, emit
from simulator.cli.progress import reporting


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--calibration", metavar="NAME|FILE", help="Default: none; profiles and kernel priors alone.")
@click.option("--force", is_flag=True, help="Apply a calibration of another engine, precision or hardware.")
@click.option("--model", metavar="NAME|FILE", help="Profile of the rows' model; default: the one they name.")
@click.option("--allow-dequant", is_flag=True, help="Compute in a wider format if the hardware lacks one.")
@known_options
@click.option("--select", "expression", metavar="EXPR", help='Rows to use, such as "engine=ATOM and precision=FP8".')
@click.option(
    "--engine", metavar="NAME|FILE", default="sglang", show_default=True, help="Behind frontier rows that name none."
)
@click.option("--method", type=click.Choice(["des", "closed-form"]), default="des", show_default=True)
@click.option("--plot", metavar="FILE.png|svg|pdf", help="Predicted against measured.")
@click.option("--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True)
@click.option("--output", metavar="FILE", help="Write there instead of the terminal.")
def evaluate(
    files: tuple[str, ...],
    calibration: str | None,
    force: bool,
    model: str | None,
    allow_dequant: bool,
    expression: str | None,
    known: Any,
    engine: str,
    method: str,
    plot: str | None,
    form: str,
    output: str | None,
) -> None:
    """Predict every row of measured files and report the errors.

    \b
    mtpsim evaluate curve.csv                                 profiles and priors alone
    mtpsim evaluate atom.csv --calibration atom-mi355x
    """
    check_outputs(output, plot)
    from simulator import api

    with reporting("evaluating") as progress:
        result = api.evaluate(
            files,
            calibration,
            select=expression,
            engine=engine,
            force=force,
            method=method,
            model=model,
            allow_dequant=allow_dequant,
            known=known,
            progress=progress,
        )
    if plot is not None:
        from simulator.plots.drawing import draw

        draw(result, plot)
    if form == "json":
        emit(result.to_json(), output)
    elif form == "csv":
        emit(result.to_csv(), output)
    else:
        from simulator.cli.text.evaluate import evaluation_text

        emit(evaluation_text(result, piped=output is not None), output)
