"""``mtpsim suggest``."""

from __future__ import annotations

import click

from simulator.cli.numbers import INT
from simulator.cli.options import Inputs, scenario_options
from simulator.cli.output import check_outputs, emit
from simulator.cli.progress import reporting


@click.command()
@scenario_options(mtp="3")
@click.option("--concurrency", metavar="N", type=INT, default=64, show_default=True, help="Clients of the target.")
@click.option(
    "--metric",
    type=click.Choice(["total_tok_s_gpu", "mean_tpot_ms", "mean_ttft_ms"]),
    default="total_tok_s_gpu",
    show_default=True,
    help="What should become narrower.",
)
@click.option("--top", metavar="N", type=INT, default=8, show_default=True, help="Rows to show.")
@click.option("--tool", metavar="NAME", help="Of the command: vllm, sglang, aiperf, guidellm; default: the engine's.")
@click.option("--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True)
@click.option("--output", metavar="FILE", help="Write there instead of the terminal.")
def suggest(
    inputs: Inputs, concurrency: int, metric: str, top: int, tool: str | None, form: str, output: str | None
) -> None:
    """Say which next measurement would narrow the prediction of one configuration most.

    It ends with the command of a benchmark tool that measures it.

    \b
    mtpsim suggest --calibration fit.yaml --isl 1024 --concurrency 64
    mtpsim suggest --isl 8192 --tool guidellm
    """
    check_outputs(output, None)
    from simulator import api
    from simulator.cli.text.suggest import suggestion_text

    with reporting("weighing candidates") as progress:
        scenario = inputs.with_default_depths().scenario()
        found = api.suggest(scenario, concurrency, metric=metric, top=top, tool=tool, progress=progress)
    if form == "json":
        emit(found.to_json(), output)
    elif form == "csv":
        emit(found.to_csv(), output)
    else:
        emit(suggestion_text(found.meta, found.records(), piped=output is not None), output)
