"""Every example that a ``--help`` shows runs, prints something and ends with a documented status."""

from __future__ import annotations

import csv
import json
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from simulator import shipped_measurements
from simulator.cli import COMMANDS, group, run
from simulator.facts.reading import locate
from simulator.fitting import shipped
from simulator.fitting.kernels import shipped as shipped_kernels
from tests.whole.test_docs import PAGE, SLOW, lay_out

DASK = "tcp://127.0.0.1:8786"
SHORTER = {
    "plan": "--tp 4 --mtp 0,3",
    "what-if sweep": "--concurrency 4,64 --rates 0,1 --mtp 1,3 --method closed-form",
    **PAGE,
}
"""Command -> options that a test adds, of which the last one counts; the what-if studies as on the pages.

``calibrate --shipped`` makes one of the shipped calibrations instead of all of them, ``fit-kernels --shipped`` one of
the shipped priors.
"""

STATUSES = {"validate": (0, 3, 4), "simulate": (0, 3), "plan": (0, 3)}
"""What the help of a command documents beside 0."""


def every_command() -> Iterator[tuple[str, click.Command]]:
    yield "", group
    for name in COMMANDS:
        command = group.get_command(click.Context(group), name)
        assert command is not None
        yield name, command
        if isinstance(command, click.Group):
            yield from ((f"{name} {below}", one) for below, one in command.commands.items())


def examples(command: click.Command) -> list[str]:
    """The lines of its help that call the program; what two spaces set apart is a remark."""
    lines = [line.strip() for line in (command.help or "").splitlines()]
    return [re.split(r"\s{2,}", line)[0] for line in lines if line.startswith("mtpsim ")]


COMMAND_LIST = list(every_command())
EXAMPLES = [(name, line) for name, command in COMMAND_LIST for line in examples(command)]


def own_files(folder: Path) -> None:
    """The files that examples name, beside those of the pages."""
    lay_out(folder)
    shutil.copy(str(locate("engine", "atom")), folder / "my-engine.yaml")
    shutil.copy(str(locate("model", "qwen3.5-397b-a17b")), folder / "mine.yaml")
    with Path(str(shipped_measurements("atom_mi355x_tp4.csv"))).open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["precision"] == "FP8" and row["isl"] == "1024"]
    with (folder / "atom.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows[:24])
    configurations = Path(__file__).parents[1] / "facts" / "importing" / "configs"
    for place in (folder, folder / "Qwen3.5-397B-A17B-NVFP4"):
        place.mkdir(exist_ok=True)
        for name in ("config.json", "hf_quant_config.json"):
            shutil.copy(configurations / f"nvidia--Qwen3.5-397B-A17B-NVFP4.{name}", place / name)
    shutil.copy(folder / "vllm.json", folder / "result.json")
    (folder / "recorded").mkdir()
    shutil.copy(folder / "sessions.jsonl", folder / "recorded" / "one.jsonl")
    (folder / "runs").mkdir()
    shutil.copy(folder / "vllm.json", folder / "runs" / "one.json")
    requests = [{"timestamp": 400 * i, "input_length": 800 + i, "output_length": 90 + i} for i in range(200)]
    alike = [{**row, "hash_ids": [i % 7, 100 + i]} for i, row in enumerate(requests)]
    text = "".join(json.dumps(row) + "\n" for row in alike)
    (folder / "conversation.jsonl").write_text(text, encoding="utf-8")


def test_every_command_has_an_example() -> None:
    assert [name for name, command in COMMAND_LIST if not examples(command)] == []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all examples, since some read what others write; with a fit to the curve of the pages."""
    place = tmp_path_factory.mktemp("examples")
    own_files(place)
    assert run(["calibrate", str(place / "curve.csv"), "-o", str(place / "fit.yaml"), "--no-cross-validation"]) == 0
    return place


@pytest.fixture
def scheduler(request: pytest.FixtureRequest) -> Iterator[str]:
    """Address of a Dask scheduler for the example that names one."""
    if DASK not in request.node.callspec.params["line"]:
        yield ""
        return
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None) as one:
        yield one.scheduler_address


@pytest.mark.parametrize(("name", "line"), EXAMPLES, ids=[f"{name or 'mtpsim'}: {line}" for name, line in EXAMPLES])
def test_an_example_runs(
    name: str,
    line: str,
    folder: Path,
    scheduler: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(shipped, "RECIPES", shipped.RECIPES[2:3])
    monkeypatch.setattr(shipped_kernels, "TABLES", {"mi300x": shipped_kernels.TABLES["mi300x"]})
    words = shlex.split(line.replace(DASK, scheduler) if scheduler else line)[1:]
    command = " ".join(words[:2]) if words[0] == "what-if" else words[0]
    shorter = SHORTER.get(command, SLOW.get(words[1], "") if words[0] == "what-if" else "")
    status = run([*words, *shlex.split(shorter)])
    found = capsys.readouterr()
    assert status in STATUSES.get(command, (0,)), found.err
    written = [words[i + 1] for i, word in enumerate(words) if word in ("-o", "--output", "--plot", "--requests")]
    assert found.out.strip() or "--output" in words
    for file in written:
        assert (folder / file).stat().st_size > 0


def test_documented_statuses_are_in_the_help() -> None:
    helps: dict[str, Any] = {name: command.help for name, command in COMMAND_LIST}
    for name, statuses in STATUSES.items():
        told = helps[name].split("Exit status")[1]
        assert all(re.search(rf"\b{status}\b", told) for status in statuses), name
