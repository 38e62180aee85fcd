"""``mtpsim predict``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from simulator.cli.concurrency import check_each, clients_of, concurrency_option
from simulator.cli.options import (
    Inputs,
    output_options,
    pool_options,
    run_options,
    scenario_options,
    sweep_option,
)
from simulator.cli.output import check_outputs, emit
from simulator.errors import InputError, brief
from simulator.traffic.sweeps import Counts, Grid


def pair(context: click.Context, option: click.Parameter, value: str | None) -> tuple[str, str] | None:
    """Click callback: the names of two recipes, or their paths.

    Raises:
        InputError: not two, or twice the same.
    """
    if value is None:
        return None
    names = [name.strip() for name in value.split(",")]
    if len(names) != 2 or not all(names) or names[0] == names[1]:
        raise InputError(f"--compare-recipes: expected two different recipes such as A,B, found {brief(value)}")
    return names[0], names[1]


@click.command()
@scenario_options()
@concurrency_option("4..256")
@sweep_option
@click.option(
    "--compare-recipes",
    metavar="A,B",
    callback=pair,
    help="Both recipes instead of one, and what B changes at each concurrency.",
)
@click.option("--queue-over-memory", is_flag=True, help="Let requests queue whose caches do not fit.")
@pool_options
@run_options
@output_options
def predict(
    inputs: Inputs,
    concurrency: Counts | None,
    sweep: Grid | None,
    compare_recipes: tuple[str, str] | None,
    queue_over_memory: bool,
    form: str,
    output: str | None,
    plot: str | None,
    prefill_tp: int | None,
    prefill_replicas: int,
    kv_bandwidth: float,
    **options: Any,
) -> None:
    """Predict throughput, latency, cost and memory of a closed-loop benchmark, one row per concurrency.

    \b
    mtpsim predict
    mtpsim predict --engine atom --tp 4 --isl 8192 --precision fp8 --mtp 0,3
    mtpsim predict --mtp 3 --acceptance-length 2.8 --concurrency 4,16,64 --format json
    mtpsim predict --mtp 0,3 --sweep 2:4..128 --sweep 4:4,8,16
    mtpsim predict --isl 8192 --prefill-tp 2 --prefill-replicas 2 --concurrency 16,64
    mtpsim predict --recipe-set chunk_tokens=8192 --recipe-set kv_dtype=bf16 --concurrency 64
    mtpsim predict --precision fp8 --tp 4 --compare-recipes sglang-default,sglang-mi355x-fp8-2026-06
    """
    check_outputs(output, plot)
    inputs = inputs.swept(sweep)
    if compare_recipes is not None and inputs.recipe is not None:
        raise InputError("--compare-recipes names the recipes: expected no --recipe beside it")
    from simulator import api
    from simulator.cli.kernel_start import start_kernels

    start_kernels()

    over_memory = "queue" if queue_over_memory else "leave-out"
    sides = [inputs] if compare_recipes is None else [replace(inputs, recipe=name) for name in compare_recipes]
    scenarios = []
    for side in sides:
        own = [side.scenario(sweep.tp[0], k) for k in side.mtp] if sweep else side.scenarios()
        if not queue_over_memory:
            for tp, counts in clients_of(concurrency, sweep):
                check_each(counts, own if tp is None else [side.scenario(tp, k) for k in side.mtp])
        scenarios += own
    table = api.predict(
        scenarios,
        concurrency,
        sweep=sweep or (),
        over_memory=over_memory,
        prefill_tp=prefill_tp,
        prefill_replicas=prefill_replicas,
        kv_bandwidth_gb_s=kv_bandwidth,
        **options,
    )
    if compare_recipes is not None:
        table = api.ResultTable({**table.meta, "recipe_changes": api.recipe_changes(table)}, table.rows)
    if plot is not None:
        from simulator.plots.drawing import draw

        draw(table, plot)
    if form == "table":
        from simulator.cli.text.predict import prediction_text

        emit(prediction_text(table, piped=output is not None), output)
    else:
        emit(table.to_json() if form == "json" else table.to_csv(), output)
