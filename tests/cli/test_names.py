"""One name per quantity, and one meaning per option; no command speaks of an option that it lacks."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import yaml

import simulator
from simulator.cli import COMMANDS, group, run
from simulator.facts.reading import read_mapping
from simulator.results.columns import COLUMNS, declared

ROOT = Path(simulator.__file__).parent
PRINTED = [
    *sorted(ROOT.rglob("*.py")),
    *sorted(ROOT.rglob("*.csv")),
    *sorted(ROOT.parent.glob("*.md")),
    *sorted((ROOT.parent / "docs").glob("*.md")),
]


def commands() -> Iterator[tuple[str, click.Command]]:
    for name in COMMANDS:
        command = group.get_command(click.Context(group), name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from ((f"{name} {below}", one) for below, one in command.commands.items())
        else:
            yield name, command


OPTIONS = {
    name: {p.opts[0]: p for p in command.params if isinstance(p, click.Option) and p.expose_value}
    for name, command in commands()
}


def test_tokens_per_second_and_megawatt_are_no_energy() -> None:
    """Energy would be joules per token, its inverse."""
    changes = ROOT.parent / "CHANGELOG.md"
    for path in PRINTED:
        if path != changes and path.suffix != ".yaml":
            assert "energy" not in path.read_text(encoding="utf-8").lower(), path.name


def test_a_quantity_has_one_name() -> None:
    """By what a column means: money per token, a median, a rate of tokens per GPU, clients."""
    for name, column in COLUMNS.items():
        if column.unit == "USD/M tokens":
            assert name == "cost_usd_per_mtok"
        if column.unit == "tok/s/MW":
            assert name == "tok_s_per_mw"
        if column.unit == "tok/s/GPU":
            assert name in ("total_tok_s_gpu", "output_tok_s_gpu", "uncached_tok_s_gpu")
        assert not name.startswith("p50_")
        if "closed-loop clients" in column.meaning:
            assert name == "concurrency"
    assert declared("median_ttft_ms") is not None


def test_an_option_takes_the_same_thing_in_every_command() -> None:
    """What it takes is in its metavar: the same but for lists (N and N,..) and ranges."""
    taken: dict[str, set[str]] = {}
    for options in OPTIONS.values():
        for option, parameter in options.items():
            if isinstance(parameter.type, click.Choice) or parameter.is_flag:
                continue
            metavar = re.split(r"[,|]", parameter.metavar or "")[0]
            taken.setdefault(option, set()).add(metavar)
    assert {option: kinds for option, kinds in taken.items() if len(kinds) > 1} == {}
    assert "--lengths" in OPTIONS["plan"]
    assert "--lengths" not in OPTIONS["what-if acceptance"]


def test_the_other_lengths_are_refused_with_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["what-if", "acceptance", "--lengths", "1,2"]) == 2
    assert "expected --acceptance-lengths for tokens per round" in capsys.readouterr().err


@pytest.mark.parametrize(
    "line",
    [
        "plan --rate 4 --ttft-p99 2s --tp 4 --mtp 0",
        "plan --rate 4 --ttft-p99 250ms --tp 4 --mtp 0",
        "plan --rate 4 --ttft-p99 1ms",
        "plan --rate 4 --gpus 4 --ttft-p99 2s",
        "plan --rate 4",
        "plan --ttft-p99 2s",
        "plan --rate 4 --ttft-p99 2s --tp 1 --precision bf16",
        "plan --rate 4 --ttft-p99 2s --hardware h100",
        "plan --rate 4 --ttft-p99 2s --mtp 2,3 --acceptance-length 2",
        "plan --rate 4 --ttft-p99 2s --engine atom --calibration sglang-mi355x-fp4-2026-09",
        "plan --rate 4 --ttft-p99 2s --ep 2",
    ],
)
def test_a_plan_speaks_of_options_that_it_has(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """And of those of the command that it prints. A knee below the planned rate is not above it by a negative part."""
    status = run(shlex.split(line))
    found = capsys.readouterr()
    own, _, check = f"{found.out}{found.err}".partition("mtpsim simulate ")
    check, _, rest = check.partition("\n\n")
    promises = {option for option in re.findall(r"--[a-z][a-z0-9-]*", line) if re.match(r"--(ttft|tpot|e2e)-", option)}
    known = {"--help", *promises}
    told = set(re.findall(r"--[a-z][a-z0-9-]*", own + rest))
    refused = {"--ep", "--dp"} if "--ep " in line else set()
    examples = {one for one in told if re.match(r"--(ttft|tpot|e2e)-p", one)}
    assert told - known - refused - examples <= OPTIONS["plan"].keys()
    assert set(re.findall(r"--[a-z][a-z0-9-]*", check)) - known <= OPTIONS["simulate"].keys()
    assert status in (0, 2, 3)
    assert not re.search(r"-\d+ % above", found.out)


@pytest.mark.parametrize("line", ["compare --at 60 --method closed-form", "suggest --top 2"])
def test_default_depths_of_a_model_without_mtp(line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = read_mapping("model", "qwen3.5-397b-a17b") | {"draft": None}
    model.pop("default_acceptance")
    (tmp_path / "plain.yaml").write_text(yaml.safe_dump(model), encoding="utf-8")
    assert run([*line.split(), "--model", str(tmp_path / "plain.yaml")]) == 0
    assert "MTP delivers" not in capsys.readouterr().out


def test_hardware_without_fp4_is_pointed_to_a_precision_that_it_computes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["predict", "--hardware", "h100"]) == 2
    assert "--precision fp8" in capsys.readouterr().err
    assert run(["predict", "--hardware", "h100", "--tp", "8", "--precision", "fp8", "--concurrency", "4"]) == 0
