"""``mtpsim fit-kernels``."""

from __future__ import annotations

import click

from simulator.cli.output import emit
from simulator.cli.progress import reporting
from simulator.cli.streams import say
from simulator.files.paths import user_path


@click.command()
@click.argument("tables", metavar="TABLE.csv...", nargs=-1)
@click.option("--hardware", metavar="NAME|FILE", help="Whose times these are.")
@click.option("-o", "--output", metavar="FILE.yaml", help="Priors file to write.")
@click.option("--name", help="Name of the priors; default: that of the accelerator.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "csv"], case_sensitive=False),
    default="table",
    show_default=True,
)
@click.option("--shipped", is_flag=True, help="Make the priors that ship with the package again.")
@click.option("--check", is_flag=True, help="With --shipped: compare with the shipped files and write nothing.")
def fit_kernels(
    tables: tuple[str, ...],
    hardware: str | None,
    output: str | None,
    name: str | None,
    form: str,
    shipped: bool,
    check: bool,
) -> None:
    """Fit the priors of one accelerator to tables of its kernel times.

    The file is for --calibration, and for --prior of calibrate.

    \b
    mtpsim fit-kernels kernels.csv --hardware h200
    mtpsim fit-kernels kernels.csv --hardware ./my_gpu.yaml -o priors.yaml
    mtpsim fit-kernels --shipped --check
    """
    from simulator.errors import InputError
    from simulator.files.kinds import KERNEL_PRIORS
    from simulator.fitting.writing import check_target

    if shipped:
        if tables or hardware or output or name:
            raise InputError(
                "--shipped makes the shipped files from the shipped tables: expected no files and no other options"
            )
        _shipped(check)
        return
    if check:
        raise InputError("--check compares shipped files: expected --shipped beside it")
    if not tables:
        raise InputError("fit-kernels: expected at least one CSV file of kernel times, found none")
    if hardware is None:
        raise InputError("fit-kernels: expected --hardware NAME or FILE, the accelerator that the times are of")
    target = None if output is None else user_path("-o", output)
    if target is not None:
        check_target(target, KERNEL_PRIORS)
    from simulator import api

    with reporting("fitting kernels") as progress:
        found = api.fit_kernels(tables, hardware, name=name, progress=progress)
    if target is not None:
        found.write(target)
    if form != "table":
        emit(found.to_json() if form == "json" else found.to_csv(), None)
        return
    from simulator.cli.text.fit_kernels import kernel_fit_text

    emit(kernel_fit_text(found), None)
    if target is not None:
        say(f"written: {target}")


def _shipped(check: bool) -> None:
    from simulator.errors import InputError
    from simulator.files.kinds import KERNEL_PRIORS
    from simulator.fitting.kernels.shipped import TABLES, build, differences, shipped_priors_file
    from simulator.fitting.writing import write

    drifted = []
    for hardware in TABLES:
        with reporting(hardware) as progress:
            content = build(hardware, progress).content
        if check:
            found = differences(content, hardware)
            drifted += found
            say(f"{hardware}: {'as shipped' if not found else 'DRIFTED'}")
        else:
            write(content, shipped_priors_file(hardware), KERNEL_PRIORS)
            say(f"written: {shipped_priors_file(hardware)}")
    if drifted:
        raise InputError("shipped kernel priors drifted:\n  " + "\n  ".join(drifted))
