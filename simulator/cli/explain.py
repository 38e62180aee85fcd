"""``mtpsim explain``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from simulator.cli.concurrency import check_each, clients_of, concurrency_option
from simulator.cli.numbers import REAL
from simulator.cli.options import Inputs, output_options, scenario_options, sweep_option
from simulator.cli.output import check_outputs, emit
from simulator.errors import InputError
from simulator.traffic.sweeps import Counts, Grid

if TYPE_CHECKING:
    from simulator.serving.scenario import Scenario


@click.command()
@scenario_options()
@concurrency_option("32", stated=True)
@sweep_option
@click.option("--phase", metavar="decode|prefill|both", default="decode", show_default=True, help="What to explain.")
@click.option("--batch", metavar="N", type=REAL, help="Running requests; default: their mean at this concurrency.")
@click.option("--prompts", metavar="N", type=REAL, help="Prompts in the prefill pass; default: 1.")
@click.option("--queue-over-memory", is_flag=True, help="Let requests queue whose caches do not fit.")
@output_options
def explain(
    inputs: Inputs,
    concurrency: Counts,
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

    Several TPs, depths or concurrencies are explained one after the other.

    \b
    mtpsim explain --concurrency 64
    mtpsim explain --tp 2,4 --mtp 0,3 --concurrency 16
    mtpsim explain --mtp 3 --concurrency 4 --phase both --plot roofline.svg
    """
    check_outputs(output, plot)
    inputs = inputs.swept(sweep)
    from simulator import api
    from simulator.cli.kernel_start import start_kernels

    start_kernels()

    runs, left_out = _runs(inputs, clients_of(concurrency, sweep), queue_over_memory)
    if plot is not None and len(runs) > 1:
        raise InputError(f"--plot: a picture explains one configuration, found {len(runs)}")
    over_memory = "queue" if queue_over_memory else "refuse"
    parts = [
        api.explain(scenario, count, phase=phase.lower(), batch=batch, prompts=prompts, over_memory=over_memory)
        for scenario, count in runs
    ]
    if left_out:
        parts = [replace(part, meta={**part.meta, "left_out": left_out}) for part in parts]
    names = [{"tp": s.deployment.tp, "spec_tokens": s.speculation.tokens, "concurrency": c} for s, c in runs]
    result = parts[0] if len(parts) == 1 else api.Parts.of(parts, names)
    if plot is not None:
        from simulator.plots.drawing import draw

        draw(result, plot)
    if form == "table":
        from simulator.cli.text.explain import accounts_text

        emit(accounts_text(parts, piped=output is not None), output)
    else:
        emit(result.to_json() if form == "json" else result.to_csv(), output)


def _runs(
    inputs: Inputs, wanted: list[tuple[int | None, Counts]], queue: bool
) -> tuple[list[tuple[Scenario, int]], list[str]]:
    """Every scenario with every concurrency that it has memory for, and notes on the others."""
    from simulator.prediction.several import left_out_note

    asked = [
        (inputs.scenario(tp, k), counts)
        for only, counts in wanted
        for tp in ([only] if only else inputs.tp)
        for k in inputs.mtp
    ]
    if queue:
        return [(scenario, count) for scenario, counts in asked for count in counts], []
    runs: list[tuple[Scenario, int]] = []
    notes: list[str] = []
    for scenario, counts in asked:
        check_each(counts, [scenario])
        fits = [count for count in counts if scenario.memory.fits(count)]
        runs += [(scenario, count) for count in fits]
        notes.append(left_out_note(scenario, counts, fits))
    if not runs:
        scenario, counts = asked[0]
        scenario.check_memory(min(counts))
    return runs, [note for note in notes if note]
