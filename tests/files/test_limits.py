"""Limits: what is too much is refused before memory is taken, and one option raises each of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from simulator import InputError, limits
from simulator.cli import run
from simulator.files.limits import LIMITS, current, within
from simulator.files.reading import read_bytes

TOO_MUCH = {
    "what-if acceptance --rates 0..1:1000000000": ("points", "--rates 0..1:1000000000: 1,000,000,000"),
    "what-if sweep --concurrency 1..100:90000000": ("points", "--concurrency 1..100:90000000: 90,000,000"),
    "what-if sweep --rates 0..1:900000": ("points", "100,800,000"),
    "what-if sensitivity --samples 1073741824": ("draws", "--samples 1073741824: 18,253,611,008"),
    "predict --queue-over-memory --concurrency 1000000 --requests-per-client 100000": ("requests", "100,000,000,000"),
    "simulate --rate 100000 --duration 100h": ("requests", "36,000,000,000"),
    "validate /dev/zero --limit file-mb=1": ("file-mb", "/dev/zero"),
    "simulate --trace /dev/zero --limit file-mb=1": ("file-mb", "/dev/zero"),
}


@pytest.mark.parametrize(("line", "said"), TOO_MUCH.items(), ids=list(TOO_MUCH))
def test_too_much_is_refused_with_the_number_and_the_option(
    line: str, said: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(line.split()) == 2
    found = capsys.readouterr()
    name, number = said
    assert found.out == ""
    assert number in found.err
    assert LIMITS[name] in found.err
    assert re.search(rf"--limit {name}=\d+", found.err)


def test_the_option_that_a_refusal_names_lifts_it(capsys: pytest.CaptureFixture[str]) -> None:
    line = [
        "what-if",
        "acceptance",
        "--rates",
        "0..1:12",
        "--concurrency",
        "4",
        "--method",
        "closed-form",
        "--limit",
        "points=11",
    ]
    assert run(line) == 2
    (raised,) = re.findall(r"--limit points=\d+", capsys.readouterr().err)
    assert run([*line[:-2], *raised.split()]) == 0
    assert current().points == 1e6


def test_rows_and_size_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = tmp_path / "trace.csv"
    trace.write_text("arrival_s,input_tokens,output_tokens\n" + "".join(f"{i},10,10\n" for i in range(50)))
    line = ["simulate", "--trace", str(trace)]
    assert run([*line, "--limit", "rows=40"]) == 2
    assert "51 is over the limit of 40 (rows of one file)" in capsys.readouterr().err
    assert run([*line, "--limit", "file-mb=0.0001"]) == 2
    assert "--limit file-mb=" in capsys.readouterr().err
    assert run([*line, "--limit", "rows=51"]) == 0


def test_a_row_that_would_not_fit_in_memory_is_refused_with_the_estimate() -> None:
    within("rows", 1e6, "rows.csv", bytes_each=3999)
    with pytest.raises(
        InputError, match=r"rows\.csv: about 4\.001 GB of memory for 1,000,000 are over .* 4 GB; --limit"
    ):
        within("rows", 1e6, "rows.csv", bytes_each=4001)


def test_limits_hold_inside_the_block_alone() -> None:
    with limits(rows=5, implausible=True) as now:
        assert (now.rows, now.implausible, current()) == (5, True, now)
        with limits(points=3):
            assert (current().rows, current().points) == (5, 3)
    assert (current().rows, current().implausible) == (5e6, False)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("row=3", "did you mean 'rows'?"),
        ("rows", "expected NAME=N"),
        ("rows=many", "expected NAME=N"),
        ("rows=nan", "limit rows: expected a number above zero, found nan"),
        ("rows=-1", "limit rows: expected a number above zero"),
        ("rows=inf", "limit rows: expected a number above zero"),
    ],
)
def test_a_limit_that_is_none(text: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["predict", "--limit", text]) == 2
    assert said in capsys.readouterr().err


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="here: cannot be read: No such file"):
        read_bytes(tmp_path / "none", "here")
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        read_bytes(tmp_path, "here")
