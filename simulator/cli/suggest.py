"""``mtpsim suggest``."""

from __future__ import annotations

import click

from simulator.cli.options import Inputs, scenario_options
from simulator.cli.output import check_outputs, emit
from simulator.cli.progress import reporting


@click.command()
@scenario_options(mtp="3")
@click.option("--concurrency", metavar="N", type=int, default=64, show_default=True, help="Clients of the target.")
@click.option(
    "--metric",
    type=click.Choice(["total_tok_s_gpu", "mean_tpot_ms", "mean_ttft_ms"]),
    default="total_tok_s_gpu",
    show_default=True,
    help="What should become narrower.",
)
@click.option("--top", metavar="N", type=click.IntRange(1, 100), default=8, show_default=True, help="Rows to show.")
@click.option("--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True)
@click.option("--output", metavar="FILE", help="Write there instead of the terminal.")
def suggest(inputs: Inputs, concurrency: int, metric: str, top: int, form: str, output: str | None) -> None:
    """Say which next measurement would narrow the prediction of one configuration most.

    \b
    mtpsim suggest --calibration fit.yaml --isl 1024 --concurrency 64
    """
    check_outputs(output, None)
    from simulator.cli.text.suggest import suggestion_text
    from simulator.fitting.suggest import suggest as run
    from simulator.results.table import rows_to_csv, to_json
    from simulator.serving.scenario import describe

    target = inputs.scenario()
    with reporting("weighing candidates") as progress:
        now, found = run(target, concurrency, metric=metric, progress=progress)
    meta = describe(target) | {"concurrency": concurrency, "metric": metric, "half_width_now": now}
    rows = [s.as_row() for s in found[:top]]
    if form == "json":
        emit(to_json({"meta": meta, "rows": rows}), output)
    elif form == "csv":
        emit(rows_to_csv(rows), output)
    else:
        emit(suggestion_text(meta, rows, piped=output is not None), output)
