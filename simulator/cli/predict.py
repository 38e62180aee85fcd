"""``mtpsim predict``."""

from __future__ import annotations

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
from simulator.traffic.sweeps import Counts, Grid


@click.command()
@scenario_options()
@concurrency_option("4..256")
@sweep_option
@click.option("--queue-over-memory", is_flag=True, help="Let requests queue whose caches do not fit.")
@pool_options
@run_options
@output_options
def predict(
    inputs: Inputs,
    concurrency: Counts | None,
    sweep: Grid | None,
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
    """
    check_outputs(output, plot)
    inputs = inputs.swept(sweep)
    from simulator import api
    from simulator.cli.kernel_start import start_kernels

    start_kernels()

    over_memory = "queue" if queue_over_memory else "leave-out"
    scenarios = [inputs.scenario(sweep.tp[0], k) for k in inputs.mtp] if sweep else inputs.scenarios()
    if not queue_over_memory:
        for tp, counts in clients_of(concurrency, sweep):
            check_each(counts, scenarios if tp is None else [inputs.scenario(tp, k) for k in inputs.mtp])
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
    if plot is not None:
        from simulator.plots.drawing import draw

        draw(table, plot)
    if form == "table":
        from simulator.cli.text.predict import prediction_text

        emit(prediction_text(table, piped=output is not None), output)
    else:
        emit(table.to_json() if form == "json" else table.to_csv(), output)
