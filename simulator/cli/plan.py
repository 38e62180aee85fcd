"""``mtpsim plan``."""

from __future__ import annotations

from dataclasses import replace

import click

from simulator.cli.lists import parse_ints
from simulator.cli.numbers import INT, REAL
from simulator.cli.options import Inputs, given, kv_bandwidth_option, scenario_options
from simulator.cli.output import check_outputs, emit, exit_if_broken
from simulator.cli.progress import reporting
from simulator.cli.promise_options import PromiseCommand
from simulator.cli.traffic import check_lengths, length_options, prefix_cache_option, without_closed_loop
from simulator.errors import InputError
from simulator.traffic.promises import Promise


@click.command(cls=PromiseCommand)
@click.option("--rate", metavar="X", type=REAL, help="Requests per second: find the least GPUs.")
@click.option("--gpus", metavar="N", type=INT, help="GPUs: find the highest rate.")
@click.option("--trace", metavar="FILE", help="Instead of --rate: the busiest ten minutes of a trace, or of rates.")
@click.option("--cv", metavar="X", type=REAL, default=1.0, show_default=True, help="Of gaps: 1 Poisson, above bursty.")
@length_options
@prefix_cache_option
@scenario_options(tp="1,2,4,8", mtp="0,1,2,3")
@click.option("--ep-choices", metavar="N,..", default="1", show_default=True, help="Expert-parallel ranks to try.")
@click.option("--max-running", metavar="N", type=INT, help="Greatest concurrency limit.  [default: what fits]")
@click.option("--spare", metavar="N", type=INT, default=0, show_default=True, help="Replicas that stand by; 1 is N+1.")
@click.option("--pools", is_flag=True, help="Let disaggregated prefill and decode pools compete.")
@kv_bandwidth_option
@click.option("--cost-basis", metavar="NAME", default="hyperscaler", show_default=True, help="neocloud, rental too.")
@click.option("--seed", metavar="N", type=INT, default=0, show_default=True, help="Of everything drawn.")
@click.option(
    "--confidence",
    metavar="PERCENT",
    type=REAL,
    default=95.0,
    show_default=True,
    help="With which all promises shall hold in spite of what the calibration leaves uncertain.",
)
@click.option("--resume", metavar="FILE", help="Keep what was simulated there and go on from it.")
@click.option("--plot", metavar="FILE.png|svg|pdf", help="Draw a picture too.")
@click.option("--format", "form", type=click.Choice(["table", "json"], case_sensitive=False), default="table")
@click.option("--output", metavar="FILE", help="Write there instead of the terminal.")
def plan(
    inputs: Inputs,
    rate: float | None,
    gpus: int | None,
    trace: str | None,
    cv: float,
    lengths: str | None,
    promises: tuple[Promise, ...],
    router: str,
    prefix_cache: str | None,
    ep_choices: str,
    max_running: int | None,
    spare: int,
    pools: bool,
    kv_bandwidth: float,
    cost_basis: str,
    seed: int,
    confidence: float,
    resume: str | None,
    plot: str | None,
    form: str,
    output: str | None,
) -> None:
    """Find the cheapest deployment that keeps latency promises, or the highest rate of so many GPUs.

    Every TP, EP and draft depth is sized by a closed form; those near the best are settled by discrete events and the
    winner is confirmed with ten more seeds. It holds its promises with --confidence, given the calibration's covariance
    and noise; what is cheaper but less sure is named below it. Exit status: 0 found, 3 nothing holds, 2 bad input.

    \b
    mtpsim plan --rate 40 --isl 8192 --osl 1024 --ttft-p99 2s --tpot-p95 25ms --hardware mi355x
    mtpsim plan --gpus 64 --isl 8192 --ttft-p99 2s --tpot-p95 25ms --mtp 0
    mtpsim plan --trace conversation.jsonl --ttft-p99 10s --mtp 0
    """
    check_outputs(output, plot)
    check_lengths(lengths)
    for option in given("ep", "dp"):
        raise InputError(f"{option}: a plan tries several; expected --ep-choices, and no data parallelism of attention")
    from simulator import api
    from simulator.cli.kernel_start import start_kernels
    from simulator.cli.text.plan import plan_text

    start_kernels()
    unstated = replace(inputs.unstated(), ep=1, dp=1)
    with reporting("planning") as progress:
        answer = api.plan(
            unstated.scenario(tp=_base_tp(inputs.tp), k=0),
            rate=rate,
            gpus=gpus,
            trace=trace,
            promises=promises,
            cv=cv,
            lengths=lengths,
            tp=inputs.tp,
            ep=parse_ints("--ep-choices", ep_choices),
            mtp=inputs.mtp,
            acceptance=inputs.stated,
            max_running=max_running,
            spare=spare,
            pools=pools,
            kv_bandwidth_gb_s=kv_bandwidth,
            router=router,
            prefix_cache=prefix_cache,
            seed=seed,
            confidence=confidence,
            cost_basis=cost_basis,
            resume=resume,
            progress=progress,
        )
    if plot is not None:
        from simulator.plots.drawing import draw

        draw(answer, plot)
    emit(answer.to_json() if form == "json" else plan_text(answer, piped=output is not None), output)
    exit_if_broken(answer.kept)


def _base_tp(choices: list[int]) -> int:
    """A TP that the checks of the base scenario accept; each choice is checked on its own later."""
    return 2 if 2 in choices else choices[0]


without_closed_loop(plan)
