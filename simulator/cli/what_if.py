"""``mtpsim what-if acceptance | depth | workload | sensitivity | sweep | cache``."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from simulator.cli.concurrency import concurrency_option, fitting
from simulator.cli.numbers import INT
from simulator.cli.options import Inputs, ints, output_options, run_options, scenario_options
from simulator.cli.output import check_outputs, emit
from simulator.cli.what_if_cache import cache
from simulator.cli.what_if_options import (
    backend_of,
    backend_options,
    emit_study,
    names_in,
    progress_bar,
    refuse_lengths,
    values_or_range,
)
from simulator.errors import InputError
from simulator.traffic.sweeps import Counts, parse_counts

if TYPE_CHECKING:
    from simulator.serving.scenario import Scenario
    from simulator.what_if.study import Study


@click.group("what-if")
def what_if() -> None:
    """Where MTP helps, where it hurts, how deep it should draft, and what moves the answer.

    \b
    mtpsim what-if acceptance --isl 8192
    mtpsim what-if depth --isl 8192 --mtp 8
    mtpsim what-if workload --across-isl 1024,8192 --across-osl 128,1024 --tp 2,4
    mtpsim what-if sensitivity --isl 8192 --concurrency 32
    mtpsim what-if cache --tp 2 --concurrency 16,64
    """


what_if.add_command(cache)


@what_if.command()
@scenario_options(mtp="3")
@concurrency_option("4..256")
@click.option("--rates", metavar="A,..|LOW..HIGH[:N]", help="Acceptance rates.  [default: 0..1:21]")
@click.option(
    "--acceptance-lengths",
    "lengths",
    metavar="X,..|LOW..HIGH[:N]",
    help="Acceptance lengths, 1 to K+1, instead of rates.",
)
@click.option("--lengths", "token_lengths", hidden=True, expose_value=False, callback=refuse_lengths)
@click.option("--measured", metavar="FILE.csv", help="Mark the acceptance that measured pairs imply in the picture.")
@run_options
@backend_options
@output_options
def acceptance(
    inputs: Inputs,
    concurrency: Counts | None,
    rates: str | None,
    lengths: str | None,
    measured: str | None,
    form: str,
    output: str | None,
    plot: str | None,
    method: str,
    **options: Any,
) -> None:
    """Throughput, TPOT, cost and gain over Off by acceptance, and the break-even acceptance per concurrency.

    A stated acceptance is looked at beside the range, and what it gains is said.

    \b
    mtpsim what-if acceptance --isl 8192 --plot acceptance.png
    mtpsim what-if acceptance --acceptance-length 2.6 --concurrency 4,32
    mtpsim what-if acceptance --tp 4 --rates 0..1:11 --concurrency 4..256 --format json
    """
    if measured is not None and plot is None:
        raise InputError("--measured: marks points in a picture, so --plot is needed too")
    check_outputs(output, plot)
    from simulator.what_if import what_if_acceptance

    backend = backend_of(options)
    at, long = values_or_range("--rates", rates), values_or_range("--acceptance-lengths", lengths)
    scenario = inputs.scenario()
    clients, left_out = _clients(concurrency, [scenario])
    with progress_bar("acceptance") as progress:
        study = what_if_acceptance(
            scenario, clients, rates=at, lengths=long, method=method, backend=backend, progress=progress, **options
        )
    emit_study(_noted(study, left_out), form, output, plot, scenario, measured)


@what_if.command()
@scenario_options(mtp="8")
@concurrency_option("4..256")
@run_options
@backend_options
@output_options
def depth(
    inputs: Inputs,
    concurrency: Counts | None,
    form: str,
    output: str | None,
    plot: str | None,
    method: str,
    **options: Any,
) -> None:
    """The best draft depth, 0 to K, per concurrency, and what picking it per batch would add.

    Without an acceptance, that of predict: fitted by the calibration, at the same rate at every position, else the
    published profile of the model.

    \b
    mtpsim what-if depth --isl 8192
    mtpsim what-if depth --acceptance 0.9,0.8,0.6,0.4 --concurrency 4..256
    mtpsim what-if depth --acceptance-profile qwen3.5-397b-a17b-thinking --isl 8192
    """
    check_outputs(output, plot)
    from simulator.what_if import what_if_depth

    backend = backend_of(options)
    scenario = inputs.as_deep_as_stated().scenario()
    clients, left_out = _clients(concurrency, [scenario])
    with progress_bar("depth") as progress:
        study = what_if_depth(scenario, clients, method=method, backend=backend, progress=progress, **options)
    emit_study(_noted(study, left_out), form, output, plot)


@what_if.command()
@scenario_options(tp="2,4", mtp="3")
@click.option("--across-isl", metavar="N,..", callback=ints, help="Input lengths.  [default: 1024,8192]")
@click.option("--across-osl", metavar="N,..", callback=ints, help="Output lengths.  [default: 128,1024]")
@click.option("--across-hardware", metavar="NAME,..", help="Accelerators, instead of --hardware.")
@click.option("--across-precision", metavar="P,..", help="Precisions, instead of --precision.")
@concurrency_option("4,32,128")
@run_options
@backend_options
@output_options
def workload(
    inputs: Inputs,
    concurrency: Counts | None,
    across_isl: list[int] | None,
    across_osl: list[int] | None,
    across_hardware: str | None,
    across_precision: str | None,
    form: str,
    output: str | None,
    plot: str | None,
    method: str,
    **options: Any,
) -> None:
    """Gain over Off and break-even acceptance across lengths, TP, precision and hardware.

    \b
    mtpsim what-if workload --tp 2,4
    mtpsim what-if workload --tp 4 --across-hardware mi355x,mi300x --precision fp8 --across-isl 8192
    """
    check_outputs(output, plot)
    from simulator.what_if import what_if_workload

    backend = backend_of(options)
    isls = across_isl or ([inputs.isl] if _given("isl") else [1024, 8192])
    osls = across_osl or ([inputs.osl] if _given("osl") else [128, 1024])
    hardware = names_in("--across-hardware", across_hardware) or [inputs.hardware]
    precisions: list[str | None] = [*names_in("--across-precision", across_precision)] or [inputs.precision]
    scenarios = [
        replace(inputs, hardware=h, precision=p, isl=isl, osl=osl).scenario(tp=tp)
        for h, p, tp, isl, osl in itertools.product(hardware, precisions, inputs.tp, isls, osls)
    ]
    _clients(concurrency, scenarios)
    with progress_bar("workload") as progress:
        study = what_if_workload(scenarios, concurrency, method=method, backend=backend, progress=progress, **options)
    emit_study(study, form, output, plot)


@what_if.command()
@scenario_options(mtp="3")
@click.option("--concurrency", metavar="N", type=INT, default=32, show_default=True, help="Clients.")
@click.option("--samples", metavar="N", type=INT, default=256, show_default=True, help="Base samples, a power of two.")
@click.option("--seed", metavar="N", type=INT, default=0, show_default=True, help="Of the sampling.")
@output_options
def sensitivity(
    inputs: Inputs, concurrency: int, samples: int, seed: int, form: str, output: str | None, plot: str | None
) -> None:
    """Which inputs move the gain over Off and the throughput: Sobol indices (SALib) and a tornado.

    \b
    mtpsim what-if sensitivity --isl 8192 --concurrency 32 --plot tornado.png
    """
    check_outputs(output, plot)
    from simulator.what_if import what_if_sensitivity

    with progress_bar("sensitivity") as progress:
        study = what_if_sensitivity(inputs.scenario(), concurrency, samples=samples, seed=seed, progress=progress)
    emit_study(study, form, output, plot)


@what_if.command()
@scenario_options(tp="2,4", mtp="1,2,3,4,5,6,7,8")
@click.option("--concurrency", metavar="N,..|LOW..HIGH:N", default="4..256", show_default=True, help="Clients.")
@click.option("--rates", metavar="A,..|LOW..HIGH[:N]", default="0..1:11", show_default=True, help="Acceptance rates.")
@click.option("--method", type=click.Choice(["des", "closed-form"]), default="des", show_default=True)
@click.option("--seed", metavar="N", type=INT, default=0, show_default=True, help="Lengths and drafts.")
@click.option("--cost-basis", metavar="NAME", default="hyperscaler", show_default=True)
@backend_options
@click.option("--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True)
@click.option("--output", metavar="FILE", help="Write there instead of the terminal.")
def sweep(inputs: Inputs, concurrency: str, rates: str, form: str, output: str | None, **options: Any) -> None:
    """Every combination of TP, depth, acceptance rate and concurrency; the table shows the best TP and depth.

    \b
    mtpsim what-if sweep --tp 1,2,4,8 --concurrency 1..100:10 --rates 0..1:20 --format csv --output all.csv
    mtpsim what-if sweep --backend dask --scheduler tcp://127.0.0.1:8786 --results runs.jsonl
    """
    check_outputs(output, None)
    from simulator.what_if import what_if_sweep

    backend = backend_of(options)
    at = values_or_range("--rates", rates) or []
    if ":" in concurrency:
        asked = Counts(sorted({round(c) for c in values_or_range("--concurrency", concurrency) or []}), ())
    else:
        asked = parse_counts("--concurrency", concurrency)
    inputs = replace(inputs.unstated(), acceptance_rate=0.5)
    scenarios = inputs.scenarios()
    counts, left_out = fitting(asked, scenarios)
    with progress_bar("sweep") as progress:
        found = what_if_sweep(scenarios, counts, at, backend=backend, progress=progress, **options)
    if left_out:
        found = replace(found, meta={**found.meta, "concurrency_left_out": left_out})
    if form == "table":
        from simulator.cli.text.what_if import sweep_text

        emit(sweep_text(found, piped=output is not None), output)
    else:
        emit(found.to_json() if form == "json" else found.to_csv(), output)


def _clients(asked: Counts | None, scenarios: list[Scenario]) -> tuple[list[int] | None, list[str]]:
    """The concurrencies that fit somewhere, and a note on the others.

    Raises:
        InputError: one that is written out does not fit, or nothing does.
    """
    return (None, []) if asked is None else fitting(asked, scenarios)


def _noted(study: Study, notes: list[str]) -> Study:
    """The study with notes on what was left out."""
    if not notes:
        return study
    return replace(study, meta={**study.meta, "left_out": notes}, sentences=(*study.sentences, *notes))


def _given(name: str) -> bool:
    source = click.get_current_context().get_parameter_source(name)
    return source is not click.core.ParameterSource.DEFAULT
