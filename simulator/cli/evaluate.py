"""``mtpsim evaluate``."""

from __future__ import annotations

import click

from simulator.cli.output import check_outputs, emit
from simulator.cli.progress import reporting


@click.command()
@click.argument("files", metavar="DATA.csv...", nargs=-1, required=True)
@click.option("--calibration", metavar="NAME|FILE", help="Default: none; profiles and kernel priors alone.")
@click.option("--force", is_flag=True, help="Apply a calibration of another engine, precision or hardware.")
@click.option("--select", "expression", metavar="EXPR", help='Rows to use, such as "engine=ATOM and precision=FP8".')
@click.option("--engine", default="sglang", show_default=True, help="Engine behind frontier rows that name none.")
@click.option("--method", type=click.Choice(["des", "closed-form"]), default="des", show_default=True)
@click.option("--plot", metavar="FILE.png|svg", help="Predicted against measured.")
@click.option("--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True)
@click.option("--output", metavar="FILE", help="Write there instead of the terminal.")
def evaluate(
    files: tuple[str, ...],
    calibration: str | None,
    force: bool,
    expression: str | None,
    engine: str,
    method: str,
    plot: str | None,
    form: str,
    output: str | None,
) -> None:
    """Predict every row of measured files and report the errors.

    \b
    mtpsim evaluate curve.csv                                 profiles and priors alone
    mtpsim evaluate curve.csv --calibration atom-mi355x
    """
    check_outputs(output, plot)
    from simulator.errors import InputError
    from simulator.fitting.evaluate import evaluate as run
    from simulator.fitting.evaluate import evaluate_frontier, read_measured
    from simulator.results.table import rows_to_csv

    points, frontier = read_measured(files, expression)
    if points and frontier:
        raise InputError("points and frontier files together: expected one kind; evaluate them one by one")
    with reporting("evaluating") as progress:
        if frontier:
            result = evaluate_frontier(frontier, calibration, engine=engine, force=force)
        else:
            result = run(points, calibration, force=force, method=method, progress=progress)
    if plot is not None:
        from simulator.cli.pictures import draw_evaluation

        draw_evaluation(result, plot)
    if form == "json":
        emit(result.to_json(), output)
    elif form == "csv":
        emit(rows_to_csv(result.points), output)
    else:
        from simulator.cli.text.evaluate import evaluation_text

        emit(evaluation_text(result, piped=output is not None), output)
