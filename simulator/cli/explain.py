"""``mtpsim explain``."""

from __future__ import annotations

import click

from simulator.cli.options import Inputs, output_options, scenario_options, sweep_option
from simulator.cli.output import check_outputs, emit
from simulator.errors import InputError
from simulator.traffic.sweeps import Grid


@click.command()
@scenario_options()
@click.option("--concurrency", metavar="N", type=int, default=32, show_default=True, help="Clients.")
@sweep_option
@click.option("--phase", metavar="decode|prefill|both", default="decode", show_default=True, help="What to explain.")
@click.option("--batch", metavar="N", type=float, help="Running requests; default: their mean at this concurrency.")
@click.option("--prompts", metavar="N", type=float, help="Prompts in the prefill pass; default: 1.")
@click.option("--queue-over-memory", is_flag=True, help="Let requests queue whose caches do not fit.")
@output_options
def explain(
    inputs: Inputs,
    concurrency: int,
    sweep: Grid | None,
    phase: str,
    batch: float | None,
    prompts: float | None,
    queue_over_memory: bool,
    form: str,
    output: str | None,
    plot: str | None,
) -> None:
    """Show where the time of a decode round or a prefill pass goes: FLOPs, bytes, messages, time and bound.

    \b
    mtpsim explain --concurrency 64
    mtpsim explain --mtp 3 --concurrency 4 --phase both --plot roofline.svg
    """
    check_outputs(output, plot)
    inputs = inputs.swept(sweep)
    if sweep is not None:
        if len(sweep.runs) != 1:
            raise InputError(
                f"--sweep: explain takes exactly one configuration, such as 4:16; found {len(sweep.runs)} in {sweep}"
            )
        ((_, concurrency),) = sweep.runs
    from simulator import api
    from simulator.cli.kernel_start import start_kernels

    start_kernels()

    over_memory = "queue" if queue_over_memory else "refuse"
    explanation = api.explain(
        inputs.scenario(), concurrency, phase=phase.lower(), batch=batch, prompts=prompts, over_memory=over_memory
    )
    if plot is not None:
        from simulator.plots.drawing import draw

        draw(explanation, plot)
    if form == "table":
        from simulator.cli.text.explain import account_text

        emit(account_text(explanation, piped=output is not None), output)
    else:
        emit(explanation.to_json() if form == "json" else explanation.to_csv(), output)
