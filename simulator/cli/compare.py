"""``mtpsim compare``."""

from __future__ import annotations

from typing import Any

import click

from simulator.cli.options import Inputs, floats, ints, output_options, run_options, scenario_options
from simulator.cli.output import check_outputs, emit


@click.command()
@scenario_options(tp="2,4", mtp="3")
@click.option(
    "--concurrency",
    metavar="N,..",
    callback=ints,
    help="Clients swept; what does not fit in memory is left out.  [default: 4..256]",
)
@click.option("--at", metavar="X,..", callback=floats, help="Interactivities, tok/s/user; default: round ones.")
@run_options
@output_options
def compare(
    inputs: Inputs,
    concurrency: list[int] | None,
    at: list[float] | None,
    form: str,
    output: str | None,
    plot: str | None,
    **options: Any,
) -> None:
    """Compare MTP with Off at matched interactivity.

    Both are swept over concurrency and TP; of each the upper-left Pareto front of throughput over interactivity is
    splined and read at the same interactivities. Nothing is extrapolated.

    \b
    mtpsim compare --at 44,64,84
    mtpsim compare --tp 4 --isl 8192 --mtp 3 --acceptance-length 2.8 --format json
    """
    check_outputs(output, plot)
    from simulator import api
    from simulator.cli.kernel_start import start_kernels

    start_kernels()

    scenario = inputs.scenario(tp=inputs.tp[0])
    matched = api.compare(scenario, concurrency, tp=inputs.tp, at=at or (), **options)
    if plot is not None:
        from simulator.plots.drawing import draw

        draw(matched, plot)
    if form == "table":
        from simulator.cli.text.compare import comparison_text

        emit(comparison_text(matched, piped=output is not None), output)
    else:
        emit(matched.to_json() if form == "json" else matched.to_csv(), output)
