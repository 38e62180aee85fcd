"""``mtpsim calibrate``."""

from __future__ import annotations

from typing import Any

import click

from simulator.cli.known import known_options
from simulator.cli.output import emit
from simulator.cli.progress import reporting
from simulator.cli.streams import complain, say
from simulator.files.paths import user_path


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1)
@click.option("-o", "--output", metavar="FILE.yaml", help="Calibration file to write.")
@known_options
@click.option("--select", "expression", metavar="EXPR", help='Rows to use, such as "engine=ATOM and precision=FP8".')
@click.option("--name", help="Name of the calibration; default: the output file's name.")
@click.option("--prior", metavar="NAME|FILE", help="Start from this calibration instead of the kernel priors.")
@click.option(
    "--engine", metavar="NAME|FILE", default="sglang", show_default=True, help="Behind frontier rows that name none."
)
@click.option("--model", metavar="NAME|FILE", help="Profile of the rows' model; default: the one they name.")
@click.option("--allow-dequant", is_flag=True, help="Compute in a wider format if the hardware lacks one.")
@click.option("--no-cross-validation", is_flag=True, help="Do not leave each concurrency out in turn.")
@click.option("--shipped", is_flag=True, help="Make the calibrations that ship with the package again.")
@click.option("--check", is_flag=True, help="With --shipped: compare with the shipped files and write nothing.")
def calibrate(
    files: tuple[str, ...],
    output: str | None,
    expression: str | None,
    known: Any,
    name: str | None,
    prior: str | None,
    engine: str,
    model: str | None,
    allow_dequant: bool,
    no_cross_validation: bool,
    shipped: bool,
    check: bool,
) -> None:
    """Fit the physical parameters to measured points, frontier points, or both.

    \b
    mtpsim calibrate curve.csv -o fit.yaml
    mtpsim calibrate atom.csv --select "precision=FP8" -o fp8.yaml
    mtpsim calibrate --shipped --check
    """
    from simulator.errors import InputError
    from simulator.fitting.writing import check_target

    if shipped:
        if files or output or expression or prior or known:
            raise InputError(
                "--shipped makes the shipped files from the shipped data: expected no files and no other options"
            )
        _shipped(check)
        return
    if check:
        raise InputError("--check compares shipped files: expected --shipped beside it")
    if not files:
        raise InputError("calibrate: expected at least one measured file, found none")
    if output is None:
        raise InputError("calibrate: expected -o FIT.yaml, the file to write")
    target = user_path("-o", output)
    check_target(target)
    from simulator import api
    from simulator.cli.text.calibrate import calibration_text

    with reporting("calibrating") as progress:
        session = api.calibrate(
            files,
            name=name or target.stem,
            select=expression,
            prior=prior,
            engine=engine,
            cross_validate=not no_cross_validation,
            model=model,
            allow_dequant=allow_dequant,
            known=known,
            progress=progress,
        )
    session.write(target)
    if session.skipped:
        complain(f"note: {session.skipped} rows of an open loop were not used: a fit takes runs with a concurrency")
    emit(calibration_text(session.content), None)
    say(f"written: {target}")


def _shipped(check: bool) -> None:
    from simulator.errors import InputError
    from simulator.fitting.shipped import RECIPES, build, differences, shipped_file
    from simulator.fitting.writing import write

    drifted = []
    for recipe in RECIPES:
        with reporting(recipe.name) as progress:
            content = build(recipe, progress).content
        if check:
            found = differences(content, recipe.name)
            drifted += found
            say(f"{recipe.name}: {'as shipped' if not found else 'DRIFTED'}")
        else:
            write(content, shipped_file(recipe.name))
            say(f"written: {shipped_file(recipe.name)}")
    if drifted:
        raise InputError("shipped calibrations drifted:\n  " + "\n  ".join(drifted))
