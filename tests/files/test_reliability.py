"""Inputs that once ended in a traceback or in silence (``data/reliability/README.md``): each is answered in a sentence
that names the file, the line and the key."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest

from simulator.cli import run
from simulator.cost.calibration import load_calibration
from simulator.errors import InputError
from simulator.facts.reading import load_hardware
from simulator.files.limits import limits
from simulator.measurements import read_csv, write_csv

DATA = Path(__file__).parent / "data" / "reliability"
ANSWERS = {
    "profiles hardware date.yaml": "line 2: vendor: input should be 'amd' or 'nvidia', found '2023-13-45'",
    "profiles hardware h1.yaml": "line 3: hbm_capacity.value: a number of 5,000 digits; expected at most 30",
    "profiles hardware h2.yaml": "line 3: hbm_capacity.value: a number of 400 digits; expected at most 30",
    "profiles hardware h7.yaml": "line 20: hbm_bandwidth: found twice, first in line 4; expected each key once",
    "profiles hardware h10.yaml": r"line 20: '\x1b[31mKEY\x1b[0m': unknown key",
    "profiles hardware h17.yaml": "line 4: hbm_bandwidth: 8 GB/s is implausible; expected 100 to 100,000 GB/s, or "
    "--allow-implausible",
    "profiles hardware h18.yaml": "line 4: hbm_bandwidth: 1e-300 TB/s cannot be computed with",
    "profiles engine yaml-2424-f24-2424.yaml": "line 5: split_prompts: found twice, first in line 4",
    "profiles engine yaml-306-f6-306.yaml": "line 7: workspace: tag tag:yaml.org,2002:bool; expected plain values",
    "profiles calibration yaml-642-f42-642.yaml": "line 111: covariance.matrix.6.8: a number of 41 digits",
    "simulate --trace trace-bigint.jsonl": "line 1: a number of 400 digits; expected at most 30",
    "simulate --trace trace-deep.jsonl": "line 1: nested too deep to be read",
    "simulate --trace trace-digits.jsonl": "line 1: a number of 5,000 digits; expected at most 30",
}


@pytest.mark.parametrize(("line", "answer"), ANSWERS.items(), ids=list(ANSWERS))
def test_each_is_answered(
    line: str, answer: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(DATA)
    assert run(line.split()) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("mtpsim: error: ")
    assert answer in said.err
    assert line.split()[-1] in said.err
    assert "\x1b" not in said.err


def test_the_same_files_are_refused_where_they_are_used(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(DATA)
    assert run(["predict", "--concurrency", "4", "--hardware", "h17.yaml"]) == 2
    assert "hbm_bandwidth: 8 GB/s is implausible" in capsys.readouterr().err
    assert run(["predict", "--concurrency", "4", "--calibration", "yaml-642-f42-642.yaml"]) == 2
    assert "covariance.matrix.6.8" in capsys.readouterr().err


def test_who_insists_gets_eight_gigabytes_a_second() -> None:
    with limits(implausible=True):
        assert load_hardware(str(DATA / "h17.yaml")).hbm_bandwidth == 8e9
    with pytest.raises(InputError, match="implausible"):
        load_hardware(str(DATA / "h17.yaml"))


def test_nobody_gets_what_cannot_be_computed_with(tmp_path: Path) -> None:
    with limits(implausible=True), pytest.raises(InputError, match="line 4: hbm_bandwidth: 1e-300 TB/s cannot be"):
        load_hardware(str(DATA / "h18.yaml"))
    with limits(implausible=True), pytest.raises(InputError, match="digits"):
        load_calibration(str(DATA / "yaml-642-f42-642.yaml"))


@pytest.mark.parametrize(
    "line",
    [
        "profiles hardware h9.yaml",
        "profiles hardware h9.yaml --format csv",
        "predict --concurrency 4 --method closed-form --hardware h9.yaml",
        *(
            f"{command} {name}.csv"
            for command in ("validate", "evaluate --method closed-form", "evaluate --method closed-form --format csv")
            for name in ("esc-source", "esc-engine", "esc-header", "inj")
        ),
    ],
)
def test_what_others_wrote_commands_neither_terminal_nor_spreadsheet(
    line: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(DATA)
    assert run(line.split()) in ((2,) if "evaluate" in line and "esc-engine" in line else (0, 3, 4))
    said = capsys.readouterr()
    assert said.out or said.err
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", said.out + said.err)
    if line.endswith("--format csv"):
        cells = [cell for row in csv.reader(io.StringIO(said.out)) for cell in row]
        assert [cell for cell in cells if cell.startswith(("=", "@"))] == []


def test_formulas_of_measured_rows_are_written_as_text_and_read_back(tmp_path: Path) -> None:
    rows = read_csv(DATA / "inj.csv").rows
    write_csv(tmp_path / "rows.csv", rows)
    with (tmp_path / "rows.csv").open(newline="", encoding="utf-8") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert [cell for cell in cells if cell.startswith(("=", "@"))] == []
    assert {row.source for row in read_csv(tmp_path / "rows.csv").rows} == {row.source for row in rows}
