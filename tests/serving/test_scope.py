"""Where a scenario stands to what its calibration was fitted to."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from simulator import make_scenario, predict, simulate
from simulator.cost.calibration import load_calibration
from simulator.cost.measured import Curve
from simulator.cost.priors import layered
from simulator.facts.reading import names
from simulator.measurements import read_csv
from simulator.measurements.configuration import configuration
from simulator.measurements.files import shipped_measurements
from simulator.serving import scope
from simulator.serving.scope import INSIDE, POOLS, WORDS, Asked, Reason, Verdict, judge, judge_traffic, nearest
from simulator.serving.steps import KINDS, Step, steps

METRICS = ("total_tok_s_gpu", "mean_tpot_ms", "mean_ttft_ms")
FP4 = "sglang-mi355x-fp4-2026-09"
ASKED = Asked("mi355x", "m", "e", "c", "fp8", tp=4, ep=1, dp=1, isl=1024, osl=1024, spec_tokens=0)


def curve(**changes: Any) -> Curve:
    return Curve(**{**vars(ASKED), "concurrency": [4, 64], **changes})


def fp4(**changes: Any) -> Any:
    own = {"calibration": FP4, "checkpoint": "mxfp4-attnfp8", "isl": 8192, "tp": 2}
    return make_scenario(precision="fp4", **{**own, **changes})


@pytest.mark.parametrize(
    ("changes", "concurrency", "word", "texts"),
    [
        ({}, 4, "inside", []),
        ({}, 16, "between", ["concurrency 16 between 4 and 64"]),
        ({}, 128, "extrapolated", ["concurrency 128 beyond 4 to 64"]),
        ({"tp": 8}, 4, "extrapolated", ["TP 8 beyond 4"]),
        ({"isl": 1200}, 4, "inside", []),
        ({"isl": 1400}, 4, "extrapolated", ["ISL 1400 beyond 1024"]),
        ({"ep": 4}, 4, "unmeasured", ["EP 4, measured 1"]),
        ({"dp": 2}, 4, "unmeasured", ["DP 2, measured 1"]),
        ({"spec_tokens": 3}, 4, "unmeasured", ["MTP 3, measured off"]),
        ({"checkpoint": "d"}, 4, "unmeasured", ["checkpoint d, measured c"]),
        ({"kv_dtype": "bf16"}, 4, "unmeasured", ["KV cache bf16, measured fp8"]),
        ({"hardware": "mi300x", "tp": 8}, 4, "unmeasured", ["hardware mi300x, measured mi355x", "TP 8 beyond 4"]),
    ],
)
def test_one_curve_by_hand(changes: dict[str, Any], concurrency: int, word: str, texts: list[str]) -> None:
    found = nearest([curve()], replace(ASKED, **changes), concurrency)
    assert (found.scope, found.texts) == (word, texts)


def test_a_size_between_two_measured_ones_costs_nothing() -> None:
    curves = [curve(isl=1024), curve(isl=8192)]
    found = nearest(curves, replace(ASKED, isl=4096), 4)
    assert (found.scope, found.texts) == ("between", ["ISL 4096 between 1024 and 8192"])
    assert all(found.spread(kind) == 0.0 for kind in KINDS)
    # with another TP at either end it is no line between them
    apart = nearest([curve(isl=1024), curve(isl=8192, tp=2)], replace(ASKED, isl=4096), 4)
    assert apart.scope == "extrapolated"


def test_off_is_no_depth_between() -> None:
    curves = [curve(), curve(spec_tokens=3)]
    assert nearest(curves, replace(ASKED, spec_tokens=5), 4).texts == ["MTP 5 beyond 3"]
    assert nearest(curves, replace(ASKED, spec_tokens=1), 4).scope == "extrapolated"
    assert nearest([curve(spec_tokens=3)], ASKED, 4).texts == ["MTP off, measured 3"]


def test_the_cheapest_way_is_taken() -> None:
    """From TP4 one doubling, from TP1 three."""
    found = nearest([curve(tp=1), curve(tp=4)], replace(ASKED, tp=8), 4)
    (reason,) = found.reasons
    assert (reason.aspect, reason.size) == ("tp", 1.0)
    assert reason.text == "TP 8 beyond 1 to 4"


def test_variances_add_by_hand() -> None:
    verdict = Verdict((Reason("tp", "extrapolated", "", 2.0), Reason("checkpoint", "unmeasured", "", 1.0)))
    for kind in KINDS:
        tp, checkpoint = (steps()[name].of(kind) for name in ("tp", "checkpoint"))
        assert verdict.spread(kind) == pytest.approx(math.sqrt(2.0 * tp**2 + checkpoint**2))
    assert INSIDE.spread("tpot") == 0.0
    assert verdict.without(verdict) == INSIDE


def test_every_fitted_row_is_inside() -> None:
    for file, name, precision in (
        ("sglang_mi355x_8k1k.csv", FP4, "FP4"),
        ("sglang_mi355x_8k1k.csv", "sglang-mi355x-fp8-2026-08", "FP8"),
        ("atom_mi355x_tp4.csv", "atom-mi355x", None),
    ):
        for row in read_csv(shipped_measurements(file)).points:
            if precision in (None, row.precision):
                scenario = configuration(row).scenario(load_calibration(name))
                assert judge(scenario, row.concurrency, row.engine_version) == INSIDE


def test_a_step_that_nobody_took_widens_every_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a cost that is planted, since a measured one may be 0: the squares of the widths add."""

    def widths(scenario: Any, cost: float) -> dict[str, float]:
        planted = Step(throughput=cost, tpot=2 * cost, ttft=3 * cost, source="planted")
        monkeypatch.setattr(scope, "steps", lambda: dict.fromkeys(steps(), planted))
        (row,) = predict(scenario, [32]).rows
        return {metric: math.log(row[f"{metric}_hi"] / row[f"{metric}_lo"]) for metric in METRICS}

    for changes in ({"tp": 8}, {"dp": 2}, {"ep": 2}, {"checkpoint": "mxfp4"}, {"isl": 60000, "tp": 8}):
        away = fp4(**changes)
        (row,) = predict(away, [32]).rows
        assert row["scope"] in WORDS[2:]
        assert row["scope_reasons"]
        free, dear = widths(away, 0.0), widths(away, 0.05)
        size = sum(reason.size for reason in judge(away, 32).reasons)
        assert size > 0.0
        for metric, times in zip(METRICS, (1, 2, 3), strict=True):
            added = 2 * 1.645 * times * 0.05 * math.sqrt(size)
            assert dear[metric] == pytest.approx(math.hypot(free[metric], added), rel=1e-3)


def test_another_image() -> None:
    scenario = fp4()
    (known,) = load_calibration(FP4).scope.images
    assert judge(scenario, 32, known) == judge(scenario, 32) == INSIDE
    other = judge(scenario, 32, "lmsysorg/sglang-rocm:v9")
    assert other.scope == "unmeasured"
    assert 1.645 * other.spread("tpot") == pytest.approx(0.20, abs=0.001)


def test_without_a_calibration_nothing_is_measured() -> None:
    """An accelerator without kernel tables of its own says whose they are; its priors are as wide as that asks for."""
    own, borrowed = (make_scenario(hardware=name, precision="fp8", tp=8) for name in ("b200", "gb200"))
    assert judge(own, 32).scope == judge(borrowed, 32).scope == "unmeasured"
    assert [reason.aspect for reason in judge(own, 32).reasons] == ["calibration"]
    assert judge(borrowed, 32).texts[1] == "kernel times are those of b200"
    mine, theirs = (made.calibration.known for made in (own, borrowed))
    layers = layered(own.deployment.hardware).layers
    fitted = [name for name, layer in layers.items() if layer == "accelerator"]
    assert len(fitted) > 30
    assert all(theirs[name].sd > mine[name].sd for name in fitted)


def test_open_loop_traffic_by_its_means() -> None:
    scenario = fp4()
    assert judge_traffic(scenario, 0.9 * 8192, 0.9 * 1024, 32) == INSIDE
    assert judge_traffic(scenario, 8192, 1024).scope == "inside"
    assert judge_traffic(scenario, 0.9 * 8192, 0.9 * 1024, 500).texts == ["concurrency 500 beyond 4 to 128"]
    pools = judge_traffic(scenario, 0.9 * 8192, 0.9 * 1024, 32, pools=True)
    assert pools.reasons == (POOLS,)


def test_simulate_carries_it() -> None:
    found = simulate(fp4(tp=8), rate=1.0, duration="2min")
    assert found.figures["scope"] == "extrapolated"
    assert any("TP 8" in text for text in found.figures["scope_reasons"])


def test_the_default_checkpoint_is_one_that_was_fitted() -> None:
    assert make_scenario(isl=8192).deployment.checkpoint == "mxfp4-attnfp8"
    assert make_scenario(isl=1024).deployment.checkpoint == "mxfp4"
    named = make_scenario(isl=8192, checkpoint="mxfp4")
    assert named.deployment.checkpoint == "mxfp4"
    assert "checkpoint mxfp4, measured mxfp4-attnfp8" in judge(named, 32).texts


def test_the_measured_point_is_met() -> None:
    """SGLang FP4 TP2 Off at 4 clients: 2001 tok/s/GPU measured."""
    (row,) = predict(make_scenario(isl=8192), [4]).rows
    assert row["total_tok_s_gpu_lo"] < 2001 < row["total_tok_s_gpu_hi"]
    assert row["total_tok_s_gpu"] == pytest.approx(2001, rel=0.05)
    assert row["scope"] == "inside"


def test_every_shipped_fit_names_its_curves() -> None:
    for name in names("calibration"):
        calibration = load_calibration(name)
        assert bool(calibration.scope.curves) == bool(calibration.data)
