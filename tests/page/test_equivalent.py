"""The command and the Python beside an answer give that answer."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest

from simulator.cli import run
from simulator.page.state import read_state
from simulator.page.tabs import TABS
from simulator.page.tabs.check import check, read
from simulator.page.work import Work
from simulator.results.table import clean

STATES: list[dict[str, Any]] = [
    {"sweep": ["2:4,8", "4:4"], "mtp": [0, 3]},
    {"sweep": ["2:4,8"], "mtp": [0, 2], "isl": 8192, "acceptance": "length:2.25", "cost_basis": "rental", "at": [90.0]},
    {"sweep": ["4:4,8"], "mtp": [3], "engine": "atom", "precision": "fp8", "acceptance": "rate:0.7"},
    {"sweep": ["4:4,8"], "mtp": [0, 1], "hardware": ["b200"], "calibration": "none", "at": [60.0]},
    {"sweep": ["2:4,8"], "mtp": [3], "checkpoint": "mxfp4-attnfp8", "acceptance": "profile:qwen3.5-397b-a17b-gsm8k"},
]


def answered(line: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    words = shlex.split(line)
    assert words[0] == "mtpsim"
    assert run([*words[1:], "--format", "json"]) in (0, 3)
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def python(text: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(text, "page", "exec"), names)
    return names


def payload_rows(payload: dict[str, Any]) -> list[dict[str, Any]]:
    rows = [dict(zip(one["columns"], row, strict=True)) for one in payload["series"] for row in one["rows"]]
    return sorted(rows, key=lambda row: (row["tp"], row["spec_tokens"], row["concurrency"]))


@pytest.mark.parametrize("state", STATES)
def test_of_the_curve(state: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    payload = TABS["curve"].answer(read_state(state))
    lines = payload["equivalent"]["command"].split("\n")
    expected = payload_rows(payload)
    order = sorted(
        answered(lines[0], capsys)["rows"], key=lambda row: (row["tp"], row["spec_tokens"], row["concurrency"])
    )
    assert order == expected
    table = python(payload["equivalent"]["python"])["table"]
    found = sorted(clean(list(table.rows)), key=lambda row: (row["tp"], row["spec_tokens"], row["concurrency"]))
    assert found == expected
    for line in lines[1:]:
        if "--against" not in line:
            assert answered(line, capsys)["sentences"] == payload["sentences"][: len(payload["readings"]) // 2 + 1]


def test_of_the_published_readings(capsys: pytest.CaptureFixture[str]) -> None:
    payload = TABS["curve"].answer(read_state({}), Work(intervals=False))
    line = payload["equivalent"]["command"].split("\n")[-1]
    rows = answered(line, capsys)["rows"]
    read = {(row["at"], row["spec"]): row["total_tok_s_gpu"] for row in payload["readings"]}
    assert {(r["interactivity_tok_s_user"], r["spec"]): r["predicted_total_tok_s_gpu"] for r in rows} == read


def test_of_break_even(capsys: pytest.CaptureFixture[str]) -> None:
    payload = TABS["break-even"].answer(read_state({"sweep": ["2:4,32"], "acceptance": "rate:0.8"}))
    first, second = payload["equivalent"]["command"].split("\n")
    found = answered(first, capsys)
    assert found["break_even"] == payload["break_even"]
    gains = {(row["acceptance_length"], row["concurrency"]): row["gain_over_off"] for row in found["points"]}
    for length, row in zip(payload["lengths"], payload["gain"], strict=True):
        for count, gain in zip(payload["concurrencies"], row, strict=True):
            assert gain == gains[length, count]
    assert answered(second, capsys)["best"] == payload["best"]
    study = python(payload["equivalent"]["python"])["study"]
    assert clean(study.tables["break_even"]) == payload["break_even"]


def test_of_why(capsys: pytest.CaptureFixture[str]) -> None:
    payload = TABS["why"].answer(read_state({"why_concurrency": 64, "why_tp": 4}))
    found = answered(payload["equivalent"]["command"], capsys)
    assert {phase: one["totals"] for phase, one in payload["phases"].items()} == found["totals"]
    assert payload["memory"] == found["memory"]
    for phase, one in payload["phases"].items():
        seconds = sum(row[one["columns"].index("seconds")] for row in one["rows"])
        assert seconds == pytest.approx(sum(row["seconds"] for row in found["rows"] if row["phase"] == phase))
    own = python(payload["equivalent"]["python"])["found"]
    assert clean(own.totals()) == found["totals"]


def test_of_a_plan(capsys: pytest.CaptureFixture[str]) -> None:
    state = {"sweep": ["2:4"], "mtp": [0], "rate": 2.0, "promises": ["ttft-p99=2s"], "cost_basis": "neocloud"}
    payload = TABS["plan"].answer(read_state(state))
    found = answered(payload["equivalent"]["command"], capsys)
    assert found["winner"] == payload["winner"]
    assert found["runners_up"] == payload["runners_up"]
    assert clean(python(payload["equivalent"]["python"])["answer"].document()["winner"]) == payload["winner"]
    assert f"{found['winner']['gpus']} GPUs" in payload["sentence"]


@pytest.mark.parametrize(
    "more",
    [
        {"acceptance": "rate:0.7", "agentic_host_cache_ratio": 1.5},
        {"agentic_prefix_cache": "off", "cost_basis": "neocloud", "isl": 8192},
    ],
)
def test_of_replayed_sessions(more: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    state = {"sweep": ["2:4", "4:4"], "mtp": [0, 2], "why_tp": 4, "agentic_concurrency": [2, 1], **more}
    payload = TABS["agentic"].answer(read_state(state))
    shown = [[dict(zip(one["columns"], row, strict=True)) for row in one["rows"]] for one in payload["series"]]
    assert [answered(line, capsys)["rows"] for line in payload["equivalent"]["command"].split("\n")] == shown
    assert [clean(list(one.rows)) for one in python(payload["equivalent"]["python"])["found"]] == shown


def test_of_a_check(tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from simulator import shipped_measurements

    lines = shipped_measurements("sglang_mi355x_8k1k.csv").read_text(encoding="utf-8").splitlines()[:4]
    text = "\n".join(lines) + "\n"
    payload = check(read(text, "my rows.csv"))
    (tmp_path / "my rows.csv").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    found = answered(payload["equivalent"]["command"], capsys)
    assert found["verdict"] == payload["verdict"]
    assert [row["verdict"] for row in found["rows"]] == [row["verdict"] for row in payload["rows"]]
    assert [row["expected"] for row in found["rows"]] == [row["expected"] for row in payload["rows"]]
