"""``mtpsim infer-acceptance``."""

from __future__ import annotations

from typing import Any

import click

from simulator.cli.known import known_options
from simulator.cli.output import check_outputs, emit


@click.command("infer-acceptance")
@click.argument("off", metavar="OFF")
@click.argument("mtp", metavar="MTP")
@click.option("--calibration", metavar="NAME|FILE", help="Default: the shipped one that matches, else priors.")
@click.option("--force", is_flag=True, help="Apply a calibration outside what it was fitted to.")
@known_options
@click.option("--select", "expression", metavar="EXPR", help='MTP rows to use, such as "precision=FP8 and isl=8192".')
@click.option("--method", type=click.Choice(["des", "closed-form"]), default="des", show_default=True)
@click.option("--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True)
@click.option("--output", metavar="FILE", help="Write there instead of the terminal.")
def infer_acceptance(
    off: str,
    mtp: str,
    calibration: str | None,
    force: bool,
    expression: str | None,
    known: Any,
    method: str,
    form: str,
    output: str | None,
) -> None:
    """The acceptance length that explains a measured MTP curve beside its Off curve.

    Rows are paired that differ in speculation alone. The files may be one. Lengths that MTP rows state are not used.

    \b
    mtpsim infer-acceptance off.csv mtp.csv --calibration sglang-mi355x-fp4-2026-09
    mtpsim infer-acceptance runs.csv runs.csv --select "precision=FP8" --format json
    """
    check_outputs(output, None)
    from simulator import api

    found = api.infer_acceptance(off, mtp, calibration, select=expression, force=force, method=method, known=known)
    if form == "table":
        from simulator.cli.text.what_if import inference_text

        emit(inference_text(found, piped=output is not None), output)
    else:
        emit(found.to_json() if form == "json" else found.to_csv(), output)
