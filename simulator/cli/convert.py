"""``mtpsim convert``."""

from __future__ import annotations

from typing import Any

import click

from simulator.cli.known import known_options
from simulator.cli.output import emit
from simulator.cli.streams import complain, say


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--output", "-o", metavar="FILE", help="CSV file to write.")
@known_options
@click.option(
    "--explain", is_flag=True, help="Say which field became which column, in which unit, by which definition."
)
@click.option(
    "--format", "form", type=click.Choice(["csv", "json"], case_sensitive=False), default="csv", show_default=True
)
def convert(files: tuple[str, ...], output: str | None, known: Any, explain: bool, form: str) -> None:
    """Convert result files of benchmark tools to rows of our CSV.

    Files, folders and patterns, mixed: vLLM bench serve, SGLang bench_serving, InferenceX, aiperf and genai-perf,
    GuideLLM, LLMPerf, inference-perf, llm-d-benchmark, and our CSV, each known by its content. A row ends with its file
    and the number of the record in it. What looks wrong is said, and never mended in silence.

    \b
    mtpsim convert result.json -o rows.csv --set hardware=h200 --set tp=4 --set precision=fp8 --set engine=vllm
    mtpsim convert runs/ --set-file known.yaml --explain
    """
    from simulator.files.writing import check_place
    from simulator.measurements.writing import MEASURED

    if output is not None:
        check_place("--output", output, MEASURED)
    from simulator import api

    found = api.convert(files, known=known)
    if output is not None:
        found.write(output)
    for text in found.said:
        complain(f"note: {text}")
    if explain:
        from simulator.cli.text.convert import explanation_text

        emit(explanation_text(found), None)
    elif output is None:
        emit(found.to_json() if form == "json" else found.csv, None)
    if output is not None:
        say(f"written: {output}")
