"""``--sweep`` on predict, compare and explain, and ``--front-rule``: the same answers as runs and fronts one by one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from simulator import InputError, compare, make_scenario, predict
from simulator.cli import run

SWEEP = ("--sweep", "2:4..16", "--sweep", "4:4,6")
RUNS = [(2, 4), (2, 8), (2, 16), (4, 4), (4, 6)]
FAST = ("--method", "closed-form")


def ask(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    assert run([*words, "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys: pytest.CaptureFixture[str], line: str) -> str:
    assert run(line.split()) == 2
    found = capsys.readouterr()
    assert found.out == ""
    return found.err


def test_predict_runs_what_is_swept(capsys: pytest.CaptureFixture[str]) -> None:
    found = ask(capsys, "predict", "--mtp", "0,3", *SWEEP, *FAST)["rows"]
    assert [(r["tp"], r["concurrency"]) for r in found if r["spec"] == "off"] == RUNS
    assert [(r["tp"], r["concurrency"]) for r in found if r["spec"] == "mtp"] == RUNS
    for row in found:
        alone = make_scenario(tp=row["tp"], mtp=row["spec_tokens"])
        assert row == predict(alone, [row["concurrency"]], method="closed-form").rows[0]


def test_compare_takes_the_front_of_what_is_swept(capsys: pytest.CaptureFixture[str]) -> None:
    found = ask(capsys, "compare", *SWEEP, *FAST)
    assert found["meta"]["sweep"] == "2:4..16;4:4,6"
    for rows in found["frontier"].values():
        assert {(r["tp"], r["concurrency"]) for r in rows} <= set(RUNS)
    assert {r["tp"] for r in found["frontier"]["off"]} == {2, 4}
    same = compare(make_scenario(mtp=3), sweep=["2:4..16;4:4,6"], method="closed-form")
    assert json.loads(same.to_json()) == found


def test_the_same_sweep_said_in_two_ways() -> None:
    scenario = make_scenario(mtp=3)
    one = compare(scenario, [8, 16, 32], tp=[2, 4], method="closed-form", intervals=False)
    two = compare(scenario, sweep=["2:8..32", "4:8..32"], method="closed-form", intervals=False)
    assert one.rows == two.rows
    assert one.meta["sweep"] is None


def test_another_sweep_is_another_front() -> None:
    """Without TP4 there is no run beyond the fastest one of TP2."""
    scenario = make_scenario(mtp=3)
    narrow = compare(scenario, sweep="2:4..256", method="closed-form", intervals=False)
    wide = compare(scenario, sweep="2:4..256;4:4..16", method="closed-form", intervals=False)
    assert wide.comparison.mtp_band[1] > 1.1 * narrow.comparison.mtp_band[1]


def test_a_tie_is_told_where_no_published_figure_settles_it(capsys: pytest.CaptureFixture[str]) -> None:
    published = ("--sweep", "2:4..256", "--sweep", "4:4..16")
    (told,) = ask(capsys, "compare", *published, "--at", "44,84")["ties"]
    assert told.startswith("at 84 tok/s/user the front of Off rests on a tie of replica sizes")
    assert "561 tok/s/GPU with 15.2 clients here, TP2 gives 548 tok/s/GPU with 8.0 clients" in told
    assert run(["compare", *published, "--at", "84"]) == 0
    assert "At 84 tok/s/user the front of Off rests on a tie" in capsys.readouterr().out
    assert ask(capsys, "compare", "--sweep", "2:4..256", "--at", "44,84", *FAST)["ties"] == []


@pytest.mark.parametrize(("rule", "exact"), [("each", False), ("derived", True)])
def test_front_rules(capsys: pytest.CaptureFixture[str], rule: str, exact: bool) -> None:
    found = ask(capsys, "compare", "--at", "41,47", "--front-rule", rule, *FAST)
    assert found["meta"]["front_rule"] == rule
    for row in found["rows"]:
        price = row["cost_usd_per_mtok"] * row["total_tok_s_gpu"] * 3600 / 1e6
        assert (price == pytest.approx(1.48, rel=1e-12)) is exact
        assert row["tok_s_per_mw"] * 2650 / 1e6 == pytest.approx(row["total_tok_s_gpu"]), "proportional either way"


def test_without_a_date_each_metric_has_its_own_spline(capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(capsys, "compare", *FAST)["meta"]["front_rule"] == "each"


def test_explain_explains_what_is_swept(capsys: pytest.CaptureFixture[str]) -> None:
    alone = ask(capsys, "explain", "--sweep", "4:16")
    assert alone == ask(capsys, "explain", "--tp", "4", "--concurrency", "16")
    swept = ask(capsys, "explain", *SWEEP)
    assert [(row["tp"], row["concurrency"]) for row in swept["meta"]["scenarios"]] == RUNS
    assert ask(capsys, "explain", "--sweep", "2:4", "--sweep", "4:16")["parts"][1] == alone


@pytest.mark.parametrize("command", ["predict", "compare", "explain"])
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("--sweep 2", "--sweep: expected TP:clients such as 2:4..256 or 4:4,8,16, found '2'"),
        ("--sweep 2:4 --sweep 2:8", "--sweep: expected each TP once, found 2 twice"),
        ("--sweep 2:5..7", "--sweep: expected a range with a power of two in it"),
        ("--sweep 3:4", "tp 3 must divide"),
        ("--sweep 2:4 --tp 2", "expected no --tp beside it"),
        ("--sweep 2:4 --concurrency 4", "expected no --concurrency beside it"),
    ],
)
def test_bad_sweeps(capsys: pytest.CaptureFixture[str], command: str, options: str, said: str) -> None:
    assert said in refused(capsys, f"{command} {options}")


def test_what_does_not_fit_in_memory(capsys: pytest.CaptureFixture[str]) -> None:
    assert "does not fit" in refused(capsys, "predict --mtp 3 --sweep 2:256")
    assert "does not fit" in refused(capsys, "compare --sweep 2:4..16,256")
    found = ask(capsys, "predict", "--mtp", "3", "--sweep", "2:64..256", "--sweep", "4:256", *FAST)
    assert [(row["tp"], row["concurrency"]) for row in found["rows"]] == [(2, 64), (2, 128), (4, 256)]
    # states of FP32 have 0.6 of the 111.17 GB beside the weights, with MTP 3 0.480 GB for a request
    left = ask(capsys, "compare", "--sweep", "2:64..256", *FAST)["meta"]["left_out"]
    assert left == ["TP2 MTP 3: concurrency 256 left out, since at most 138 requests fit in memory"]


def test_a_sweep_beside_what_it_replaces() -> None:
    with pytest.raises(InputError, match="expected no --concurrency beside it"):
        predict(make_scenario(), [4], sweep="2:4")
    with pytest.raises(InputError, match="expected no --tp beside it"):
        compare(make_scenario(mtp=3), tp=[2], sweep="2:4")
