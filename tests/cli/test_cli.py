"""The command line as scripts and people use it."""

from __future__ import annotations

import csv
import io
import json
import math
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from simulator.cli import COMMANDS, run
from simulator.cli.lists import parse_floats, parse_ints
from simulator.cli.text.page import Column, Page, number, with_interval

COLUMNS = shlex.split(
    """
    concurrency tp ep spec spec_tokens acceptance_length isl osl total_tok_s_gpu output_tok_s_gpu
    interactivity_tok_s_user mean_tpot_ms median_tpot_ms mean_ttft_ms median_ttft_ms p99_ttft_ms
    mean_e2e_ms requests_per_s cost_usd_per_mtok tok_s_per_mw hbm_used_gb bound_by
    """
)
PRIORS = ["--calibration", "kernel-priors"]
QUESTION = shlex.split(
    """
    predict --hardware mi355x --model qwen3.5-397b-a17b --precision fp4 --engine sglang --tp 2 --isl
    1024 --osl 1024 --concurrency 4,8,16 --mtp 3 --acceptance-length 3.39 --format json
    """
)


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a command line that must succeed quietly; its output."""

    def run_it(*arguments: str) -> str:
        status = run(arguments)
        found = capsys.readouterr()
        assert (status, found.err) == (0, "")
        return found.out

    return run_it


def flat(text: str) -> str:
    """Text without its line breaks."""
    return " ".join(text.split())


def predicted(ask: Any, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ask("predict", *arguments, "--format", "json"))
    return found


# --- predict ----------------------------------------------------------------------------------------------------------


def test_the_contract_of_the_json(ask: Any) -> None:
    found = json.loads(ask(*QUESTION))
    assert set(found) == {"meta", "rows"}
    assert [row["concurrency"] for row in found["rows"]] == [4, 8, 16]
    for row in found["rows"]:
        assert set(COLUMNS) <= set(row)
        assert row["spec"] == "mtp"
        assert row["spec_tokens"] == 3
        assert row["acceptance_length"] == pytest.approx(3.39)
        assert row["bound_by"] in ("memory", "compute", "communication", "floor", "host")
    meta = found["meta"]
    assert meta["checkpoint"] == "mxfp4"
    assert meta["method"] == "des"
    assert meta["seed"] == 0
    assert set(meta["versions"]) >= {"mtpsim", "numpy", "numba"}
    assert meta["acceptance_source"] == "acceptance length 3.39"


def test_identities_of_the_published_metrics(ask: Any) -> None:
    found = predicted(ask, "--concurrency", "4,64", "--cost-basis", "neocloud")
    price, kilowatts = found["meta"]["usd_per_gpu_hour"], found["meta"]["all_in_kw_per_gpu"]
    assert (price, kilowatts) == (1.90, 2.65)
    for row in found["rows"]:
        total = row["total_tok_s_gpu"]
        assert row["interactivity_tok_s_user"] == pytest.approx(1000 / row["median_tpot_ms"])
        assert row["cost_usd_per_mtok"] == pytest.approx(price / (total * 3600 / 1e6))
        assert row["tok_s_per_mw"] == pytest.approx(total * 1000 / kilowatts)
        for name in ("total_tok_s_gpu", "interactivity_tok_s_user", "cost_usd_per_mtok", "mean_ttft_ms"):
            assert row[f"{name}_lo"] < row[name] < row[f"{name}_hi"]


@pytest.mark.parametrize("method", ["des", "closed-form"])
def test_the_same_command_gives_the_same_bytes(ask: Any, method: str) -> None:
    command = ["predict", "--mtp", "0,3", "--concurrency", "4,8", "--method", method, "--format", "json", "--seed", "7"]
    assert ask(*command) == ask(*command)


def test_another_seed_draws_other_lengths(ask: Any) -> None:
    first, second = (predicted(ask, "--concurrency", "4", "--seed", seed)["rows"][0] for seed in "01")
    assert first["total_tok_s_gpu"] != second["total_tok_s_gpu"]
    assert first["total_tok_s_gpu"] == pytest.approx(second["total_tok_s_gpu"], rel=0.05)


def test_names_do_not_depend_on_case(ask: Any) -> None:
    lower = ask(*QUESTION)
    upper = [x.upper() if x in ("mi355x", "qwen3.5-397b-a17b", "fp4", "sglang") else x for x in QUESTION]
    assert upper != QUESTION
    assert ask(*upper) == lower


def test_without_options_it_prints_a_table(ask: Any) -> None:
    lines = ask("predict").splitlines()
    assert "qwen3.5-397b-a17b mxfp4 on mi355x, sglang, TP 2, 1024/1024 tokens in/out" in lines[0]
    body = [line.split()[0] for line in lines if line.split() and line.split()[0].isdigit()]
    assert body == ["4", "8", "16", "32", "64", "128", "256"]
    assert max(map(len, lines)) <= 100
    assert not any("─" in line or "\x1b" in line for line in lines)


@pytest.mark.parametrize("columns", [60, 80, 160])
def test_a_table_keeps_to_the_width_of_the_page(ask: Any, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    text = ask("predict", "--mtp", "0,3", "--concurrency", "4,8", *PRIORS)
    assert max(map(len, text.splitlines())) <= columns
    assert ("Not shown" in flat(text)) == (columns < 160)


def test_mtp_without_acceptance_says_where_its_acceptance_is_from(ask: Any) -> None:
    text = flat(ask("predict", "--mtp", "3", "--concurrency", "4", *PRIORS))
    assert "MTP 3: 2.81 tokens per round (profile qwen3.5-397b-a17b-random: random tokens, 2.54 to 2.96 seen)" in text
    assert "no calibration: kernel priors" in text


def test_lists_of_tp_and_depth_give_rows_for_each(ask: Any) -> None:
    found = predicted(ask, "--tp", "2,4", "--mtp", "0,3", "--acceptance-length", "2.8", "--concurrency", "8", *PRIORS)
    assert [(row["tp"], row["spec_tokens"]) for row in found["rows"]] == [(2, 0), (2, 3), (4, 0), (4, 3)]
    assert [row["acceptance_length"] for row in found["rows"]] == pytest.approx([1, 2.8, 1, 2.8])
    assert [(s["tp"], s["spec_tokens"]) for s in found["meta"]["scenarios"]] == [(2, 0), (2, 3), (4, 0), (4, 3)]
    assert "tp" not in found["meta"]
    assert found["meta"]["isl"] == 1024
    alone = predicted(ask, "--tp", "4", "--concurrency", "8", *PRIORS)["rows"][0]
    assert alone == found["rows"][2]


def test_acceptance_in_its_four_ways(ask: Any) -> None:
    def length(*options: str) -> float:
        return float(predicted(ask, "--mtp", "3", "--concurrency", "4", *options)["rows"][0]["acceptance_length"])

    assert length("--acceptance-rate", "0.5") == pytest.approx(1.875)
    assert length("--acceptance-length", "2.8") == pytest.approx(2.8)
    assert length("--acceptance", "0.9,0.8,0.5") == pytest.approx(1 + 0.9 + 0.72 + 0.36)
    assert length("--acceptance-profile", "qwen3.5-397b-a17b-nonthinking") == pytest.approx(3.33)


def test_without_a_list_what_does_not_fit_is_left_out_and_said(ask: Any) -> None:
    found = predicted(ask, "--precision", "fp8", "--mtp", "3", *PRIORS)
    largest = found["meta"]["max_concurrency"]
    assert [row["concurrency"] for row in found["rows"]] == [c for c in (4, 8, 16, 32, 64, 128, 256) if c <= largest]
    assert "left out" in found["meta"]["left_out"][0]
    assert str(largest) in found["meta"]["left_out"][0]


def test_queueing_over_memory(ask: Any) -> None:
    found = predicted(ask, "--precision", "fp8", "--mtp", "3", "--concurrency", "256", "--queue-over-memory", *PRIORS)
    row, largest = found["rows"][0], found["meta"]["max_concurrency"]
    assert row["concurrency"] == 256 > largest >= row["decode_batch"]
    assert row["hbm_used_gb"] <= found["meta"]["hbm_budget_gb"]


def test_csv_is_the_rows_of_the_json(ask: Any) -> None:
    command = ["predict", "--concurrency", "4,8", "--method", "closed-form"]
    rows = list(csv.DictReader(io.StringIO(ask(*command, "--format", "csv"))))
    expected = json.loads(ask(*command, "--format", "json"))["rows"]
    assert [list(row) for row in rows] == [list(row) for row in expected]
    assert float(rows[1]["total_tok_s_gpu"]) == expected[1]["total_tok_s_gpu"]


def test_one_output_token_has_no_tpot(ask: Any) -> None:
    row = predicted(ask, "--osl", "1", "--concurrency", "4")["rows"][0]
    assert row["interactivity_tok_s_user"] is None
    assert row["total_tok_s_gpu"] > 0
    assert "nan" not in ask("predict", "--osl", "1", "--concurrency", "4", "--mtp", "0,3").lower()


def test_output_and_plot_go_to_files(ask: Any, tmp_path: Path) -> None:
    table, picture = tmp_path / "out.json", tmp_path / "out.svg"
    command = ["predict", "--concurrency", "4,8", "--format", "json"]
    assert ask(*command, "--output", str(table), "--plot", str(picture)) == ""
    assert table.read_text() == ask(*command)
    assert picture.read_text().startswith("<?xml")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.json", "out.svg"]


def test_a_forced_calibration_marks_the_output(ask: Any) -> None:
    text = flat(ask("predict", "--calibration", "atom-mi355x", "--force", "--concurrency", "4"))
    assert "FORCED outside of what it was fitted to" in text
    assert "engine sglang (fitted to atom)" in text


# --- compare ----------------------------------------------------------------------------------------------------------

COMPARE = shlex.split(
    """
    compare --hardware mi355x --model qwen3.5-397b-a17b --precision fp4 --engine sglang --tp 2,4 --isl
    1024 --osl 1024 --mtp 3 --acceptance-length 2.8 --calibration kernel-priors
    """
)


def test_compare_gives_the_published_shape(ask: Any) -> None:
    found = json.loads(ask(*COMPARE, "--at", "44,64,84", "--format", "json"))
    assert {"meta", "rows", "sentences", "band", "frontier"} <= set(found)
    assert [(r["interactivity_tok_s_user"], r["spec"]) for r in found["rows"]] == [
        (x, spec) for x in (44, 64, 84) for spec in ("mtp", "off")
    ]
    for row in found["rows"]:
        assert row["total_tok_s_gpu_lo"] < row["total_tok_s_gpu"] < row["total_tok_s_gpu_hi"]
        assert row["cost_usd_per_mtok_lo"] < row["cost_usd_per_mtok"] < row["cost_usd_per_mtok_hi"]
        assert row["tok_s_per_mw"] > 0
        assert row["concurrency"] > 0
        assert row["tp"] in (2, 4, None)
    assert len(found["sentences"]) == 4
    assert found["sentences"][-1].startswith("both curves exist from")
    low, high = found["band"]
    for spec, front in found["frontier"].items():
        speed = [row["interactivity_tok_s_user"] for row in front]
        total = [row["total_tok_s_gpu"] for row in front]
        assert speed == sorted(speed)
        assert total == sorted(total, reverse=True)
        assert {row["spec"] for row in front} == {spec}
        assert speed[0] <= low
        assert speed[-1] >= high


def test_compare_outside_the_band_extrapolates_nothing(ask: Any) -> None:
    found = json.loads(ask(*COMPARE, "--at", "44,5000", "--format", "json"))
    mtp, off = found["rows"][2:]
    assert mtp["total_tok_s_gpu"] is None
    assert off["cost_usd_per_mtok_hi"] is None
    assert off["tp"] is None
    assert "no comparison is possible" in found["sentences"][1]
    assert "nothing is extrapolated" in flat(ask(*COMPARE, "--at", "5000"))


def test_compare_chooses_round_interactivities(ask: Any) -> None:
    found = json.loads(ask(*COMPARE, "--format", "json"))
    chosen = sorted({row["interactivity_tok_s_user"] for row in found["rows"]})
    low, high = found["band"]
    assert 3 <= len(chosen) <= 5
    assert low <= chosen[0]
    assert chosen[-1] <= high
    assert all(math.isclose(x % 5, 0) for x in chosen)


def test_compare_leaves_out_what_does_not_fit(ask: Any) -> None:
    text = ask("compare", "--precision", "fp8", "--tp", "2", "--concurrency", "4..256", "--at", "44", *PRIORS)
    assert "left out" in text


def test_compare_draws(ask: Any, tmp_path: Path) -> None:
    ask(*COMPARE, "--at", "44", "--plot", str(tmp_path / "c.png"))
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")


# --- explain and profiles ---------------------------------------------------------------------------------------------


def test_explain_adds_up(ask: Any) -> None:
    found = json.loads(ask("explain", "--mtp", "3", "--phase", "both", "--concurrency", "16", "--format", "json"))
    for phase in ("decode", "prefill"):
        rows = [row for row in found["rows"] if row["phase"] == phase]
        total = found["totals"][phase]
        assert sum(row["seconds"] for row in rows) == pytest.approx(total["seconds"])
        assert sum(row["share"] for row in rows) == pytest.approx(1)
        assert sum(total["seconds_by_cause"].values()) == pytest.approx(total["seconds"])
        assert sum(row["flops"] for row in rows) == pytest.approx(total["flops"])
        assert 0 < total["mfu"] < 1
        assert 0 < total["mbu"] < 1
    memory, meta = found["memory"], found["meta"]
    per_request = memory["kv_per_request_gb"] + memory["state_per_request_gb"]
    assert memory["used_gb"] == pytest.approx(memory["weights_gb"] + memory["workspace_gb"] + 16 * per_request)
    seconds = found["totals"]["decode"]["seconds"]
    assert meta["tpot_from_round_ms"] == pytest.approx(1000 * seconds / meta["acceptance_length"])


def test_explain_takes_a_batch_and_agrees_with_predict(ask: Any) -> None:
    assert json.loads(ask("explain", "--batch", "7", "--format", "json"))["meta"]["batch"] == 7
    row = predicted(ask, "--concurrency", "64", "--method", "closed-form")["rows"][0]
    found = json.loads(ask("explain", "--concurrency", "64", "--format", "json"))
    assert found["meta"]["batch"] == row["decode_batch"]
    assert found["totals"]["decode"]["bound_by"] == row["bound_by"]


def test_explain_splits_a_prompt_longer_than_a_pass(ask: Any) -> None:
    text = ask("explain", "--isl", "80000", "--concurrency", "4", "--phase", "prefill")
    assert "one of the 3 passes of a prompt" in text


def test_explain_as_a_table_and_a_roofline(ask: Any, tmp_path: Path) -> None:
    text = ask("explain", "--mtp", "3", "--plot", str(tmp_path / "r.svg"))
    assert "moe routed experts" in text
    assert "MFU" in text
    assert "the largest concurrency that fits" in flat(text)
    assert (tmp_path / "r.svg").stat().st_size > 1000


def test_profiles_lists_everything(ask: Any) -> None:
    rows = json.loads(ask("profiles", "--format", "json"))["rows"]
    found = {kind: [r["name"] for r in rows if r["kind"] == kind] for kind in {r["kind"] for r in rows}}
    assert found["hardware"] == [
        *("a100", "b200", "b300", "gb200", "gb300", "h100", "h100-pcie", "h200", "l40s"),
        *("mi300x", "mi308x", "mi325x", "mi350x", "mi355x", "mi455x", "rtx-pro-6000"),
    ]
    assert found["engine"] == ["atom", "sglang", "trtllm", "vllm"]
    assert "kernel-priors" in found["calibration"]
    assert all(row["summary"] for row in rows)


def test_profiles_shows_every_number_with_unit_and_source(ask: Any) -> None:
    for kind in ("hardware", "model", "engine", "recipe", "acceptance"):
        for entry in json.loads(ask("profiles", kind, "--format", "json"))["rows"]:
            for row in json.loads(ask("profiles", kind, entry["name"], "--format", "json"))["rows"]:
                if isinstance(row["value"], int | float) and not isinstance(row["value"], bool):
                    assert row["unit"], row
                    assert row["source"], row
    text = ask("profiles", "hardware", "MI355X")
    assert "hbm_bandwidth" in text
    assert "TB/s" in text
    assert "[1] InferenceX-app gpu-specs.ts" in text


def test_the_head_names_the_recipe_and_who_chose_it(ask: Any) -> None:
    assert "recipe sglang-mi355x-fp4-2026-06 (by rule)" in flat(ask("predict", "--concurrency", "4"))
    newest = flat(ask("predict", "--concurrency", "4", "--calibration", "kernel-priors"))
    assert "recipe sglang-mi355x-fp4-2026-08 (by rule)" in newest
    text = ask("predict", "--concurrency", "4", "--recipe", "none", "--recipe-set", "chunk_tokens=8192")
    assert "recipe none: the engine's own settings with chunk_tokens 8192" in flat(text)
    found = predicted(ask, "--concurrency", "4", "--recipe", "sglang-mi355x-fp4-2026-07")
    meta = found["meta"]
    assert (meta["recipe"], meta["recipe_by_rule"], meta["recipe_set"]) == ("sglang-mi355x-fp4-2026-07", False, {})
    assert [row["recipe"] for row in found["rows"]] == ["sglang-mi355x-fp4-2026-07"]


def test_two_recipes_side_by_side(ask: Any) -> None:
    names = ["sglang-default", "sglang-mi355x-fp8-2026-06"]
    scenario = ("--precision", "fp8", "--tp", "4", "--isl", "8192", "--concurrency", "16,64")
    found = predicted(ask, *scenario, "--compare-recipes", ",".join(names))
    assert [(row["recipe"], row["concurrency"]) for row in found["rows"]] == [(n, c) for n in names for c in (16, 64)]
    for name in names:
        alone = predicted(ask, *scenario, "--recipe", name)["rows"]
        assert [row for row in found["rows"] if row["recipe"] == name] == alone
    first, second = found["rows"][0], found["rows"][2]
    by = {
        word: 100 * (second[metric] / first[metric] - 1)
        for word, metric in (("throughput", "total_tok_s_gpu"), ("TPOT", "mean_tpot_ms"), ("TTFT", "mean_ttft_ms"))
    }
    changes = ", ".join(f"{word} by {value:+.1f} %" for word, value in by.items())
    said = f"TP4 Off, 16 clients: {names[1]} instead of {names[0]} changes {changes}"
    assert found["meta"]["recipe_changes"][0] == said
    text = ask("predict", *scenario, "--compare-recipes", ",".join(names))
    assert said in flat(text)
    assert all(sum(line.startswith(name) for line in text.splitlines()) >= 2 for name in names)


def test_a_limit_of_running_requests_is_told(ask: Any) -> None:
    text = ask("predict", "--concurrency", "16,32", "--recipe-set", "max_running=16")
    assert "at most 16 requests run at once (max_running); others wait" in flat(text)
    assert "max_running" not in ask("predict", "--concurrency", "16")


def test_profiles_lists_recipes_with_address_settings_and_flags(ask: Any) -> None:
    rows = json.loads(ask("profiles", "recipes", "--format", "json"))["rows"]
    assert rows == json.loads(ask("profiles", "recipe", "--format", "json"))["rows"]
    (one,) = [row for row in rows if row["name"] == "sglang-b200-fp8"]
    assert one["address"] == "sglang on b200, gb200 fp8 without MTP or image *0.5.9*"
    assert "chunk_tokens 32768, poll_steps 10, poll_steps_many 30, many_clients 16" in one["settings"]
    assert "--max-running-requests 128" in one["launch"]
    assert "--max-running-requests" in ask("profiles", "recipe", "sglang-b200-fp8")


def test_profiles_derives_what_a_model_weighs(ask: Any) -> None:
    rows = json.loads(ask("profiles", "model", "qwen3.5-397b-a17b", "--format", "json"))["rows"]
    values = {row["field"]: row["value"] for row in rows}
    assert values["derived.parameters"] == pytest.approx(396.35, abs=0.005)
    assert values["derived.kv_per_token.bf16"] == 30720


def test_profiles_shows_calibrations_and_parameters(ask: Any) -> None:
    for entry in json.loads(ask("profiles", "calibration", "--format", "json"))["rows"]:
        assert entry["name"] in ask("profiles", "calibration", entry["name"])
    rows = json.loads(ask("profiles", "parameters", "--format", "json"))["rows"]
    assert all({"value", "unit", "sd", "scale", "low", "high", "meaning", "source"} <= set(row) for row in rows)
    assert "host.step_us" in ask("profiles", "parameters", "host.step_us")


# --- the command itself -----------------------------------------------------------------------------------------------


def test_help_loads_nothing_heavy() -> None:
    code = """
import sys
from simulator.cli import run
assert run(["--help"]) == 0 and run(["predict", "--help"]) == 0
heavy = {"numpy", "numba", "scipy", "pandas", "matplotlib", "rich", "pydantic", "yaml"} & set(sys.modules)
assert not heavy, heavy
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all(name in done.stdout for name in COMMANDS)


def test_json_needs_no_tables_and_no_linear_algebra() -> None:
    code = """
import sys
from simulator.cli import run
assert run(["predict", "--concurrency", "4", "--format", "json"]) == 0
heavy = {"scipy.linalg", "scipy.stats", "pandas", "matplotlib", "rich"} & set(sys.modules)
assert not heavy, heavy
import scipy.linalg.cython_blas
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_closed_pipe_ends_quietly() -> None:
    shell = f"{sys.executable} -c 'from simulator.cli import main; raise SystemExit(main())' profiles --format json"
    line = f"{shell} | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "{\n"


def test_no_command_prints_the_help(ask: Any) -> None:
    assert "predict" in ask()
    assert "sensitivity" in ask("what-if")
    assert ask("--version").startswith("mtpsim ")


def test_a_bug_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("simulator.api.predict", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        run(["predict", "--concurrency", "4"])


def test_lists() -> None:
    assert parse_ints("--tp", "2, 4,2") == [2, 4]
    assert parse_ints("--concurrency", "4..256") == [4, 8, 16, 32, 64, 128, 256]
    assert parse_ints("--concurrency", "3..33,5") == [4, 8, 16, 32, 5]
    assert parse_floats("--at", "44,64.5") == [44.0, 64.5]


def test_numbers() -> None:
    assert [number(x, 3) for x in (0.0, None, math.nan, 999.6, 0.0959, -12.34)] == [
        "0",
        "-",
        "-",
        "1000",
        "0.0959",
        "-12.3",
    ]
    assert with_interval(2222.4, 2222.4 / 1.09, 2222.4 * 1.09, 4) == "2222 ±9 %"
    assert with_interval(5.0, None, None) == "5.00"


def test_columns_of_the_highest_rank_go_first() -> None:
    columns = [Column("a", "u", ["1"]), Column("b", "", ["22222"], 1), Column("c", "", ["333333"], 2)]
    assert Page(80, False).table(columns) == ("a      b       c\nu\n1  22222  333333", [])
    assert Page(9, False).table(columns) == ("a      b\nu\n1  22222", ["c"])
    assert Page(3, False).table(columns)[1] == ["c", "b"]
