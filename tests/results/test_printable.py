"""What others wrote commands neither a terminal nor a spreadsheet."""

from __future__ import annotations

import csv
import io
import os
import re
import subprocess
import sys
import unicodedata
import xml.dom.minidom
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import shipped_measurements
from simulator.cli import run
from simulator.cli.text.page import Column, Page, bold
from simulator.measurements import MeasuredPoint, read_csv, write_csv
from simulator.results.printable import FORMULA, plain_cell, printable, safe_cell
from simulator.results.table import rows_to_csv

EVIL = "\x1b[31mRED\x1b[2J\x1b]0;pwned\x07\x9b1mC1\x7f\u202edesrever"
FORMULAS = ["=HYPERLINK(1)", "+1+1", "-1+1", "@SUM(1)", "\tx", "\uff1dx"]
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def rows_with(tmp_path: Path, column: str, value: str) -> Path:
    """A measured file in which one column holds a value."""
    with shipped_measurements("sglang_mi355x_8k1k.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[:4]
    names = [*rows[0], *([] if column in rows[0] else [column])]
    path = tmp_path / "rows.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(row | {column: value} for row in rows)
    return path


@given(st.text())
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    shown = printable(text)
    assert not CONTROL.search(shown)
    assert {c for c in shown if unicodedata.category(c) == "Cc"} <= {"\t", "\n"}
    if not CONTROL.search(text) and not set(text) & set("\u061c\u200e\u200f\u2028\u2029"):
        assert shown == text


@given(st.text() | st.sampled_from(FORMULAS))
def test_a_cell_begins_no_formula_and_is_read_back(text: str) -> None:
    cell = safe_cell(text)
    if cell.startswith(FORMULA):
        float(cell)
    if not text.startswith("'"):
        assert plain_cell(cell) == printable(text)


def test_a_csv_of_results(tmp_path: Path) -> None:
    text = rows_to_csv([{"=a": 1.5, "b": value} for value in (*FORMULAS, EVIL, "-5", "plain")])
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[0] == ["'=a", "b"]
    assert all(row[1].startswith("'") for row in rows[1 : len(FORMULAS) + 1])
    assert [row[1] for row in rows[-2:]] == ["-5", "plain"]
    assert not CONTROL.search(text)


def test_measured_rows_are_written_and_read_back(tmp_path: Path) -> None:
    (row,) = [r for r in read_csv(shipped_measurements("sglang_mi355x_8k1k.csv")).rows if r.line == 2]
    assert isinstance(row, MeasuredPoint)
    path = tmp_path / "out.csv"
    write_csv(path, [replace(row, source="=1+1", extras={"x": "@y"})])
    assert "'=1+1" in path.read_text(encoding="utf-8")
    (again,) = read_csv(path).rows
    assert (again.source, again.extras) == ("=1+1", {"x": "@y"})


@pytest.mark.parametrize("command", ["validate", "evaluate --method closed-form"])
@pytest.mark.parametrize("column", ["source", "engine", "model", "notes", f"{EVIL}col"])
def test_a_measured_file_commands_no_terminal(
    command: str, column: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = rows_with(tmp_path, column, EVIL)
    for form in ("table", "json"):
        run([*command.split(), str(path), "--format", form])
        found = capsys.readouterr()
        assert found.out or found.err
        assert not CONTROL.search(found.out + found.err)


def test_a_picture_shows_names_as_they_are(tmp_path: Path) -> None:
    """Neither as mathematics, which a dollar sign begins, nor as control characters, which no SVG may hold."""
    path = rows_with(tmp_path, "engine", EVIL + "$\\frac{")
    picture = tmp_path / "picture.svg"
    run(["validate", str(path), "--plot", str(picture)])
    xml.dom.minidom.parse(str(picture))
    assert not CONTROL.search(picture.read_text(encoding="utf-8"))


def test_arguments_and_names_of_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for line in (
        ["predict", EVIL],
        ["predict", "--hardware", EVIL],
        ["validate", EVIL],
        [EVIL],
        ["predict", "--" + EVIL],
    ):
        assert run(line) == 2
        assert not CONTROL.search(capsys.readouterr().err)


def test_bytes_of_arguments_that_are_no_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Python hands them through as halves of characters, which no encoding has."""
    for form in ("table", "json"):
        run(["validate", str(rows_with(tmp_path, "notes", "")), "--model", "\udce4.yaml", "--format", form])
        assert "\\udce4.yaml" in capsys.readouterr().out
    run(
        ["validate", str(rows_with(tmp_path, "notes", "")), "--model", "\udce4.yaml", "--output", str(tmp_path / "out")]
    )
    assert "\\udce4.yaml" in (tmp_path / "out").read_text(encoding="utf-8")


def test_what_an_encoding_lacks_is_spelt_out() -> None:
    code = "import sys; from simulator.cli import main; sys.argv = ['mtpsim', 'predict', '--concurrency', '4']; main()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=True,
    )
    assert done.stdout.isascii()
    assert b"\\xb1" in done.stdout
    assert done.stderr == b""


def test_bold_type_is_the_only_command() -> None:
    """Cells stay one line each, and headers are bold on a terminal."""
    body, _ = Page(80, terminal=True).table([Column(EVIL, "", ["a\nb", EVIL], left=True)])
    assert not CONTROL.search(body)
    assert set(re.findall("\x1b[^m]*m", bold(body))) == {"\x1b[1m", "\x1b[0m"}
    assert len(body.splitlines()) == 3
