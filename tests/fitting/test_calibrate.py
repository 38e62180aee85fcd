"""``mtpsim calibrate`` as a user has it: a small CSV file in, a calibration file out, every bad input refused."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from simulator import calibrate, make_scenario, shipped_measurements
from simulator.cli import run
from simulator.cost.calibration import digest, load_calibration
from simulator.errors import InputError
from simulator.facts.reading import read_mapping
from simulator.measurements import MeasuredPoint, read_csv, select, write_csv
from simulator.prediction.predict import versions

ATOM = shipped_measurements("atom_mi355x_tp4.csv")
SGLANG = shipped_measurements("sglang_mi355x_8k1k.csv")
FRONTIER = shipped_measurements("inferencex_frontier_fp4_1k1k.csv")
CURVE = "precision=FP8 and spec=off and isl=8192 and date=2026-05-11"
QUICK = "--no-cross-validation"
HEADER = "hardware,model,precision,engine,spec,isl,osl,tp,concurrency,total_tok_s_gpu,mean_ttft_ms,mean_tpot_ms"
GOOD = "MI355X,Qwen3.5-397B-A17B,FP4,ATOM,off,1024,1024,4,4,210.6925,134.84,9.1"
OTHER = "MI355X,Qwen3.5-397B-A17B,FP4,ATOM,off,1024,1024,4,8,383.34,139.08,10.05"
COVERED = ["--engine", "atom", "--precision", "fp8", "--tp", "4", "--isl", "8192", "--concurrency", "64"]

Text = Callable[..., str]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Text:
    """Run a command line in an empty directory; it must succeed and say nothing on standard error."""
    monkeypatch.chdir(tmp_path)

    def run_it(*arguments: str | Path) -> str:
        status = run([str(a) for a in arguments])
        said = capsys.readouterr()
        assert (status, said.err) == (0, "")
        return said.out

    return run_it


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Text:
    """Run a command line that must be refused with status 2, one message and no new file; the message."""
    monkeypatch.chdir(tmp_path)

    def run_it(*arguments: str | Path) -> str:
        before = {p: p.read_bytes() for p in tmp_path.rglob("*")}
        status = run([str(a) for a in arguments])
        said = capsys.readouterr()
        assert (status, said.out) == (2, "")
        assert said.err.startswith("mtpsim: error: ")
        assert {p: p.read_bytes() for p in tmp_path.rglob("*")} == before
        return said.err

    return run_it


def ends(rows: tuple[MeasuredPoint, ...]) -> list[MeasuredPoint]:
    """The rows of lowest and highest concurrency."""
    found = sorted(rows, key=lambda row: row.concurrency)
    return [found[0], found[-1]]


@pytest.fixture(scope="module")
def two_points(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The two ends of the ATOM FP8 Off curve at 8k/1k."""
    path = tmp_path_factory.mktemp("two") / "two.csv"
    write_csv(path, ends(select(read_csv(ATOM).points, CURVE)))
    return path


@pytest.fixture(scope="module")
def fitted(two_points: Path) -> Path:
    """A calibration file of two points."""
    path = two_points.with_name("fit.yaml")
    assert run(["calibrate", str(two_points), "-o", str(path)]) == 0
    return path


def lines(tmp_path: Path, *text: str, name: str = "runs.csv") -> Path:
    path = tmp_path / name
    path.write_text("\n".join(text) + "\n", encoding="utf-8")
    return path


# --- two end points


def test_two_end_points_are_met(two_points: Path, fitted: Path, ask: Text) -> None:
    mape = json.loads(ask("evaluate", two_points, "--calibration", fitted, "--format", "json"))["mape"]
    assert mape["total_tok_s_gpu"] < 0.02
    assert mape["mean_tpot_ms"] < 0.02
    assert mape["mean_ttft_ms"] < 0.12


def test_two_end_points_predict_the_interior_of_their_curve(fitted: Path, ask: Text) -> None:
    """Goal for a worst curve: 10 % TPOT."""
    found = ask("evaluate", ATOM, "--select", CURVE, "--calibration", fitted, "--format", "json")
    assert json.loads(found)["mape"]["mean_tpot_ms"] < 0.10


def test_predict_uses_the_file_and_says_so(fitted: Path, ask: Text) -> None:
    found = json.loads(ask("predict", *COVERED, "--calibration", fitted, "--format", "json"))
    other = json.loads(ask("predict", *COVERED, "--calibration", "kernel-priors", "--format", "json"))
    assert found["meta"]["calibration"] == "fit"
    assert found["meta"]["calibration_hash"] == load_calibration(str(fitted)).hash
    assert found["meta"]["forced_outside_calibration"] == []
    assert found["rows"][0]["total_tok_s_gpu"] != other["rows"][0]["total_tok_s_gpu"]
    assert "calibration fit" in ask("predict", *COVERED, "--calibration", fitted)


def test_two_points_borrow_the_noise_and_the_file_says_so(fitted: Path) -> None:
    calibration = load_calibration(str(fitted))
    assert "too little data" in calibration.noise_source
    assert "leave_one_concurrency_out" not in calibration.errors


# --- the file


def test_the_file_is_self_contained(two_points: Path, fitted: Path) -> None:
    content = yaml.safe_load(fitted.read_text(encoding="utf-8"))
    (source,) = content["data"]
    assert source["sha256"] == hashlib.sha256(two_points.read_bytes()).hexdigest()
    assert (source["file"], source["rows"], source["select"]) == ("two.csv", [2, 3], "")
    assert content["versions"] == versions()
    assert content["hash"] == digest(content)
    assert set(content["noise"]) == {"throughput", "tpot", "ttft"}
    assert content["scope"]["concurrency"] == [4, 256]


def test_the_covariance_is_one_of_the_parameters_and_has_their_errors(fitted: Path) -> None:
    calibration = load_calibration(str(fitted))
    matrix = np.array(calibration.covariance.matrix)
    assert calibration.covariance.names == list(calibration.parameters)
    assert np.linalg.eigvalsh(matrix).min() > 0
    assert np.sqrt(np.diag(matrix)) == pytest.approx([p.stderr for p in calibration.parameters.values()], abs=1e-4)


def test_moved_is_the_distance_from_the_prior_in_its_own_errors(fitted: Path) -> None:
    calibration = load_calibration(str(fitted))
    for name, entry in calibration.parameters.items():
        p = calibration.known[name]
        moved = (p.to_internal(entry.value) - p.to_internal(entry.prior)) / entry.prior_sd
        assert entry.moved_sd == pytest.approx(moved, abs=0.01)


def test_what_is_printed(two_points: Path, ask: Text, tmp_path: Path) -> None:
    text = ask("calibrate", two_points, "-o", tmp_path / "a.yaml")
    head, *body = text.splitlines()
    assert head.split() == ["parameter", "value", "unit", "std.", "error", "prior", "moved"]
    assert any(line.split()[0] == "comm.latency_us" for line in body if line)
    assert "What the data cannot tell:" in text
    assert f"written: {tmp_path / 'a.yaml'}" in text


def test_the_rows_of_a_fit_hold_the_acceptance_length_too() -> None:
    found = calibrate(SGLANG, select="precision=FP4 and concurrency=4", cross_validate=False)
    *_, last = rows = found.records()
    assert [row["parameter"] for row in rows] == list(found.fit.problem.prior.names)
    assert (last["parameter"], last["unit"]) == ("acceptance.length", "tokens/round")
    assert last["value"] == pytest.approx(found.content["acceptance"]["length"], abs=1e-3)
    assert [row["stderr"] / row["prior_sd"] for row in rows] == pytest.approx(list(found.fit.shrinkage), abs=0.01)
    assert [row["moved_sd"] for row in rows] == pytest.approx(list(found.fit.moved), abs=0.01)
    assert "acceptance.length" not in found.content["parameters"]


def test_the_same_data_give_the_same_bytes(two_points: Path, fitted: Path, ask: Text, tmp_path: Path) -> None:
    ask("calibrate", two_points, "-o", tmp_path / "fit.yaml")
    assert (tmp_path / "fit.yaml").read_bytes() == fitted.read_bytes()


def test_a_file_written_again_is_read_again(fitted: Path, two_points: Path, ask: Text, tmp_path: Path) -> None:
    path = tmp_path / "again.yaml"
    shutil.copy(fitted, path)
    first = load_calibration(str(path))
    ask("calibrate", two_points, "-o", path, "--name", "second", "--prior", fitted)
    assert (first.name, load_calibration(str(path)).name) == ("fit", "second")


# --- selections, several files


def test_select_fits_the_chosen_rows_and_says_which(ask: Text, tmp_path: Path) -> None:
    ask("calibrate", ATOM, "--select", CURVE, "-o", tmp_path / "fit.yaml", QUICK)
    calibration = load_calibration(str(tmp_path / "fit.yaml"))
    assert calibration.data[0].select == CURVE
    assert calibration.data[0].rows == [row.line for row in select(read_csv(ATOM).points, CURVE)]
    assert (calibration.scope.precision, calibration.scope.spec, calibration.scope.isl) == (["fp8"], ["off"], [8192])
    assert calibration.acceptance is None


def test_points_and_frontier_together(ask: Text, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.fitting.fit.STARTS", 2)
    monkeypatch.setattr("simulator.fitting.fit.REFINED", 1)
    points = tmp_path / "points.csv"
    off = select(read_csv(SGLANG).points, "precision=FP4 and spec=off and tp=2")
    write_csv(points, ends(off))
    ask("calibrate", points, FRONTIER, "--select", "spec=off", "-o", tmp_path / "fit.yaml", QUICK)
    calibration = load_calibration(str(tmp_path / "fit.yaml"))
    kept = [row.line for row in read_csv(FRONTIER).rows if row.spec == "off"]
    assert [(source.file, source.rows) for source in calibration.data] == [
        ("points.csv", [2, 3]),
        (FRONTIER.name, kept),
    ]
    assert (calibration.errors["rows"], calibration.scope.isl) == (5, [1024, 8192])
    assert calibration.errors["in_sample"]["total_tok_s_gpu"] < 0.06


def test_rows_are_counted_for_their_own_file(two_points: Path, ask: Text, tmp_path: Path) -> None:
    """Two files of two rows each, of which one row each is selected: not two of either."""
    other = tmp_path / "other.csv"
    rows = [replace(row, isl=1024, mean_ttft_ms=None, total_tok_s_gpu=None) for row in read_csv(two_points).points]
    write_csv(other, rows)
    ask("calibrate", two_points, other, "--select", "concurrency=4", "-o", tmp_path / "fit.yaml")
    assert [source.rows for source in load_calibration(str(tmp_path / "fit.yaml")).data] == [[2], [2]]


def test_three_concurrencies_are_cross_validated(ask: Text, tmp_path: Path) -> None:
    chosen = select(read_csv(ATOM).points, f"{CURVE} and concurrency<=16")
    write_csv(tmp_path / "c.csv", chosen)
    text = ask("calibrate", tmp_path / "c.csv", "-o", tmp_path / "fit.yaml")
    calibration = load_calibration(str(tmp_path / "fit.yaml"))
    assert set(calibration.errors["leave_one_concurrency_out"]) == {"total_tok_s_gpu", "tpot", "ttft"}
    assert "left out" in calibration.noise_source
    assert "each concurrency left out" in text


def test_an_unknown_acceptance_length_is_fitted_and_supplied(ask: Text, tmp_path: Path) -> None:
    """SGLang MTP on random tokens, where published lengths are 2.4 to 3.4."""
    rows = select(read_csv(SGLANG).points, "precision=FP8 and spec=mtp")
    write_csv(tmp_path / "mtp.csv", ends(rows))
    text = ask("calibrate", tmp_path / "mtp.csv", "-o", tmp_path / "fit.yaml")
    calibration = load_calibration(str(tmp_path / "fit.yaml"))
    assert calibration.acceptance is not None
    assert 2.2 < calibration.acceptance.length < 3.6
    assert calibration.covariance.names[-1] == "acceptance.length"
    assert "acceptance length at depth 3" in text
    line = [
        "predict",
        "--precision",
        "fp8",
        "--tp",
        "4",
        "--mtp",
        "3",
        "--concurrency",
        "8",
        "--format",
        "json",
        "--calibration",
    ]
    meta = json.loads(ask(*line, tmp_path / "fit.yaml"))["meta"]
    assert meta["acceptance_source"] == "fitted by calibration fit"


# --- applying it elsewhere


def edited(path: Path, target: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(content)
    target.write_text(yaml.safe_dump(content), encoding="utf-8")
    return target


EDITS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "value": lambda c: c["parameters"]["comm.latency_us"].update(value=9.9),
    "noise": lambda c: c["noise"].update(tpot=0.001),
    "scope": lambda c: c["scope"].update(engine=[]),
    "data": lambda c: c.update(data=[]),
    "no hash": lambda c: c.update(hash=""),
    "covariance": lambda c: c["covariance"]["matrix"][0].__setitem__(0, 1e-9),
}


@pytest.mark.parametrize("change", EDITS.values(), ids=list(EDITS))
def test_a_file_edited_by_hand_is_refused(
    fitted: Path, refused: Text, tmp_path: Path, change: Callable[[dict[str, Any]], Any]
) -> None:
    message = refused("predict", *COVERED, "--calibration", edited(fitted, tmp_path / "hand.yaml", change))
    assert "hand.yaml: hash: " in message
    assert "changed after it was fitted" in message


def test_a_file_saved_in_another_style_of_yaml_is_still_itself(fitted: Path, ask: Text, tmp_path: Path) -> None:
    same = edited(fitted, tmp_path / "same.yaml", lambda content: None)
    assert same.read_bytes() != fitted.read_bytes()
    ask("predict", *COVERED, "--calibration", same)


ELSEWHERE = {
    "engine vllm": "--engine vllm --precision fp8",
    "precision fp4": "--engine atom --precision fp4",
    "hardware h200": "--hardware h200 --engine atom --precision fp8",
}


@pytest.mark.parametrize(("what", "options"), ELSEWHERE.items(), ids=list(ELSEWHERE))
def test_another_engine_precision_or_hardware_needs_force_and_is_marked(
    fitted: Path, refused: Text, ask: Text, what: str, options: str
) -> None:
    line = ["predict", *options.split(), "--tp", "8", "--concurrency", "4", "--calibration", str(fitted)]
    message = refused(*line)
    assert f"does not cover {what} (fitted to " in message
    assert "--force" in message
    meta = json.loads(ask(*line, "--force", "--format", "json"))["meta"]
    assert any(entry.startswith(what) for entry in meta["forced_outside_calibration"])
    assert what in " ".join(ask(*line, "--force").split())


def test_evaluate_marks_a_forced_calibration(fitted: Path, refused: Text, ask: Text) -> None:
    line = ["evaluate", SGLANG, "--select", "precision=FP8 and spec=off and concurrency=4", "--calibration", fitted]
    assert "does not cover engine sglang (fitted to atom)" in refused(*line)
    assert "FORCED" in ask(*line, "--force")
    meta = json.loads(ask(*line, "--force", "--format", "json"))["meta"]
    assert meta["forced_outside_calibration"] == ["engine sglang (fitted to atom)"]


def test_a_prior_of_another_engine_is_refused(two_points: Path, refused: Text) -> None:
    message = refused("calibrate", two_points, "--prior", "sglang-mi355x-fp8-2026-08", "-o", "x.yaml")
    assert "does not cover engine atom" in message


# --- bad input


def row(**cells: str) -> str:
    names = HEADER.split(",")
    return ",".join(cells.get(name, cell) for name, cell in zip(names, GOOD.split(","), strict=True))


BAD: dict[str, tuple[list[str], list[str]]] = {
    "missing column": ([HEADER.replace(",tp", ""), GOOD.replace(",4,4,", ",4,")], ["missing column 'tp'", "--set tp="]),
    "misspelt column": ([HEADER.replace("precision", "precison"), GOOD], ["'precison'", "'precision'", "misspelt"]),
    "no metric": ([HEADER.rsplit(",", 3)[0], GOOD.rsplit(",", 3)[0]], ["no metric", "mean_tpot_ms"]),
    "TTFT in seconds": ([HEADER, row(mean_ttft_ms="0.13484")], ["line 2", "mean_ttft_ms", "seconds", "milliseconds"]),
    "TPOT in seconds": ([HEADER, row(mean_tpot_ms="0.0091")], ["line 2", "mean_tpot_ms", "seconds", "milliseconds"]),
    "NaN": ([HEADER, OTHER, row(mean_tpot_ms="NaN")], ["line 3", "mean_tpot_ms", "'NaN'"]),
    "zero": ([HEADER, row(total_tok_s_gpu="0")], ["line 2", "total_tok_s_gpu", "'0'", "> 0"]),
    "negative": ([HEADER, row(mean_ttft_ms="-5")], ["line 2", "mean_ttft_ms", "'-5'", "> 0"]),
    "duplicate": ([HEADER, GOOD, OTHER, GOOD], ["line 4", "duplicate of line 2"]),
    "no usable row": ([HEADER, GOOD.rsplit(",", 3)[0] + ",,,"], ["no usable row"]),
    "header alone": ([HEADER], ["no usable row"]),
    "two engines": ([HEADER, GOOD, row(engine="vLLM")], ["several engine values", "atom, vllm", "--select"]),
    "two machines": ([HEADER, GOOD, row(hardware="MI300X", precision="FP8", tp="8")], ["several hardware values"]),
    "unknown engine": ([HEADER, GOOD, row(engine="vLM")], ["line 3", "unknown engine 'vlm'", "'vllm'"]),
    "unknown hardware": ([HEADER, row(hardware="MI35X")], ["line 2", "unknown hardware"]),
    "impossible TP": ([HEADER, row(tp="3")], ["line 2", "tp 3 must divide"]),
    "does not fit": ([HEADER, row(hardware="H100", precision="FP8")], ["line 2", "does not fit", "budget"]),
    "osl 1 with a TPOT": ([HEADER, row(osl="1", total_tok_s_gpu="", mean_ttft_ms="")], ["line 2", "mean_tpot_ms"]),
    "long output": ([HEADER, row(osl="9999999", total_tok_s_gpu="")], ["line 2", "--osl", "9999999"]),
    "concurrency": ([HEADER, row(concurrency="2000000", total_tok_s_gpu="")], ["line 2", "concurrency", "2000000"]),
}


@pytest.mark.parametrize(("text", "parts"), BAD.values(), ids=list(BAD))
def test_bad_data_end_with_the_file_and_the_place(
    refused: Text, tmp_path: Path, text: list[str], parts: list[str]
) -> None:
    path = lines(tmp_path, *text)
    commands = [["calibrate", path, "-o", "fit.yaml", QUICK]]
    if not any("several" in part for part in parts):
        commands.append(["evaluate", path])
    for command in commands:
        message = refused(*command)
        assert all(part in message for part in parts), message
        assert "several" in message or "runs.csv" in message


def test_an_acceptance_length_beyond_the_depth(refused: Text, tmp_path: Path) -> None:
    path = lines(tmp_path, f"{HEADER},acceptance_length", row(spec="mtp") + ",4.5")
    for command in (["calibrate", path, "-o", "fit.yaml"], ["evaluate", path]):
        message = refused(*command)
        assert "runs.csv: line 2: --acceptance-length: expected a length in [1, 4]" in message


def test_a_frontier_of_one_point(refused: Text, tmp_path: Path) -> None:
    head, first, *_ = FRONTIER.read_text(encoding="utf-8").splitlines()
    path = lines(tmp_path, head, first, name="front.csv")
    for command in (["calibrate", path, "-o", "fit.yaml"], ["evaluate", path]):
        message = refused(*command)
        assert "front.csv" in message
        assert "line 2: the only point of its frontier" in message


def test_a_selection_that_leaves_one_point_of_a_frontier(refused: Text) -> None:
    message = refused("calibrate", FRONTIER, "--select", "interactivity_tok_s_user=44", "-o", "fit.yaml")
    assert f"{FRONTIER}: line 2: a frontier series needs at least 2 points, found 1" in message


def test_points_and_frontier_of_different_engines(refused: Text) -> None:
    message = refused("calibrate", ATOM, FRONTIER, "-o", "fit.yaml")
    assert "several engine values in one fit: found atom, sglang" in message


def test_one_run_in_two_files(refused: Text, two_points: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.csv"
    shutil.copy(two_points, copy)
    message = refused("calibrate", two_points, copy, "-o", "fit.yaml")
    assert f"{copy}: line 2: duplicate of {two_points} line 2" in message


COMMANDS = {
    "calibrate": "at least one measured file",
    "calibrate nothing.csv -o fit.yaml": "nothing.csv: cannot be read: No such file",
    "calibrate ATOM": "expected -o FIT.yaml",
    "calibrate ATOM -o fit.txt": "-o fit.txt: expected a file that ends in .yaml",
    "calibrate ATOM -o no/where/fit.yaml": "-o no/where/fit.yaml: cannot be written",
    "calibrate ATOM -o fit.yaml --select engine=vLLM": "selects none of 471 rows",
    "calibrate ATOM -o fit.yaml --select engin=ATOM": "unknown column 'engin'",
    "calibrate ATOM -o fit.yaml --select precision": "--select 'precision'",
    "calibrate ATOM -o fit.yaml --prior atom": "unknown calibration 'atom'",
    "calibrate ATOM -o fit.yaml --check": "--check compares shipped files",
    "calibrate ATOM --shipped": "--shipped makes the shipped files",
    "calibrate --shipped -o fit.yaml": "--shipped makes the shipped files",
}


@pytest.mark.parametrize(("line", "part"), COMMANDS.items(), ids=list(COMMANDS))
def test_bad_command_lines(refused: Text, line: str, part: str) -> None:
    assert part in refused(*(str(ATOM) if word == "ATOM" else word for word in line.split()))


def test_a_failed_fit_leaves_the_earlier_file(fitted: Path, refused: Text, tmp_path: Path) -> None:
    shutil.copy(fitted, tmp_path / "fit.yaml")
    refused("calibrate", lines(tmp_path, HEADER, row(mean_ttft_ms="0.13")), "-o", "fit.yaml")
    assert (tmp_path / "fit.yaml").read_bytes() == fitted.read_bytes()


def test_a_fit_made_with_a_model_file_accepts_the_file(tmp_path: Path) -> None:
    """The scope names the profile, not the file; the file of a model of another shape is still refused."""
    shipped = read_mapping("model", "qwen3.5-397b-a17b")
    files = {name: tmp_path / f"{name}.yaml" for name in ("mine", "other")}
    for (name, path), vocabulary in zip(files.items(), (248_000, 249_000), strict=True):
        path.write_text(yaml.safe_dump({**shipped, "name": name, "vocabulary": vocabulary}))
    rows = shipped_measurements("sglang_mi355x_8k1k.csv")
    chosen = "precision=FP4 and tp=4 and spec=off"
    session = calibrate(rows, name="fit", select=chosen, model=str(files["mine"]), cross_validate=False)
    session.write(tmp_path / "fit.yaml")
    assert session.content["scope"]["model"] == ["mine"]
    scenario = {"calibration": str(tmp_path / "fit.yaml"), "tp": 4, "isl": 8192, "checkpoint": "mxfp4"}
    assert make_scenario(model=str(files["mine"]), **scenario).calibration.name == "fit"
    with pytest.raises(InputError, match="model other"):
        make_scenario(model=str(files["other"]), **scenario)
