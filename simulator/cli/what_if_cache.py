"""``mtpsim what-if cache``."""

from __future__ import annotations

import itertools
from dataclasses import replace

import click

from simulator.cli.concurrency import counts
from simulator.cli.numbers import INT
from simulator.cli.options import Inputs, floats, output_options, scenario_options
from simulator.cli.output import check_outputs
from simulator.cli.replay import OF_FIXED_LENGTHS
from simulator.cli.traffic import duration as seconds
from simulator.cli.what_if_options import emit_study, names_in, progress_bar
from simulator.traffic.sweeps import Counts


@click.command()
@click.argument("sessions", metavar="TRACE...", nargs=-1)
@click.option("--concurrency", metavar="N,..", callback=counts, help="Live session trees.  [default: 16,64]")
@click.option(
    "--pool-scale",
    metavar="R,..",
    default="0.5,1,2",
    callback=floats,
    show_default=True,
    help="As if the GPUs kept so many times what they have room for.",
)
@click.option(
    "--host-cache-ratio",
    metavar="R,..",
    default="0,1.5",
    callback=floats,
    show_default=True,
    help="Prompts kept on the hosts, over those that the GPUs have room for.",
)
@click.option("--across-kv-dtype", metavar="FORMAT,..", help="Formats of the KV cache, instead of --kv-dtype.")
@click.option("--across-state-dtype", metavar="FORMAT,..", help="Formats of recurrent states: bf16, fp32.")
@click.option(
    "--states",
    metavar="WHERE,..",
    help="Where recurrent states are stored: chunk_ends, branches, steps.  [default: the engine's]",
)
@click.option(
    "--duration", metavar="T", default="20min", callback=seconds, show_default=True, help="Requests are sent in."
)
@click.option("--think-cap", metavar="T", default="10s", callback=seconds, show_default=True, help="No wait is longer.")
@scenario_options()
@click.option("--cost-basis", metavar="NAME", default="hyperscaler", show_default=True, help="neocloud, rental too.")
@click.option("--seed", metavar="N", type=INT, default=0, show_default=True, help="Order, starts and drafts.")
@output_options
def cache(
    inputs: Inputs,
    sessions: tuple[str, ...],
    concurrency: Counts | None,
    pool_scale: list[float],
    host_cache_ratio: list[float],
    across_kv_dtype: str | None,
    across_state_dtype: str | None,
    states: str | None,
    duration: float,
    think_cap: float,
    cost_basis: str,
    seed: int,
    form: str,
    output: str | None,
    plot: str | None,
) -> None:
    """Hit rate and throughput of recorded sessions by memory for prompts: what to buy, HBM or host memory.

    TRACE is a file or folder of sessions as of mtpsim replay; without any, those that ship. Every row is a replay of
    the same sessions; only memory changes.

    \b
    mtpsim what-if cache --tp 2,4 --concurrency 16,64
    mtpsim what-if cache --concurrency 32 --across-kv-dtype fp8,bf16 --host-cache-ratio 0,0.5,1.5,3
    mtpsim what-if cache sessions.jsonl --pool-scale 0.25,0.5,1,2,4 --plot cache.png
    """
    check_outputs(output, plot)
    from simulator.cli.kernel_start import start_kernels
    from simulator.what_if import what_if_cache

    start_kernels()
    formats: list[str | None] = [*names_in("--across-kv-dtype", across_kv_dtype)] or [inputs.kv_dtype]
    changes: list[tuple[str, ...]] = [
        (f"state_dtype={one}",) for one in names_in("--across-state-dtype", across_state_dtype)
    ] or [()]
    scenarios = [
        replace(inputs, kv_dtype=one, recipe_set=(*inputs.recipe_set, *change)).scenario(tp=tp)
        for tp, one, change in itertools.product(inputs.tp, formats, changes)
    ]
    with progress_bar("cache") as progress:
        study = what_if_cache(
            scenarios,
            list(sessions) or None,
            concurrency=concurrency,
            pool_scale=pool_scale,
            host_cache_ratio=host_cache_ratio,
            states=names_in("--states", states),
            duration=duration,
            think_cap=think_cap,
            seed=seed,
            cost_basis=cost_basis,
            progress=progress,
        )
    emit_study(study, form, output, plot)


for parameter in cache.params:
    if parameter.name in OF_FIXED_LENGTHS and isinstance(parameter, click.Option):
        parameter.hidden = True
