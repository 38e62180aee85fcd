"""Published frontiers predicted: the shipped table within 3 %, the publisher's sweep, ties, calibrations, bad files."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from simulator import InputError, compare_against, draw, predict, shipped_measurements
from simulator.cli import run
from simulator.cost.calibration import PRIORS, load_calibration
from simulator.fitting.against import Against
from simulator.fitting.frontiers import DEFAULT_SWEEP, sweeps_of
from simulator.measurements import read_csv, write_csv
from simulator.measurements.configuration import Configuration
from simulator.prediction.compare import Rows

NAME = "inferencex-mi355x-fp4-1k1k"
FRONTIER = shipped_measurements("inferencex_frontier_fp4_1k1k.csv")
METRICS = ("total_tok_s_gpu", "cost_usd_per_mtok", "tok_s_per_mw", "concurrency")
FAST: dict[str, Any] = {"method": "closed-form", "intervals": False}


@cache
def shipped() -> Against:
    return compare_against(NAME)


@pytest.fixture
def rewritten(tmp_path: Path) -> Callable[..., Path]:
    """The shipped frontier with other columns, as a user's file."""

    def write(**columns: str | None) -> Path:
        with FRONTIER.open(encoding="utf-8", newline="") as file:
            rows: list[dict[str, Any]] = [{**row, **columns} for row in csv.DictReader(file)]
        kept = [name for name in rows[0] if rows[0][name] is not None]
        path = tmp_path / "mine.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, kept, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
        return path

    return write


# --- the shipped table


def test_every_cell_of_the_published_table_is_within_3_percent() -> None:
    assert len(shipped().rows) == 6
    for row in shipped().rows:
        for metric in METRICS[:3]:
            assert abs(row[f"predicted_{metric}"] / row[metric] - 1.0) < 0.03, (row["spec"], metric)
        found, published = row["predicted_concurrency"], row["concurrency"]
        assert abs(found - published) <= max(2.0, 0.1 * published)


def test_rows_are_the_published_ones_in_their_order() -> None:
    for row, point in zip(shipped().rows, read_csv(FRONTIER).frontier, strict=True):
        for name in ("spec", "interactivity_tok_s_user", "hardware", "model", "precision", "isl", "osl", *METRICS):
            assert row[name] == getattr(point, name)
        for metric in METRICS:
            assert row[f"error_{metric}"] == pytest.approx(row[f"predicted_{metric}"] / row[metric] - 1.0)
        for metric in ("total_tok_s_gpu", "cost_usd_per_mtok"):
            assert row[f"{metric}_lo"] < row[f"predicted_{metric}"] < row[f"{metric}_hi"]


def test_what_little_s_law_reads_decides_a_tie() -> None:
    """Two GPUs in five cells and four in one (``simulator/measurements/published/README.md``)."""
    assert [row["tp"] for row in shipped().rows] == [2, 2, 2, 2, 2, 4]
    (row,) = [row for row in shipped().rows if row["tie"]]
    assert (row["spec"], row["interactivity_tok_s_user"]) == ("off", 84.0)
    assert "read on TP4, which Little's law reads from the published row" in row["tie"]
    assert "TP2 would give" in row["tie"]
    assert sum(row["tie"] in text for text in shipped().sentences) == 1


def test_without_a_published_concurrency_nothing_settles_the_tie(rewritten: Callable[..., Path]) -> None:
    row = compare_against(rewritten(concurrency=None), intervals=False).rows[-1]
    assert row["tp"] is None
    assert row["tie"].startswith("a tie of replica sizes")
    assert "read on the front of all runs" in row["tie"]
    assert "(561 tok/s/GPU with 15.2 clients); TP2 would give 548 tok/s/GPU with 8.0 clients" in row["tie"]
    assert row["predicted_concurrency"] == pytest.approx(15.1, abs=0.2)


def test_the_names_of_one_frontier() -> None:
    short = compare_against(NAME, **FAST).rows
    for name in ("inferencex_frontier_fp4_1k1k", FRONTIER.name, "InferenceX-MI355X-FP4-1k1k", str(FRONTIER), FRONTIER):
        assert compare_against(name, **FAST).rows == short


# --- what was swept


def test_the_file_says_what_the_publisher_swept() -> None:
    sweeps = {p.spec: str(p.sweep) for p in read_csv(FRONTIER).frontier}
    assert sweeps == {"off": "2:4..256;4:4..16", "mtp": "2:4..128;4:4..16"}
    assert {c["spec"]: c["sweep"] for c in shipped().curves} == sweeps


def test_a_file_without_the_column_gets_the_published_sweep(rewritten: Callable[..., Path]) -> None:
    without = read_csv(rewritten(sweep=None)).frontier
    assert {p.sweep for p in without} == {None}
    for found, stated in zip(
        sweeps_of(without, "sglang", None), sweeps_of(read_csv(FRONTIER).frontier, "sglang", None), strict=True
    ):
        assert found.grid == stated.grid


def test_the_default_sweep_is_the_published_one() -> None:
    """TP2 at 4..256 (MTP 4..128) and TP4 at 4..16, in powers of two."""
    wide = tuple((4, c) for c in (4, 8, 16))
    assert DEFAULT_SWEEP["off"].runs == (*((2, c) for c in (4, 8, 16, 32, 64, 128, 256)), *wide)
    assert DEFAULT_SWEEP["mtp"].runs == (*((2, c) for c in (4, 8, 16, 32, 64, 128)), *wide)


def test_the_sweep_of_the_file_is_run_and_one_of_the_user_s_instead(rewritten: Callable[..., Path]) -> None:
    def runs(rows: Rows) -> set[tuple[int, int]]:
        return {(row["tp"], row["concurrency"]) for row in rows}

    mine = compare_against(rewritten(sweep="2:8,32;8:4"), **FAST)
    assert all(runs(points) <= {(2, 8), (2, 32), (8, 4)} for points in mine.swept)
    other = compare_against(FRONTIER, sweep=["2:16..64"], **FAST)
    assert all(runs(points) == {(2, 16), (2, 32), (2, 64)} for points in other.swept)
    (tp2,) = {row["tp"] for points in other.swept for row in points}
    assert tp2 == 2


def test_a_frontier_at_a_run_is_that_run(rewritten: Callable[..., Path]) -> None:
    """Read where a run lies, the front is that run, and what stands beside it is what was published."""
    base = Configuration("mi355x", "qwen3.5-397b-a17b", "sglang", "fp4", None, 2, 1, 1, None, 1024, 1024, 0, None, 1)
    run_ = predict(base.scenario(load_calibration(NAME)), [32], intervals=False).rows[0]
    path = rewritten(interactivity_tok_s_user=str(run_["interactivity_tok_s_user"]), spec="off", sweep="2:8..128")
    for row in compare_against(path, intervals=False).rows:
        for metric in METRICS:
            assert row[f"predicted_{metric}"] == pytest.approx(run_[metric])


def test_beyond_the_front_nothing_is_extrapolated() -> None:
    found = compare_against(FRONTIER, sweep="2:32..64", **FAST)
    row = found.rows[-1]
    assert row["total_tok_s_gpu"] == 562.4
    assert row["predicted_total_tok_s_gpu"] is row["error_total_tok_s_gpu"] is row["predicted_concurrency"] is None
    assert any("Off at 84 tok/s/user: the predicted front does not exist there" in s for s in found.sentences)


# --- front rules


def test_the_rule_comes_from_the_date(rewritten: Callable[..., Path]) -> None:
    """Derived cost x derived throughput is the price of an hour everywhere; splined on its own it is not."""
    for day, rule, exact in (("2026-08-11", "each", False), ("2026-08-12", "derived", True)):
        found = compare_against(rewritten(date=day), **FAST)
        assert found.meta["front_rule"] == rule
        prices = [r["predicted_cost_usd_per_mtok"] * r["predicted_total_tok_s_gpu"] * 3600 / 1e6 for r in found.rows]
        assert all(price == pytest.approx(1.48, rel=1e-12) for price in prices) is exact
    assert compare_against(rewritten(date="2026-09-01"), front_rule="each", **FAST).meta["front_rule"] == "each"
    assert shipped().meta["front_rule"] == "each"
    with pytest.raises(InputError, match="unknown front rule 'all'"):
        compare_against(NAME, front_rule="all")


# --- calibrations


def test_the_calibration_that_covers_the_rows(rewritten: Callable[..., Path]) -> None:
    assert shipped().meta["calibration"] == NAME
    assert compare_against(NAME, PRIORS, **FAST).meta["calibration"] == PRIORS
    longer = compare_against(rewritten(isl="8192"), **FAST)
    assert longer.meta["calibration"] == "sglang-mi355x-fp4-2026-09"
    between = compare_against(rewritten(isl="4096"), **FAST)
    assert any("was fitted to inputs of" in s and "these rows have 4096" in s for s in between.sentences)
    elsewhere = compare_against(rewritten(hardware="b200", sweep="4:4..64"), **FAST)
    assert "no calibration covers these rows: the prediction rests on kernel priors alone" in elsewhere.sentences


def test_a_calibration_of_something_else_only_by_force() -> None:
    with pytest.raises(InputError, match="calibration atom-mi355x does not cover engine sglang"):
        compare_against(NAME, "atom-mi355x")
    assert compare_against(NAME, "atom-mi355x", force=True, **FAST).meta["forced_outside_calibration"]


def test_the_acceptance_of_the_rows_goes_first(tmp_path: Path) -> None:
    rows = [p if p.spec == "off" else type(p)(**{**vars(p), "acceptance_length": 3.4}) for p in _frontier()]
    write_csv(tmp_path / "mine.csv", rows)
    assert [str(p.sweep) for p in read_csv(tmp_path / "mine.csv").frontier] == [str(p.sweep) for p in rows]
    faster = compare_against(tmp_path / "mine.csv", **FAST).rows[0]["predicted_total_tok_s_gpu"]
    assert faster > compare_against(NAME, **FAST).rows[0]["predicted_total_tok_s_gpu"]


def _frontier() -> list[Any]:
    return list(read_csv(FRONTIER).frontier)


# --- the command


def test_the_command_gives_the_document_of_the_function(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", "--against", NAME, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(shipped().to_json())
    assert run(["compare", "--against", NAME, "--format", "csv", "--method", "closed-form"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == 6
    assert {f"{start}{metric}" for start in ("", "predicted_", "error_") for metric in METRICS} <= set(rows[0])


def test_the_table_shows_published_and_predicted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    assert run(["compare", "--against", NAME, "--plot", str(tmp_path / "picture.svg")]) == 0
    text = capsys.readouterr().out
    assert "2222 / 2213 -0.4 %" in text
    assert "838 / 835" in text
    assert "Off *" in text
    assert "Off at 84 tok/s/user: a tie of replica sizes" in text
    assert "swept MTP: TP2:4..128, TP4:4..16" in text
    assert (tmp_path / "picture.svg").stat().st_size > 10_000
    monkeypatch.setenv("COLUMNS", "60")
    assert run(["compare", "--against", NAME, "--method", "closed-form"]) == 0
    narrow = capsys.readouterr().out
    assert max(map(len, narrow.splitlines())) <= 60
    assert "Not shown for lack of room: per power, cost" in " ".join(narrow.split())


def test_the_picture_of_several_curves(tmp_path: Path) -> None:
    rows = _frontier()
    longer = [type(p)(**{**vars(p), "isl": 2048, "line": p.line + 100}) for p in rows]
    write_csv(tmp_path / "two.csv", [*rows, *longer])
    found = compare_against(tmp_path / "two.csv", **FAST)
    assert len(found.curves) == 4
    (left, _) = draw(found).axes
    assert [text.get_text() for text in left.get_legend().get_texts()] == [
        "1024 MTP",
        "1024 Off",
        "2048 MTP",
        "2048 Off",
    ]


BAD = {
    "--against nope": "unknown published frontier 'nope' (known: inferencex-frontier-fp4-1k1k, inferencex-mi355x",
    "--against inferencex-mi355x-fp4-1k2k": f"did you mean '{NAME}'?",
    "--against no/such.csv": "no/such.csv: cannot be read: No such file or directory",
    f"--against {shipped_measurements('sglang_mi355x_8k1k.csv')}": "a file of runs; expected points of a frontier",
    f"--against {NAME} --tp 2 --at 44": "the published rows say what runs; expected no --tp, --at beside it",
    f"--against {NAME} --sweep 2": "--sweep: expected TP:clients such as 2:4..256 or 4:4,8,16, found '2'",
    f"--against {NAME} --front-rule both": "unknown front rule 'both' (known: derived, each)",
    f"--against {NAME} --calibration atom-mi355x": "calibration atom-mi355x does not cover engine sglang",
}


@pytest.mark.parametrize(("options", "said"), BAD.items(), ids=list(BAD))
def test_bad_input(options: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", *options.split()]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("sweep", "said"),
    [
        ("2", "line 2, column 'sweep': expected TP:clients such as 2:4..256 or 4:4,8,16, found '2'"),
        ("2:4..256;", "line 2, column 'sweep': expected TP:clients such as 2:4..256 or 4:4,8,16, found ''"),
        ("2:x", "line 2, column 'sweep': expected whole numbers such as 4,8,16 or powers of two such as 4..256"),
        ("2:4;2:8", "line 2, column 'sweep': expected each TP once, found 2 twice"),
        ("0:4", "line 2, column 'sweep': expected whole numbers from 1 to 1000000, found 0 in '0:4'"),
        ("2:5..7", "line 2, column 'sweep': expected a range with a power of two in it, such as 4..256, found 5..7"),
    ],
)
def test_a_sweep_that_cannot_be_read(rewritten: Callable[..., Path], sweep: str, said: str) -> None:
    path = rewritten(sweep=sweep)
    with pytest.raises(InputError) as fault:
        compare_against(path)
    assert str(fault.value).startswith(f"{path}: 6 faults")
    assert said in str(fault.value)


def test_two_sweeps_of_one_frontier(tmp_path: Path) -> None:
    rows = _frontier()
    path = tmp_path / "mine.csv"
    write_csv(path, rows)
    path.write_text(path.read_text(encoding="utf-8").replace("2:4..256;4:4..16", "2:4..64", 1), encoding="utf-8")
    with pytest.raises(InputError, match=r"line 5, column 'sweep': found 2:4..256;4:4..16, but line 3 .* has 2:4..64"):
        compare_against(path)
