"""``mtpsim page``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from simulator.cli.lists import parse_ints
from simulator.cli.numbers import INT
from simulator.cli.options import given, grid
from simulator.cli.streams import say
from simulator.cli.web import measured_rows, need
from simulator.errors import InputError
from simulator.files.kinds import PAGE
from simulator.traffic.sweeps import Grid, split_list
from simulator.units import MEGA

DEFAULT_RUNS = {1: "4..64", 2: "4..256", 4: "4..16", 8: "4..16"}
"""Concurrencies of a replica size if none are named: those of the published MI355X table, and alike."""


def shipped(kind: str) -> Callable[[click.Context, click.Parameter, str | None], tuple[str, ...]]:
    """Click callback: names between commas, of the shipped profiles that they mean, where they mean one."""

    def names(context: click.Context, option: click.Parameter, value: str | None) -> tuple[str, ...]:
        from simulator.facts.reading import shipped_name

        found = () if value is None else split_list(option.opts[0], value)
        return tuple(shipped_name(kind, name) or name.lower() for name in found)

    return names


HARDWARE, ENGINES = shipped("hardware"), shipped("engine")


def words(context: click.Context, option: click.Parameter, value: str | None) -> tuple[str, ...]:
    """Click callback: names between commas."""
    return () if value is None else tuple(name.lower() for name in split_list(option.opts[0], value))


@click.command()
@click.option("--output", "-o", metavar="FILE", required=True, help="HTML file to write.")
@click.option(
    "--hardware",
    metavar="NAME,..",
    default="mi355x",
    callback=HARDWARE,
    show_default=True,
    help="To compare.",
)
@click.option(
    "--model", metavar="NAME", default="qwen3.5-397b-a17b", show_default=True, help="Model, or its repository."
)
@click.option("--engine", metavar="NAME,..", callback=ENGINES, help="Default: sglang and those with a calibration.")
@click.option("--precision", metavar="bf16|fp8|fp4,..", callback=words, help="Default: the best, and fp8.")
@click.option("--calibration", metavar="NAME", help="Default: the shipped one that matches, else priors.")
@click.option("--isl", metavar="TOKENS", type=INT, help="One input length, instead of the presets.")
@click.option("--osl", metavar="TOKENS", type=INT, help="One output length, instead of the presets.")
@click.option("--tp", metavar="N,..", default="2,4", show_default=True, help="GPUs of a replica.")
@click.option("--sweep", metavar="TP:N,..", multiple=True, callback=grid, help="Instead of --tp, with clients of each.")
@click.option("--mtp", metavar="K,..", default="0,1,2,3", show_default=True, help="Draft depths; 0 off.")
@click.option("--measured", metavar="FILE.csv", multiple=True, help="Measured rows to judge and lay over; repeatable.")
@click.option("--jobs", metavar="N", type=INT, default=-1, show_default=True, help="Processes; -1: one per core.")
@click.option("--no-steps", is_flag=True, help="Leave the steps of the acceptance slider out: half the time.")
def page(
    output: str,
    hardware: tuple[str, ...],
    model: str,
    engine: tuple[str, ...],
    precision: tuple[str, ...],
    calibration: str | None,
    isl: int | None,
    osl: int | None,
    tp: str,
    sweep: Grid | None,
    mtp: str,
    measured: tuple[str, ...],
    jobs: int,
    no_steps: bool,
) -> None:
    """Write the live chart as one HTML file that opens offline in any browser.

    It holds the answers of a grid: every accelerator, engine, precision and pair of lengths (1k/1k, 8k/1k, 1k/8k), each
    replica size, draft depth and step of the acceptance slider. What it does not hold needs mtpsim serve.

    \b
    mtpsim page -o page.html
    mtpsim page -o page.html --hardware mi355x,b200 --mtp 0,3
    mtpsim page -o page.html --isl 8192 --osl 1024 --measured runs.csv
    """
    from simulator.files.writing import check_place, write_file

    check_place("--output", output, PAGE)
    need("page", "plotly", "jinja2")
    if sweep is not None:
        for name in given("tp"):
            raise InputError(f"--sweep states TP and clients together, as in 2:4..256: expected no {name} beside it")
    from simulator.cli.kernel_start import start_kernels

    start_kernels()
    from simulator.api import Backend, load_model
    from simulator.facts.reading import named_model
    from simulator.page.choices import PRESETS
    from simulator.page.export import export
    from simulator.page.grid import Ask
    from simulator.page.state import read_state

    Backend(jobs=jobs)
    sizes = parse_ints("--tp", tp)
    parts = str(sweep).split(";") if sweep else [f"{n}:{DEFAULT_RUNS.get(n, '4..16')}" for n in sizes]
    named = named_model(model)
    model = named.profile if named else model.lower()
    if named and named.checkpoint and not precision:
        precision = (load_model(model).checkpoints[named.checkpoint].precision,)
    depths = parse_ints("--mtp", mtp) if given("mtp") or _drafts(model) else [0]
    asked: dict[str, Any] = {"hardware": list(hardware), "model": model, "sweep": parts}
    asked |= {"mtp": sorted({0, max(depths)} & {*depths})}
    asked |= {} if calibration is None else {"calibration": calibration.lower()}
    asked |= {"engine": engine[0]} if engine else {}
    asked |= {} if isl is None else {"isl": isl}
    asked |= {} if osl is None else {"osl": osl}
    start = read_state(asked)
    lengths = PRESETS if isl is None and osl is None else ((start.isl, start.osl),)
    ask = Ask(start, engine, precision, lengths, tuple(depths), steps=not no_steps)
    with counting("computing the grid") as tell:
        made = export(ask, measured_rows(measured), tell, jobs)
    write_file("--output", output, PAGE, made.html)
    for note in made.left_out:
        say(f"left out: {note}")
    say(f"written: {output}, {len(made.html.encode()) / MEGA:.1f} MB with {made.answers} answers")


def _drafts(model: str) -> bool:
    """Whether a model that ships has an MTP layer; of another the state of the page will say that it is not known."""
    from simulator import api

    known = api.profiles("model").column("name")
    return model.lower() not in known or api.load_model(model.lower()).draft is not None


@contextmanager
def counting(title: str) -> Iterator[Callable[[int, int], None]]:
    """A bar of what is done, on a terminal alone."""
    import sys

    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
