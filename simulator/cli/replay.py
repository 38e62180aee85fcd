"""``mtpsim replay``."""

from __future__ import annotations

import click

from simulator.cli.concurrency import counts
from simulator.cli.numbers import INT, REAL
from simulator.cli.options import Inputs, output_options, scenario_options
from simulator.cli.output import check_outputs, emit
from simulator.cli.traffic import duration as seconds
from simulator.traffic.sweeps import Counts

OF_FIXED_LENGTHS = ("isl", "osl", "range_ratio", "requests_per_client", "hit_rate")


@click.command()
@click.argument("sessions", metavar="TRACE...", nargs=-1)
@click.option("--concurrency", metavar="N,..", callback=counts, help="Live session trees.  [default: 1,4,8,16,32]")
@click.option(
    "--prefix-cache",
    type=click.Choice(["on", "off"], case_sensitive=False),
    default="on",
    show_default=True,
    help="Prompts kept after their request.",
)
@click.option("--host-cache-ratio", metavar="R", type=REAL, help="Prompts kept on the hosts, over those on the GPUs.")
@click.option("--host-cache-gb", metavar="GB", type=REAL, help="The same in GB of the replica.")
@click.option("--duration", metavar="T", callback=seconds, help="Requests are sent in, such as 20min.  [default: 1h]")
@click.option("--think-cap", metavar="T", default="10s", callback=seconds, show_default=True, help="No wait is longer.")
@scenario_options()
@click.option("--cost-basis", metavar="NAME", default="hyperscaler", show_default=True, help="neocloud, rental too.")
@click.option("--seed", metavar="N", type=INT, default=0, show_default=True, help="Order, starts and drafts.")
@output_options
def replay(
    inputs: Inputs,
    sessions: tuple[str, ...],
    concurrency: Counts | None,
    prefix_cache: str,
    host_cache_ratio: float | None,
    host_cache_gb: float | None,
    duration: float | None,
    think_cap: float,
    cost_basis: str,
    seed: int,
    form: str,
    output: str | None,
    plot: str | None,
) -> None:
    """Replay recorded sessions of agents against one replica with its prefix cache, one row per concurrency.

    A closed loop over live session trees: each request follows the answers that it waits for. TRACE is a file or folder
    of sessions, as Weka records them or as our own JSONL; without any, forty recorded sessions that ship.

    \b
    mtpsim replay --tp 4 --mtp 3 --acceptance-length 3.39
    mtpsim replay sessions.jsonl --tp 2 --concurrency 4,16,64 --host-cache-ratio 1.5
    mtpsim replay --tp 4 --prefix-cache off --concurrency 8 --plot replay.png
    """
    check_outputs(output, plot)
    from simulator import api
    from simulator.cli.kernel_start import start_kernels

    start_kernels()
    result = api.replay(
        inputs.scenario(),
        list(sessions) or None,
        concurrency=concurrency,
        prefix_cache=prefix_cache.lower(),
        host_cache_ratio=host_cache_ratio,
        host_cache_gb=host_cache_gb,
        duration=duration,
        think_cap=think_cap,
        seed=seed,
        cost_basis=cost_basis,
    )
    if plot is not None:
        from simulator.plots.drawing import draw

        draw(result, plot)
    if form == "table":
        from simulator.cli.text.replay import replay_text

        emit(replay_text(result, piped=output is not None), output)
    else:
        emit(result.to_json() if form == "json" else result.to_csv(), output)


for parameter in replay.params:
    if parameter.name in OF_FIXED_LENGTHS and isinstance(parameter, click.Option):
        parameter.hidden = True
