"""``mtpsim simulate``."""

from __future__ import annotations

import click

from simulator.cli.numbers import INT, REAL
from simulator.cli.options import Inputs, pool_options, scenario_options
from simulator.cli.output import check_outputs, emit, exit_if_broken
from simulator.cli.promise_options import PromiseCommand
from simulator.cli.traffic import check_lengths, length_options, prefix_cache_option, without_closed_loop
from simulator.cli.traffic import duration as seconds
from simulator.errors import InputError
from simulator.traffic.promises import Promise


@click.command(cls=PromiseCommand)
@click.option("--rate", metavar="X", type=REAL, help="Requests per second of the whole fleet.")
@click.option("--cv", metavar="X", type=REAL, default=1.0, show_default=True, help="Of gaps: 1 Poisson, above bursty.")
@click.option("--profile", metavar="FILE", help="Rate over time: CSV start_s,requests_per_s, or windows of ServeGen.")
@click.option(
    "--trace",
    metavar="FILE",
    help="CSV or JSONL with arrival_s,input_tokens,output_tokens; or Mooncake, Azure, BurstGPT, sessions.",
)
@click.option("--duration", metavar="T", callback=seconds, help="Such as 10min.  [default: 1h, a profile's day]")
@click.option("--replicas", metavar="N", type=INT, default=1, show_default=True, help="Equal replicas.")
@prefix_cache_option
@click.option("--max-running", metavar="N", type=INT, help="Requests a replica runs.  [default: what fits in memory]")
@click.option("--queue-limit", metavar="N", type=INT, help="Requests that may wait at a replica.  [default: any]")
@pool_options
@length_options
@scenario_options()
@click.option("--cost-basis", metavar="NAME", default="hyperscaler", show_default=True, help="neocloud, rental too.")
@click.option("--seed", metavar="N", type=INT, default=0, show_default=True, help="Arrivals, lengths and drafts.")
@click.option("--requests", metavar="FILE.csv", help="Write one row per request.")
@click.option("--plot", metavar="FILE.png|svg|pdf", help="Draw a picture too.")
@click.option("--format", "form", type=click.Choice(["table", "json", "csv"], case_sensitive=False), default="table")
@click.option("--output", metavar="FILE", help="Write there instead of the terminal.")
def simulate(
    inputs: Inputs,
    rate: float | None,
    cv: float,
    profile: str | None,
    trace: str | None,
    duration: float | None,
    replicas: int,
    max_running: int | None,
    queue_limit: int | None,
    prefill_tp: int | None,
    prefill_replicas: int,
    kv_bandwidth: float,
    lengths: str | None,
    promises: tuple[Promise, ...],
    router: str,
    prefix_cache: str | None,
    cost_basis: str,
    seed: int,
    requests: str | None,
    plot: str | None,
    form: str,
    output: str | None,
) -> None:
    """Simulate open-loop traffic against one replica or a fleet behind a router.

    A constant rate, a rate profile over the day, or a trace. If the queue grows the run is called saturated and has no
    latencies. Exit status: 0 done, 3 a promise is broken, 2 bad input.

    \b
    mtpsim simulate --rate 2 --tp 4 --isl 8192 --ttft-p99 2s --tpot-p95 25ms
    mtpsim simulate --rate 40 --replicas 16 --tp 4 --mtp 3 --isl 8192 --cv 2 --router two-choices
    mtpsim simulate --trace conversation.jsonl --replicas 4 --tp 4 --router prefix-aware --requests requests.csv
    """
    check_outputs(output, plot)
    check_lengths(lengths)
    check_outputs(requests, None, "--requests")
    places = [place for place in (output, plot, requests) if place is not None]
    if len(set(places)) < len(places):
        raise InputError("--output, --plot and --requests: expected different files")
    from simulator import api
    from simulator.cli.kernel_start import start_kernels

    start_kernels()
    result = api.simulate(
        inputs.scenario(),
        rate=rate,
        profile=profile,
        trace=trace,
        cv=cv,
        duration=duration,
        lengths=lengths,
        replicas=replicas,
        router=router,
        prefix_cache=prefix_cache,
        max_running=max_running,
        queue_limit=queue_limit,
        prefill_tp=prefill_tp,
        prefill_replicas=prefill_replicas,
        kv_bandwidth_gb_s=kv_bandwidth,
        promises=promises,
        seed=seed,
        cost_basis=cost_basis,
    )
    if requests is not None:
        from simulator.results.table import rows_to_csv
        from simulator.serving.delivered import request_rows

        emit(rows_to_csv(list(request_rows(result.run))), requests, "--requests")
    if plot is not None:
        from simulator.plots.drawing import draw

        draw(result, plot)
    if form == "table":
        from simulator.cli.text.simulate import simulation_text

        emit(simulation_text(result, piped=output is not None), output)
    else:
        emit(result.to_json() if form == "json" else result.to_csv(), output)
    exit_if_broken(result.kept)


without_closed_loop(simulate)
