"""Open-loop rows against the open loop of the model: what comes out at the ends, and that no closed loop is asked."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from simulator import InputError, calibrate, evaluate, make_scenario, predict, simulate, validate
from simulator.measurements import MeasuredPoint, OpenLoopPoint
from simulator.measurements.open_loop import alone, measured_open, open_configuration, predicted, sent_of
from simulator.prediction.open_loop import Sent, lengths_of_scenario, open_loop

NAMES: dict[str, Any] = {"hardware": "mi355x", "model": "qwen3.5-397b-a17b", "precision": "fp4", "engine": "sglang"}
SCENARIO = make_scenario(tp=4, calibration="kernel-priors", range_ratio=1.0)
ROW = OpenLoopPoint(
    **NAMES, spec="off", isl=1024, osl=1024, tp=4, request_rate_per_s=1.0, requests=300, range_ratio=1.0, file="a.json"
)


def as_measured(rate: float = 1.0, requests: int = 300, **changes: Any) -> OpenLoopPoint:
    """A row that measured what the model says."""
    row = replace(ROW, request_rate_per_s=rate, requests=requests, line=1)
    base = open_configuration(row).scenario(SCENARIO.calibration)
    found = predicted(row, base)
    names = ("total_tok_s_gpu", "mean_ttft_ms", "mean_tpot_ms")
    return replace(row, **({name: found[name] for name in names} | changes))


def test_gaps_have_the_rate_and_the_spread_that_are_stated() -> None:
    """Gamma gaps of shape 4 have a coefficient of variation of one half."""
    sent = sent_of(replace(ROW, burstiness=4.0, request_rate_per_s=8.0, requests=20_000))
    assert (sent.rate, sent.cv, sent.count) == (8.0, 0.5, 20_000)
    gaps = np.diff(sent.draw(np.random.default_rng(0), lengths_of_scenario(SCENARIO)).send)
    assert gaps.mean() == pytest.approx(1 / 8, rel=0.02)
    assert gaps.std() / gaps.mean() == pytest.approx(0.5, rel=0.03)


def test_few_requests_far_apart_are_served_alone() -> None:
    """At one request in 1,000 s each is alone, as with one client in the closed loop."""
    found = open_loop(SCENARIO, Sent(0.001, requests=40))
    single = predict(SCENARIO, [1], intervals=False).rows[0]
    for name in ("mean_ttft_ms", "mean_tpot_ms", "median_tpot_ms"):
        assert found[name] == pytest.approx(single[name], rel=0.02)


def test_a_long_steady_run_is_what_simulate_says() -> None:
    found = open_loop(SCENARIO, Sent(1.0, requests=3000))
    figures = simulate(SCENARIO, rate=1.0, duration="50min", lengths="fixed").figures
    for name in ("mean_ttft_ms", "mean_tpot_ms", "total_tok_s_gpu"):
        assert found[name] == pytest.approx(figures[name], rel=0.06)


def test_all_at_once_is_limited_by_the_replica_and_the_queue_is_in_ttft() -> None:
    burst, slower = (open_loop(SCENARIO, Sent(rate, requests=2000)) for rate in (1000.0, 500.0))
    assert burst["total_tok_s_gpu"] == pytest.approx(slower["total_tok_s_gpu"], rel=0.02)
    assert burst["mean_ttft_ms"] > 10 * open_loop(SCENARIO, Sent(1.0, requests=300))["mean_ttft_ms"]


def test_work_is_conserved() -> None:
    """Little's law on the run itself: mean in flight is requests per second times mean latency."""
    found = open_loop(SCENARIO, Sent(2.0, requests=1000))
    per_s = found["output_tok_s_gpu"] * 4 / 1024
    latency = (found["mean_ttft_ms"] + 1023 * found["mean_tpot_ms"]) / 1000
    assert found["in_flight"] == pytest.approx(per_s * latency, rel=5e-3)  # means of several runs


def test_intervals_hold_their_prediction() -> None:
    found = open_loop(SCENARIO, Sent(1.0, requests=200))
    for name in ("total_tok_s_gpu", "mean_ttft_ms", "mean_tpot_ms"):
        assert found[f"{name}_lo"] < found[name] < found[f"{name}_hi"]


def test_evaluation_of_what_the_model_says_has_no_error() -> None:
    result = evaluate([as_measured()])
    (point,) = result.points
    assert point["concurrency"] is None
    assert point["request_rate_per_s"] == 1.0
    assert all(abs(point[f"error_{name}"]) < 1e-9 for name in ("total_tok_s_gpu", "mean_ttft_ms", "mean_tpot_ms"))
    assert result.coverage90["mean_tpot_ms"] == 1.0


def test_closed_and_open_rows_together() -> None:
    closed = MeasuredPoint(
        **NAMES, spec="off", isl=1024, osl=1024, tp=4, concurrency=4, mean_tpot_ms=8.0, file="a.csv", line=2
    )
    result = evaluate([closed, as_measured()], method="closed-form")
    assert [point["concurrency"] for point in result.points] == [4, None]


def test_validation_is_clean_where_the_model_agrees_and_names_what_leaves() -> None:
    assert validate([as_measured()]).rows[0].verdict == "clean"
    slow = as_measured(mean_tpot_ms=90.0)
    report = validate([slow])
    assert report.rows[0].verdict == "suspicious"
    assert any("by the open loop at 1 requests/s, 300 requests" in reason.message for reason in report.findings)
    assert report.records()[0]["request_rate_per_s"] == 1.0


def test_no_more_is_finished_than_was_sent() -> None:
    row = as_measured()
    assert row.total_tok_s_gpu is not None
    report = validate([replace(row, total_tok_s_gpu=4 * row.total_tok_s_gpu)])
    (found,) = [reason for reason in report.findings if reason.kind == "more_than_sent"]
    assert found.severity == "impossible"
    assert "all 4 GPUs labelled per GPU" in found.message


def test_strangers_are_unchecked() -> None:
    assert validate([replace(ROW, model="nobodys-model", mean_ttft_ms=5.0, line=1)]).rows[0].verdict == "unchecked"


def test_a_fit_takes_closed_loops_only(tmp_path: Any) -> None:
    text = "hardware,model,precision,engine,spec,isl,osl,tp,concurrency,request_rate_per_s,mean_tpot_ms\n"
    (tmp_path / "a.csv").write_text(f"{text}mi355x,qwen3.5-397b-a17b,fp4,sglang,off,1024,1024,4,,2,9\n")
    with pytest.raises(InputError, match="all 1 rows are of an open loop"):
        calibrate(tmp_path / "a.csv")


def test_one_client_in_place_of_a_rate() -> None:
    assert (alone(ROW).concurrency, alone(ROW).model, alone(ROW).requests) == (1, ROW.model, None)
    assert measured_open(replace(ROW, output_tok_s_gpu=100.0), "total_tok_s_gpu") == 200.0
    assert measured_open(ROW, "mean_ttft_ms") is None
    assert math.isclose(sent_of(ROW).cv, 1.0)


def test_the_limit_of_a_recipe_is_that_of_its_own_sweep() -> None:
    """Requests that a recipe would queue run, unless the row names it."""
    row = replace(ROW, hardware="h200", precision="fp8", tp=8, request_rate_per_s=200.0, requests=600)
    scenario = open_configuration(row).scenario(SCENARIO.calibration)
    limit = scenario.deployment.engine.max_running
    assert limit is not None
    assert limit < 600 < scenario.max_concurrency
    free = predicted(row, scenario)
    named = predicted(replace(row, recipe=scenario.deployment.launch.recipe), scenario)
    assert named["mean_ttft_ms"] > 2 * free["mean_ttft_ms"]
    assert free["mean_tpot_ms"] > named["mean_tpot_ms"]
