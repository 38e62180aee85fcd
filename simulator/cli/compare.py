"""``mtpsim compare``."""

from __future__ import annotations

from typing import Any

import click

from simulator.cli.compare_agentic import agentic_options, compare_sessions, no_sessions
from simulator.cli.concurrency import clients_of, concurrency_option, fitting
from simulator.cli.known import known_options, no_known
from simulator.cli.options import (
    ACCEPTANCE,
    Inputs,
    floats,
    given,
    output_options,
    run_options,
    scenario_options,
    sweep_option,
)
from simulator.cli.output import check_outputs, emit
from simulator.errors import InputError
from simulator.traffic.sweeps import Counts, Grid

OF_THE_ROWS = (
    *("hardware", "model", "precision", "tp", "ep", "dp", "isl", "osl", "mtp"),
    *ACCEPTANCE.values(),
    *("kv_dtype", "allow_dequant", "requests_per_client", "range_ratio", "recipe", "recipe_set"),
    *("concurrency", "at"),
)
"""Options that published rows answer themselves."""


@click.command()
@agentic_options
@scenario_options(tp="2,4", mtp="3")
@concurrency_option("4..256")
@sweep_option
@click.option("--at", metavar="X,..", callback=floats, help="Interactivities, tok/s/user; default: round ones.")
@click.option(
    "--against",
    metavar="NAME|FILE.csv",
    help="A published frontier, by name or file: sweep what it swept, and print published, predicted and error.",
)
@known_options
@click.option(
    "--front-rule",
    metavar="each|derived",
    help="Each metric splined on its own, or cost and tok/s/MW derived from the splined throughput, as InferenceX "
    "pages do since 12 August 2026.  [default: by the date of the published rows, else each]",
)
@run_options
@output_options
def compare(
    inputs: Inputs,
    concurrency: Counts | None,
    sweep: Grid | None,
    at: list[float] | None,
    against: str | None,
    known: Any,
    workload: str,
    sessions: tuple[str, ...],
    host_cache_ratio: float | None,
    duration: float | None,
    think_cap: float | None,
    form: str,
    output: str | None,
    plot: str | None,
    **options: Any,
) -> None:
    """Compare MTP with Off at matched interactivity, or a published frontier with the prediction.

    MTP and Off are swept over concurrency and TP; of each the upper-left Pareto front of throughput over interactivity
    is splined and read at the same interactivities. Nothing is extrapolated.

    With --workload agentic recorded sessions are replayed (TRACE as of mtpsim replay; without, those that ship), with
    and without drafts, prefix cache and host memory, and matched at P90 interactivity.

    \b
    mtpsim compare --against inferencex-mi355x-fp4-1k1k
    mtpsim compare --at 44,64,84 --sweep 2:4..256 --sweep 4:4,8,16
    mtpsim compare --mtp 1,2,3 --at 60
    mtpsim compare --tp 4 --isl 8192 --mtp 3 --acceptance-length 2.8 --format json
    mtpsim compare --workload agentic --tp 2 --concurrency 4,8,16,32,64
    """
    check_outputs(output, plot)
    if workload == "agentic":
        beside = {"duration": duration, "think_cap": think_cap, "host_cache_ratio": host_cache_ratio}
        stated = {name: value for name, value in beside.items() if value is not None}
        kept = {name: options[name] for name in ("seed", "cost_basis")}
        compare_sessions(inputs, sessions, concurrency, at, form, output, plot, **stated, **kept)
        return
    no_sessions(sessions)
    inputs = inputs.swept(sweep)
    if against is None:
        no_known(known)
    if against is not None:
        _check_alone()
    else:
        inputs = inputs.with_default_depths()
    from simulator import api
    from simulator.cli.kernel_start import start_kernels

    start_kernels()

    result: api.Matched | api.Against | api.Parts
    if against is not None:
        result = api.compare_against(
            against,
            inputs.calibration,
            sweep=sweep or (),
            engine=inputs.engine,
            checkpoint=inputs.checkpoint,
            force=inputs.force,
            known=known,
            **options,
        )
    else:
        swept = {"tp": inputs.tp} if sweep is None else {"sweep": sweep}
        parts = []
        for k in inputs.mtp:
            _check_memory(inputs, k, concurrency, sweep)
            scenario = inputs.scenario(inputs.tp[0], k)
            parts.append(api.compare(scenario, concurrency, at=at or (), **swept, **options))
        names = [{"compared_spec_tokens": k} for k in inputs.mtp]
        result = parts[0] if len(parts) == 1 else api.Parts.of(parts, names)
    if plot is not None:
        from simulator.plots.drawing import draw

        draw(result, plot)
    if form == "table":
        emit(_text(result, piped=output is not None), output)
    else:
        emit(result.to_json() if form == "json" else result.to_csv(), output)


def _text(result: Any, piped: bool) -> str:
    if type(result).__name__ == "Against":
        from simulator.cli.text.against import against_text

        return against_text(result, piped)
    from simulator.cli.text.compare import comparisons_text

    return comparisons_text(getattr(result, "parts", [result]), piped)


def _check_memory(inputs: Inputs, k: int, concurrency: Counts | None, sweep: Grid | None) -> None:
    """Refuse a concurrency that is written out and has no memory on any replica size of a front.

    Raises:
        InputError: with the arithmetic.
    """
    wanted = clients_of(concurrency, sweep)
    for depth in dict.fromkeys((k, 0)):
        for tp, counts in wanted:
            fitting(counts, [inputs.scenario(one, depth) for one in ([tp] if tp else inputs.tp)])


def _check_alone() -> None:
    """Refuse options that the published rows answer.

    Raises:
        InputError: names them.
    """
    beside = given(*OF_THE_ROWS)
    if beside:
        raise InputError(f"--against: the published rows say what runs; expected no {', '.join(beside)} beside it")
