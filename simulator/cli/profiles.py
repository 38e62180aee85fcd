"""``mtpsim profiles``."""

from __future__ import annotations

import click

from simulator.cli.output import check_outputs, emit


@click.command()
@click.argument("kind", required=False)
@click.argument("name", required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "csv"], case_sensitive=False),
    default="table",
    show_default=True,
)
@click.option("--output", metavar="FILE", help="Write there instead of the terminal.")
def profiles(kind: str | None, name: str | None, form: str, output: str | None) -> None:
    """List all profiles, those of one KIND, or show every number of one with its unit and source.

    KIND is hardware, model, engine, recipe, acceptance, calibration, priors or parameters; NAME may be the path of your
    own file, which is checked. The priors of an accelerator say where each parameter of the cost model comes from.

    \b
    mtpsim profiles
    mtpsim profiles hardware mi355x
    mtpsim profiles recipes
    mtpsim profiles engine my-engine.yaml
    mtpsim profiles priors b200
    """
    check_outputs(output, None)
    from simulator import api

    found = api.profiles(kind, name)
    if form == "table":
        from simulator.cli.text.profiles import catalogue_text

        emit(catalogue_text(found.rows, piped=output is not None), output)
    elif form == "json":
        emit(found.to_json(), output)
    else:
        emit(found.to_csv(), output)
