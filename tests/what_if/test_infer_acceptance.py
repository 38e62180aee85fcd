"""Inferred acceptance: shipped pairs, planted lengths, and pairs that no single length explains."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from simulator import cli, infer_acceptance, load_calibration, make_scenario, predict, shipped_measurements
from simulator.errors import InputError

FOLDER = shipped_measurements("atom_mi355x_tp4.csv").parent
ATOM, SGLANG = str(FOLDER / "atom_mi355x_tp4.csv"), str(FOLDER / "sglang_mi355x_8k1k.csv")
COUNTS = (4, 16, 64)


def run(*arguments: str) -> Any:
    result = CliRunner().invoke(cli.group, ["infer-acceptance", *arguments])
    if isinstance(result.exception, InputError):
        return str(result.exception)
    assert result.exception is None, result.output
    return result.output


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


def planted(length: float, k: int = 3, slower: float = 1.0, stated: float | str = "") -> list[dict[str, Any]]:
    """Rows that the model itself predicts, MTP with a length and rounds dearer by a factor."""
    common = {"isl": 8192, "tp": 2, "calibration": "sglang-mi355x-fp4-2026-09"}
    rows = []
    for spec, factor in (({"mtp": k, "acceptance_length": length}, slower), ({}, 1.0)):
        table = predict(make_scenario(**common, **spec), COUNTS, seed=7, intervals=False)
        for found in table.rows:
            rows.append(
                {
                    "hardware": "MI355X",
                    "model": "Qwen3.5-397B-A17B",
                    "precision": "FP4",
                    "engine": "SGLang",
                    "spec": "mtp" if spec else "off",
                    "spec_tokens": k if spec else "",
                    "acceptance_length": stated if spec else "",
                    "isl": 8192,
                    "osl": 1024,
                    "tp": 2,
                    "concurrency": found["concurrency"],
                    "mean_tpot_ms": found["mean_tpot_ms"] * factor,
                }
            )
    return rows


def test_shipped_atom_fp8_pair() -> None:
    found = json.loads(run(ATOM, ATOM, "--calibration", "atom-mi355x", "--format", "json"))
    pooled, fitted = found["pooled"], load_calibration("atom-mi355x").acceptance
    assert fitted is not None
    assert pooled["lo"] < fitted.length < pooled["hi"]
    assert pooled["hi"] - pooled["lo"] < 0.5
    assert pooled["one_value_explains_all"] is True
    assert {p["concurrency"] for p in found["points"]} == {4, 8, 16, 32, 64, 128, 256}
    assert all(p["lo"] <= p["acceptance_length"] <= p["hi"] for p in found["points"])


def test_drafts_never_accepted_give_one(tmp_path: Path) -> None:
    """The rows of the shipped file whose true length is 1, as files of their own, the column blanked."""
    with open(ATOM) as file:
        rows = [row for row in csv.DictReader(file) if row["precision"] == "FP8" and row["isl"] == "8192"]
    off = write(tmp_path / "off.csv", [row for row in rows if row["spec"] == "off"])
    never = [{**row, "acceptance_length": ""} for row in rows if row["acceptance_length"] == "1.0"]
    found = infer_acceptance(off, write(tmp_path / "mtp.csv", never), "atom-mi355x")
    assert found.pooled["lo"] == 1.0
    assert found.pooled["acceptance_length"] < 1.05
    assert found.pooled["hi"] < 1.15
    assert all(p["lo"] == 1.0 for p in found.points)
    same = infer_acceptance(ATOM, ATOM, "atom-mi355x", select="acceptance_length=1")
    assert same.pooled == found.pooled


def test_the_stated_length_is_not_used(tmp_path: Path) -> None:
    blank = write(tmp_path / "blank.csv", planted(2.5))
    wrong = write(tmp_path / "wrong.csv", planted(2.5, stated=3.9))
    assert infer_acceptance(blank, blank).pooled == infer_acceptance(wrong, wrong).pooled


@pytest.mark.parametrize("length", [1.2, 2.0, 2.8, 3.6])
def test_planted_length_is_found(tmp_path: Path, length: float) -> None:
    path = write(tmp_path / "planted.csv", planted(length))
    found = infer_acceptance(path, path, "sglang-mi355x-fp4-2026-09")
    assert found.pooled["acceptance_length"] == pytest.approx(length, rel=0.03)
    assert found.pooled["lo"] < length < found.pooled["hi"]
    assert found.pooled["one_value_explains_all"]


def test_a_length_that_changes_with_the_load_is_told(tmp_path: Path) -> None:
    rows = [*planted(3.6)[:1], *planted(2.6)[1:2], *planted(1.5)[2:]]
    path = write(tmp_path / "mixed.csv", rows)
    found = infer_acceptance(path, path)
    assert found.pooled["one_value_explains_all"] is False
    assert any("does not explain" in s for s in found.sentences)


def test_a_dearer_round_looks_like_a_lower_acceptance_and_the_interval_says_why(tmp_path: Path) -> None:
    path = write(tmp_path / "dear.csv", planted(2.8, slower=1.1))
    found = infer_acceptance(path, path, "sglang-mi355x-fp4-2026-09")
    assert found.pooled["acceptance_length"] < 2.65
    assert found.pooled["sd_from_round_cost"] > found.pooled["sd_from_noise"]
    assert any("cost of a round" in s for s in found.sentences)
    vague = infer_acceptance(path, path, "kernel-priors")
    assert vague.pooled["hi"] - vague.pooled["lo"] > found.pooled["hi"] - found.pooled["lo"]


def test_table_and_csv(tmp_path: Path) -> None:
    path = write(tmp_path / "planted.csv", planted(2.5))
    assert "imply 2.5" in run(path, path)
    assert run(path, path, "--format", "csv").startswith("curve,concurrency")


def test_bad_input(tmp_path: Path) -> None:
    rows = planted(2.5)
    off = write(tmp_path / "off.csv", [r for r in rows if r["spec"] == "off"])
    mtp = write(tmp_path / "mtp.csv", [r for r in rows if r["spec"] == "mtp"])
    assert "no Off curve to compare with" in run(mtp, mtp)
    assert "no MTP curve" in run(off, off)
    elsewhere = write(tmp_path / "tp4.csv", [{**r, "tp": 4} for r in rows if r["spec"] == "off"])
    message = run(elsewhere, mtp)
    assert "no Off curve to compare with" in message
    assert "TP4" in message
    assert "No such file" in run(str(tmp_path / "none.csv"), mtp)
    assert "does not cover" in run(off, mtp, "--calibration", "atom-mi355x")


def test_blank_optional_columns_do_not_part_rows(tmp_path: Path) -> None:
    """One side states checkpoint, KV format, date and notes, the other leaves them blank: the pairs are the same."""
    rows = planted(2.5)
    said = {"checkpoint": "amd/Qwen3.5-397B-A17B-MXFP4", "kv_cache_dtype": "fp8", "date": "2026-09-14", "notes": "n"}
    blank = dict.fromkeys(said, "")
    both = [{**row, **said} for row in rows]
    mtp = [{**row, **said} for row in rows if row["spec"] == "mtp"]
    off = [{**row, **blank} for row in rows if row["spec"] == "off"]
    whole = write(tmp_path / "both.csv", both)
    expected = infer_acceptance(whole, whole, method="closed-form")
    for first, second in ((off, mtp), ([{**row, **said} for row in off], [{**row, **blank} for row in mtp])):
        found = infer_acceptance(
            write(tmp_path / "off.csv", first), write(tmp_path / "mtp.csv", second), method="closed-form"
        )
        assert found.pooled["acceptance_length"] == pytest.approx(expected.pooled["acceptance_length"])
        assert len(found.points) == len(COUNTS)


def test_itl_over_tpot_is_told_where_both_are_there(tmp_path: Path) -> None:
    """A stream of one message a round: ITL is the acceptance length times TPOT, whatever the model thinks."""
    rows = [
        {**row, "mean_itl_ms": (2.5 if row["spec"] == "mtp" else 1.0) * float(row["mean_tpot_ms"])}
        for row in planted(2.5)
    ]
    path = write(tmp_path / "rows.csv", rows)
    found = infer_acceptance(path, path, method="closed-form")
    assert [point["itl_over_tpot"] for point in found.points] == pytest.approx([2.5] * len(COUNTS))
    assert any("ITL / TPOT of 3 MTP rows says 2.50 tokens per round" in line for line in found.sentences)
    bare = infer_acceptance(write(tmp_path / "bare.csv", planted(2.5)), path, method="closed-form")
    assert not any("ITL" in line for line in infer_acceptance(bare.meta["off"], bare.meta["off"]).sentences)
