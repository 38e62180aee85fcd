"""Recorded sessions with one thing changed: arms that are replays, readings by hand, and the cliff of a toy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simulator import InputError, Replay, compare_agentic, draw, make_scenario, replay, shipped_sessions
from simulator.cli import run
from simulator.prediction.agentic import AgenticComparison, front_of, log_sd, together
from simulator.prediction.cliff import cliff_of, mean_working_set
from simulator.traffic.sessions import Session, Sessions

TIGHT = make_scenario(tp=2, mtp=3, acceptance_length=2.8, kv_dtype="bf16", recipe_set=["memory_fraction=0.5"])
SHORT: dict[str, Any] = {"duration": "3min", "concurrency": [2, 4, 16]}


@pytest.fixture(scope="module")
def found() -> AgenticComparison:
    return compare_agentic(TIGHT, host_cache_ratio=4.0, **SHORT)


def of(found: AgenticComparison, arm: str) -> list[Any]:
    return [{name: value for name, value in row.items() if name != "arm"} for row in found.rows if row["arm"] == arm]


@pytest.mark.parametrize(
    ("arm", "scenario", "more"),
    [
        ("base", TIGHT, {}),
        ("off", make_scenario(tp=2, kv_dtype="bf16", recipe_set=["memory_fraction=0.5"]), {}),
        ("no_cache", TIGHT, {"prefix_cache": "off"}),
        ("host", TIGHT, {"host_cache_ratio": 4.0}),
    ],
)
def test_every_arm_is_a_replay(found: AgenticComparison, arm: str, scenario: Any, more: dict[str, Any]) -> None:
    alone = replay(scenario, intervals=False, **SHORT, **more)
    for mine, own in zip(of(found, arm), alone.rows, strict=True):
        assert {name: mine[name] for name in own} == own


def test_without_a_cache_nothing_is_found_and_with_hosts_no_less(found: AgenticComparison) -> None:
    assert all(row["hit_rate_gpu"] == 0 for row in of(found, "no_cache"))
    for host, base in zip(of(found, "host"), of(found, "base"), strict=True):
        assert host["hit_rate_gpu"] + host["hit_rate_host"] >= base["hit_rate_gpu"] - 0.01


def test_readings_are_those_of_the_two_fronts(found: AgenticComparison) -> None:
    readings = [row for row in found.matched if row["compared"] == "mtp"]
    assert readings
    for one, other in zip(readings[::2], readings[1::2], strict=True):
        assert (one["arm"], other["arm"]) == ("base", "off")
        at = one["p90_interactivity_tok_s_user"]
        for row in (one, other):
            front = front_of(of(found, row["arm"]))
            assert front is not None
            low, high = front.band
            assert low <= at <= high
            assert row["total_tok_s_gpu"] == front.at(at)["total_tok_s_gpu"]
        gain = one["total_tok_s_gpu"] / other["total_tok_s_gpu"] - 1
        assert one["gain"] == pytest.approx(gain)
        assert "gain" not in other


def test_the_interval_of_a_gain_is_the_spread_of_its_draws() -> None:
    """Of a side that is exp(a) times as fast at every concurrency, under draws that give a different a each."""
    a = np.array([0.1, 0.3, 0.2, 0.4, 0.0])
    points = [(1, 40.0, 100.0), (2, 20.0, 200.0)]

    def side(factors: Any) -> Replay:
        draws = tuple(
            tuple({"p90_interactivity_tok_s_user": x, "total_tok_s_gpu": y * f} for f in factors) for _c, x, y in points
        )
        return Replay({}, tuple({"concurrency": c} for c, _x, _y in points), (), draws)

    one, other = side(np.exp(a)), side(np.ones(5))
    assert log_sd(one, other, 30.0) == pytest.approx(a.std(ddof=1))
    assert log_sd(one, other, 50.0) is None
    assert log_sd(side(np.exp(a[:3])), side(np.ones(3)), 30.0) is None


def test_a_sentence_on_a_gain_has_its_interval(found: AgenticComparison) -> None:
    gains = [row for row in found.matched if row.get("gain_lo") is not None]
    assert gains
    for row in gains:
        ends = f"interval: {round(100 * row['gain_lo']):+d} to {round(100 * row['gain_hi']):+d} %)"
        assert any(ends in text for text in found.sentences), ends


def test_a_front_of_two_points_is_read_between_them_and_not_beyond() -> None:
    """Two points with a straight line between them; the third has less of both."""
    rows = [
        {"concurrency": c, "p90_interactivity_tok_s_user": x, "total_tok_s_gpu": y}
        for c, x, y in ((1, 40.0, 100.0), (2, 20.0, 200.0), (4, 10.0, 150.0))
    ]
    front = front_of(rows)
    assert front is not None
    assert front.at(30.0)["total_tok_s_gpu"] == pytest.approx(150.0)
    assert front.band == (20.0, 40.0)
    assert np.isnan(front.at(10.0)["total_tok_s_gpu"])


def test_where_a_curve_does_not_exist_nothing_is_read(found: AgenticComparison) -> None:
    far = compare_agentic(TIGHT, at=[1e4], intervals=False, **SHORT)
    assert all(row["total_tok_s_gpu"] is None for row in far.matched)
    assert any("nothing is extrapolated" in text for text in far.sentences)
    assert found.comparisons["prefix_cache"].mtp_band == found.fronts["base"].band


def test_the_cliff_is_where_the_hit_rate_falls(found: AgenticComparison) -> None:
    base = of(found, "base")
    [fallen] = [row for row in base if row["hit_rate_gpu"] < 0.9 * row["hit_rate_ideal"]]
    assert fallen["concurrency"] == found.cliff.concurrency == 16
    assert found.cliff.sessions_held == int(fallen["kv_tokens_capacity"] / mean_working_set(shipped_sessions()))
    assert found.cliff.hit_rate_before == base[1]["hit_rate_gpu"]
    host = of(found, "host")[2]
    assert found.cliff.hit_rate_with_host == host["hit_rate_gpu"] + host["hit_rate_host"]
    assert found.sentences[-1].startswith("at 16 sessions the pool of ")
    assert "a host tier of ratio 4 " in found.sentences[-1]


def test_the_sentence_of_a_toy() -> None:
    def rows(*rates: float, host: float | None = None) -> list[dict[str, Any]]:
        return [
            {
                "concurrency": c, "hit_rate_gpu": h, "hit_rate_host": host, "hit_rate_ideal": 0.96,
                "kv_tokens_capacity": 1_100_000, "state_slots": 40,
            }
            for c, h in zip((8, 16, 32), rates, strict=False)
        ]  # fmt: skip

    with_host = rows(0.9, 0.08, 0.01, host=0.8)
    cases = {
        (0.95, 0.23, 0.02): "at 16 sessions the pool of 1.1 M tokens holds 9; the hit rate falls from 95 to 23 %; "
        "a host tier of ratio 1.5 restores 88 %",
        (0.5,): "at 8 sessions the pool of 1.1 M tokens would hold 9 in the mean, its 40 states do not; "
        "the hit rate is 50 %, 96 % ideally; a host tier of ratio 1.5 restores 170 %",
        (0.95, 0.95, 0.94): "no cliff up to 32 sessions: 94 % of the input are found, 96 % ideally",
    }
    for rates, text in cases.items():
        assert cliff_of(rows(*rates), with_host, 120_000.0, 1.5).sentence == text
    assert cliff_of(rows(0.95, 0.2), [], 0.0, 1.5).sentence == (
        "at 16 sessions the pool of 1.1 M tokens no longer holds the prompts; the hit rate falls from 95 to 20 %"
    )


def test_the_working_set_of_a_toy() -> None:
    """Three prompts of 2, 3 and 1 blocks that share their beginning: 2, 3 and 1 blocks are at hand or asked for later.

    While the first runs, its second block is asked for again by the second; while the third does, only the first is.
    """
    three, none = np.zeros(3, np.int64), np.zeros(0, np.int64)
    session = Session(
        "toy", np.array([128, 192, 64]), np.ones(3, np.int64), np.zeros(3), three, np.zeros(4, np.int64), none,
        np.zeros(0), np.array([0, 1, 2, 3]), three, np.array([2, 3, 1]),
    )  # fmt: skip
    assert mean_working_set(Sessions("toy", (session,), 64)) == pytest.approx(64 * (2 + 3 + 1) / 3)


def test_sentences_that_say_the_same_are_one() -> None:
    said = [f"at {x} tok/s/user {text}" for x, text in ((1, "a"), (2, "b"), (3, "a"), (4, "a"))]
    assert together(said) == ["at 1, 3 and 4 tok/s/user a", "at 2 tok/s/user b"]


def test_without_drafts_or_hosts_these_are_not_compared() -> None:
    plain = make_scenario(tp=8, hardware="b300", precision="fp8")
    found = compare_agentic(plain, concurrency=[1], duration="10s", intervals=False)
    assert {row["arm"] for row in found.rows} <= {"base", "no_cache", "host"}
    assert "no drafts: nothing to compare with MTP off" in found.sentences
    assert "mtp" not in found.comparisons


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"host_cache_ratio": 0.0}, "--host-cache-ratio: expected a number above 0"),
        ({"host_cache_ratio": float("nan")}, "--host-cache-ratio: expected a number"),
        ({"concurrency": [0]}, "--concurrency: expected whole numbers"),
        ({"at": [-1.0]}, "--at: expected interactivities above 0"),
        ({"duration": "soon"}, "--duration"),
    ],
)
def test_bad_input_is_told(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        compare_agentic(TIGHT, **{"concurrency": [1], "duration": 1.0, "intervals": False, **arguments})


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--workload agentic --isl 64", "--isl: not with --workload agentic"),
        ("--workload agentic --against inferencex-mi355x-fp4-1k1k", "--against: not with"),
        ("--workload agentic --method closed-form --sweep 2:4", "--sweep, --method: not with"),
        ("--workload agentic --set isl=64", "--set: not with"),
        ("--workload agentic --tp 2,4", "--tp: expected one value"),
        ("--workload agentic --mtp 1,2", "--mtp: expected one value"),
        ("--duration 1min", "--duration: is of recorded sessions; expected --workload agentic"),
        ("sessions.jsonl", "sessions.jsonl: is of recorded sessions; expected --workload agentic"),
        ("--workload agentic nothing.jsonl", "nothing.jsonl"),
    ],
)
def test_options_of_the_other_workload_are_refused_by_name(
    line: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["compare", *line.split()]) == 2
    assert said in capsys.readouterr().err


def test_the_command_gives_the_document_of_the_function_and_draws(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = "compare --workload agentic --concurrency 1,2 --duration 20s --host-cache-ratio 2 --format json"
    assert run([*line.split(), "--plot", str(tmp_path / "a.png")]) == 0
    printed = capsys.readouterr().out
    answer = compare_agentic(make_scenario(mtp=3), concurrency=[1, 2], duration="20s", host_cache_ratio=2.0)
    assert printed == answer.to_json() + "\n"
    assert json.loads(printed)["cliff"]["concurrency"] is None
    assert (tmp_path / "a.png").stat().st_size > 1_000


def test_the_picture_names_the_cliff(found: AgenticComparison) -> None:
    figure = draw(found)
    assert figure.axes[0].get_title(loc="left") == "Input tokens found"
    assert any(f"holds {found.cliff.sessions_held}" in text.get_text() for text in figure.axes[0].texts)
