"""``mtpsim import-model``."""

from __future__ import annotations

import click

from simulator.cli.output import emit
from simulator.cli.streams import say
from simulator.files.paths import user_path


@click.command()
@click.argument("path", metavar="CONFIG.json|FOLDER")
@click.option("--quant", metavar="FILE.json", help="hf_quant_config.json; default: the one beside the configuration.")
@click.option("-o", "--output", metavar="FILE.yaml", help="Model profile to write.")
@click.option("--architecture", metavar="NAME", help="Read it as one of this model_type, whatever it says.")
@click.option("--ignore", metavar="KEY", multiple=True, help="An unknown key that changes nothing; repeatable.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "csv"], case_sensitive=False),
    default="table",
    show_default=True,
)
def import_model(
    path: str, quant: str | None, output: str | None, architecture: str | None, ignore: tuple[str, ...], form: str
) -> None:
    """Make a model profile from a Hugging Face configuration.

    It says what it did not understand and how much that can matter. The profile is for --model, which takes the
    configuration itself too.

    \b
    mtpsim import-model ./Qwen3.5-397B-A17B-NVFP4 -o imported.yaml
    mtpsim import-model config.json --quant hf_quant_config.json
    mtpsim import-model config.json --format json
    """
    from simulator.files.kinds import MODEL
    from simulator.files.yaml_writing import check_target

    target = None if output is None else user_path("-o", output)
    if target is not None:
        check_target(target, MODEL)
    from simulator import api

    found = api.import_model(path, quant, architecture=architecture, ignore=ignore)
    if target is not None:
        found.write(target)
    if form != "table":
        emit(found.to_json() if form == "json" else found.to_csv(), None)
        return
    from simulator.cli.text.import_model import imported_text

    emit(imported_text(found), None)
    if target is not None:
        say(f"written: {target}")
