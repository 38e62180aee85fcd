"""Every bad input ends in one clear message, status 2, and nothing written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simulator.cli import run
from simulator.facts.reading import locate

Refused = Callable[..., str]


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Refused:
    """Run a command line that must be refused in an empty directory; its message."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")

    def run_it(line: str, *more: str) -> str:
        before = sorted(tmp_path.rglob("*"))
        status = run([*line.split(), *more])
        found = capsys.readouterr()
        assert status == 2, found.out
        assert found.out == ""
        assert found.err.startswith("mtpsim: error: ")
        assert "Traceback" not in found.err
        assert sorted(tmp_path.rglob("*")) == before
        return found.err.removeprefix("mtpsim: error: ").strip()

    return run_it


NEAREST = {
    "predict --hardware mi35x": ["unknown hardware 'mi35x'", "did you mean 'mi35"],
    "predict --hardware H1000": ["unknown hardware 'H1000'", "did you mean 'h100'?"],
    "predict --model qwen3.5-397b-a17": ["unknown model 'qwen3.5-397b-a17'", "did you mean 'qwen3.5-397b-a17b'?"],
    "predict --engine sglan": ["unknown engine 'sglan'", "did you mean 'sglang'?"],
    "predict --precision fp5": ["unknown precision 'fp5'", "known: bf16, fp4, fp8"],
    "predict --checkpoint mxpf4": ["unknown checkpoint 'mxpf4'", "did you mean 'mxfp4'?"],
    "predict --calibration atom-mi350x": ["unknown calibration", "did you mean 'atom-mi355x'?"],
    "predict --kv-dtype mxfp4": ["unknown KV-cache format 'mxfp4'", "(known: bf16, fp8)"],
    "predict --mtp 3 --acceptance-profile qwen3.5-thinking": ["unknown acceptance", "did you mean 'qwen3.5-397b-a17b-"],
    "predict --cost-basis rent": ["unknown cost basis 'rent'", "did you mean 'rental'?"],
    "predict --method closed": ["unknown method 'closed'", "did you mean 'closed-form'?"],
    "predict --kv-dtype pf8": ["unknown KV-cache format 'pf8'", "did you mean 'fp8'?"],
    "predict --recipe sglang-mi355x-fp4": ["unknown recipe", "did you mean 'sglang-mi355x-fp"],
    "predict --recipe-set chunk=1": ["--recipe-set: unknown setting 'chunk'", "did you mean 'chunk_tokens'?"],
    "predict --concurency 4": ["--concurency", "--concurrency"],
    "predict --format jsn": ["--format", "'jsn'", "json"],
    "predct": ["unknown command 'predct'", "did you mean 'predict'?"],
    "explain --phase decod": ["unknown phase 'decod'", "did you mean 'decode'?"],
    "profiles hardwar": ["unknown kind of profile 'hardwar'", "did you mean 'hardware'?"],
    "profiles engine vlm": ["unknown engine 'vlm'", "did you mean 'vllm'?"],
    "profiles parameters host.step": ["unknown parameter 'host.step'", "did you mean 'host.step_us'?"],
}


@pytest.mark.parametrize(("line", "parts"), NEAREST.items(), ids=list(NEAREST))
def test_an_unknown_name_offers_the_nearest(refused: Refused, line: str, parts: list[str]) -> None:
    message = refused(line)
    assert all(part in message for part in parts), message


NUMBERS = {
    "predict --recipe-set chunk_tokens": "--recipe-set: expected KEY=VALUE such as chunk_tokens=8192",
    "predict --recipe-set chunk_tokens=0": "--recipe-set chunk_tokens: input should be greater than 0, found 0",
    "predict --recipe atom-mi355x": "--recipe atom-mi355x: it launches atom, expected one for sglang",
    "predict --compare-recipes sglang-amd": "--compare-recipes: expected two different recipes such as A,B",
    "predict --compare-recipes sglang-amd,none --recipe none": "expected no --recipe beside it",
    "predict --tp 0": "--tp: expected a whole number of at least 1, found 0",
    "predict --tp -2": "--tp: expected a whole number of at least 1, found -2",
    "predict --tp two": "--tp: expected whole numbers such as 4,8,16",
    "predict --tp 2,,4": "--tp: expected numbers separated by commas, found '2,,4'",
    "predict --ep 0": "--ep: expected a whole number of at least 1, found 0",
    "predict --dp -1": "--dp: expected a whole number of at least 1, found -1",
    "predict --concurrency 0": "--concurrency: expected whole numbers from 1 to 1000000, found 0",
    "predict --concurrency 4,-1": "--concurrency: expected whole numbers from 1 to 1000000, found -1",
    "predict --concurrency 1000000000": "found 1000000000",
    "predict --concurrency 1e9": "found '1e9'",
    "predict --concurrency 5..7": "expected a range with a power of two in it, such as 4..256, found 5..7",
    "predict --concurrency 64..4": "found 64..4",
    "predict --isl 0": "--isl: ",
    "predict --isl 1000000000": "found 1000000000",
    "predict --osl -3": "found -3",
    "predict --osl many": "--osl: expected a whole number, found 'many'",
    "predict --requests-per-client 0": "--requests-per-client: ",
    "predict --range-ratio 1.5": "--range-ratio: ",
    "predict --seed -1": "--seed: expected a whole number of at least 0, found -1",
    "predict --mtp -1": "--mtp: expected a depth of 0 (off) or more, found -1",
    "predict --mtp 3.5": "--mtp: expected whole numbers",
    "predict --mtp 99 --acceptance-rate 0.9": "--mtp: expected a depth of 1 to 64",
    "compare --at 44,fast": "--at: expected numbers separated by commas, found 'fast'",
    "compare --at -44": "--at: expected interactivities above 0 tok/s/user, found -44",
    "compare --at inf": "--at: expected numbers separated by commas, found 'inf'",
    "compare --concurrency 0": "--concurrency: expected whole numbers",
    "compare --mtp 0": "--mtp: expected a depth of 1 or more to compare with Off, found 0",
    "compare --mtp 0,3": "--mtp: expected a depth of 1 or more to compare with Off, found 0",
    "explain --concurrency 0": "--concurrency: expected whole numbers",
    "explain --batch 0": "batch: expected a finite number above 0, found 0",
    "explain --tp 2,4 --plot p.png": "--plot: a picture explains one configuration, found 2",
    "suggest --tp 2,4": "--tp: expected one value here, found 2,4",
}


@pytest.mark.parametrize(("line", "part"), NUMBERS.items(), ids=list(NUMBERS))
def test_a_number_out_of_range(refused: Refused, line: str, part: str) -> None:
    assert part in refused(line)


ACCEPTANCES = {
    "--mtp 3 --acceptance-length 4.2": "--acceptance-length: expected a length in [1, 4] for --mtp 3, found 4.2",
    "--mtp 3 --acceptance-length 0.9": "--acceptance-length: expected a length in [1, 4] for --mtp 3, found 0.9",
    "--mtp 3 --acceptance-length nan": "--acceptance-length: expected a finite number, found 'nan'",
    "--mtp 3 --acceptance-rate 1.01": "--acceptance-rate: expected a rate in [0, 1], found 1.01",
    "--mtp 3 --acceptance-rate -0.1": "--acceptance-rate: expected a rate in [0, 1], found -0.1",
    "--mtp 2 --acceptance 0.9,1.1": "--acceptance: expected probabilities in [0, 1], found 1.1",
    "--mtp 3 --acceptance 0.9,0.8": "--acceptance: expected 3 probabilities for --mtp 3, found 2",
    "--mtp 2,3 --acceptance 0.9,0.8,0.7": "--acceptance: belongs to one depth, found --mtp 2,3",
    "--mtp 3 --acceptance-rate 0.9 --acceptance-length 3": "expected one way to state acceptance, found 2",
    "--mtp 0 --acceptance-length 3": "--acceptance-length: acceptance needs drafting, but --mtp is 0 (off)",
    "--acceptance-rate 0.9": "--acceptance-rate: acceptance needs drafting, but --mtp is 0 (off)",
    "--mtp 40 --calibration kernel-priors": "is published up to depth",
}


@pytest.mark.parametrize(("options", "part"), ACCEPTANCES.items(), ids=list(ACCEPTANCES))
def test_an_impossible_acceptance(refused: Refused, options: str, part: str) -> None:
    assert part in refused(f"predict --concurrency 4 {options}")


@pytest.mark.parametrize("tp", [3, 7])
def test_tp_that_does_not_divide_the_shape(refused: Refused, tp: int) -> None:
    message = refused(f"predict --tp {tp}")
    assert f"tp {tp} must divide the 32 query heads" in message
    assert f"tp {tp} must divide the 1024 expert intermediate" in message


def test_parallelism_beyond_the_node(refused: Refused) -> None:
    assert "tp 16 exceeds the 8 GPUs in the scale-up domain of mi355x" in refused("predict --tp 16")
    assert "ep 3 must divide the 512 experts" in refused("predict --tp 4 --ep 3")


def test_a_model_that_does_not_fit_shows_the_arithmetic(refused: Refused) -> None:
    message = refused("predict --precision fp8 --mtp 3 --concurrency 4,256")
    assert "fp8 at concurrency 256 on 2 x mi355x with --mtp 3 does not fit. Per GPU: weights" in message
    assert "the largest concurrency that fits is" in message
    largest = int(message.rsplit(" ", 1)[1].rstrip("."))
    assert run(f"predict --precision fp8 --mtp 3 --concurrency {largest} --method closed-form".split()) == 0
    assert run(f"predict --precision fp8 --mtp 3 --concurrency {largest + 1} --method closed-form".split()) == 2


@pytest.mark.parametrize(
    "command", ["predict", "predict --concurrency 4 --queue-over-memory", "compare --tp 1", "explain"]
)
def test_weights_alone_that_do_not_fit(refused: Refused, command: str) -> None:
    tp = "" if "--tp" in command else "--tp 1"
    assert "not even one request fits" in refused(f"{command} {tp} --precision bf16")


def test_a_precision_that_the_hardware_lacks(refused: Refused) -> None:
    command = "predict --hardware mi300x --precision fp4 --tp 4"
    message = refused(command)
    assert "hardware mi300x has no FP4 peak" in message
    assert "--allow-dequant" in message
    assert "fp8, but the precision asked for is fp4" in refused("predict --checkpoint fp8 --precision fp4")
    assert run([*command.split(), "--concurrency", "4", "--allow-dequant"]) == 0


def test_a_calibration_of_another_engine(refused: Refused) -> None:
    message = refused("predict --calibration atom-mi355x --concurrency 4")
    assert "engine sglang (fitted to atom)" in message
    assert "--force" in message


def test_outputs_that_cannot_be_written(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("kept")
    assert "--output no/out.json: cannot be written: No such file" in refused("predict --output no/out.json")
    assert "--output folder: cannot be written: it is a directory" in refused("predict --output folder")
    assert "--output file/x: cannot be written" in refused("predict --output file/x")
    assert "--plot no/p.png: cannot be written" in refused("predict --plot no/p.png")
    assert "expected a file name that ends in .png, .svg or .pdf, found the suffix '.gif'" in refused(
        "compare --plot p.gif"
    )
    assert "found no suffix" in refused("explain --plot picture")
    assert "both name out.png" in refused("predict --output out.png --plot out.png")
    assert (tmp_path / "file").read_text() == "kept"


def test_outputs_are_checked_before_anything_is_computed(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("computed")

    for name in ("predict", "compare", "explain"):
        monkeypatch.setattr(f"simulator.api.{name}", never)
        refused(f"{name} --output no/out")
        refused(f"{name} --plot no/out.png")


@pytest.mark.parametrize("command", ["predict", "compare", "explain"])
def test_an_interrupted_run_writes_nothing(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(f"simulator.api.{command}", interrupt)
    outputs = ["--output", str(tmp_path / "out"), "--plot", str(tmp_path / "p.png")]
    assert run([command, *outputs]) == 130
    assert capsys.readouterr().err == "mtpsim: interrupted, nothing written\n"
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_write_leaves_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    command = ["predict", "--concurrency", "4", "--output", str(tmp_path / "out")]
    assert run(command) == 0
    before = (tmp_path / "out").read_text()
    monkeypatch.setattr("simulator.files.writing.os.replace", interrupt)
    assert run(command) == 130
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out").read_text() == before


# --- a user's own YAML ------------------------------------------------------------------------------------------------


def own(kind: str, name: str, path: Path, *changes: tuple[str, str]) -> str:
    """A copy of a shipped profile with some text replaced; its path."""
    text = locate(kind, name).read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    return str(path)


def test_a_users_own_profile_works_by_path(tmp_path: Path) -> None:
    path = own("hardware", "mi355x", tmp_path / "mine.yaml", ("name: mi355x", "name: mine"))
    assert run(["predict", "--hardware", path, "--concurrency", "4"]) == 0


def test_all_faults_of_a_file_at_once(refused: Refused, tmp_path: Path) -> None:
    path = own(
        "hardware",
        "mi355x",
        tmp_path / "mine.yaml",
        ("vendor: amd", "vendor: amd\ncolour: red"),
        ("{value: 288, unit: GB,", "{value: 288, unit: GHz,"),
        ("{value: 1400, unit: W,", "{value: lots, unit: W,"),
        ("hbm_bandwidth:", "hbm_bandwith:"),
    )
    for command in ("predict --hardware", "profiles hardware"):
        message = refused(command, path)
        assert "mine.yaml" in message
        assert "colour: unknown key" in message
        assert "hbm_capacity: unit 'GHz' is not a unit of bytes; expected one of B, KB, MB, GB" in message
        assert "board_power: value must be a number, found 'lots'" in message
        assert "hbm_bandwidth: missing; it is required" in message


def test_files_that_are_no_profiles(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("name: [")
    (tmp_path / "list.yaml").write_text("- 1")
    assert "no-such.yaml: no such file" in refused("predict --engine no-such.yaml")
    assert "not valid YAML" in refused("predict --engine broken.yaml")
    assert "expected a mapping at the top level, found a list" in refused("predict --model list.yaml")
    assert "unknown key" in refused("predict --calibration", own("engine", "atom", tmp_path / "engine.yaml"))


def test_a_calibration_that_was_edited(refused: Refused, tmp_path: Path) -> None:
    text = locate("calibration", "atom-mi355x").read_text(encoding="utf-8")
    (tmp_path / "mine.yaml").write_text(text.replace("throughput: 0.", "throughput: 1.", 1))
    assert "the file was changed after it was fitted" in refused("predict --engine atom --calibration mine.yaml")
