"""What-if studies against a fine grid, direct simulation, limits that are known exactly, and measured slowdowns."""

from __future__ import annotations

import csv
import functools
import itertools
import json
import math
from collections import defaultdict
from dataclasses import replace
from statistics import median
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.text import Text

from simulator import (
    cli,
    make_scenario,
    predict,
    shipped_measurements,
    what_if_acceptance,
    what_if_depth,
    what_if_sensitivity,
    what_if_sweep,
    what_if_workload,
)
from simulator import kernels as kn
from simulator.cost.parameters import registry
from simulator.errors import InputError
from simulator.plots.acceptance import acceptance_figure
from simulator.plots.depth import depth_figure
from simulator.plots.drawing import draw
from simulator.plots.sensitivity import sensitivity_figure
from simulator.plots.workload import workload_figure
from simulator.prediction.intervals import Z90
from simulator.serving.closed_loop import expected_metrics
from simulator.serving.replica import build_replica
from simulator.serving.scenario import Scenario
from simulator.speculation.acceptance import OFF, from_length
from simulator.what_if.depth import Rounds
from simulator.what_if.factors import factors_of
from simulator.what_if.gain import Gain, break_evens, with_length
from simulator.what_if.grid import closed_form_grid
from simulator.what_if.ranges import span
from simulator.what_if.sensitivity import PARAMETERS, apply, evaluate

MEASURED = shipped_measurements("atom_mi355x_tp4.csv")


@functools.cache
def fp4(mtp: int = 3, tp: int = 2) -> Scenario:
    return make_scenario(isl=8192, tp=tp, mtp=mtp)


@functools.cache
def short() -> Scenario:
    """Short prompts, where the closed form is trusted."""
    return make_scenario(isl=128, mtp=3)


def directly(scenario: Scenario, concurrency: int) -> float:
    plan = build_replica(scenario.deployment, scenario.speculation, scenario.calibration.values())
    cap, gpus = max(1, scenario.max_concurrency), scenario.deployment.tp
    return expected_metrics(plan, scenario.workload, scenario.speculation, concurrency, cap, gpus, seed=3)[
        "total_tok_s_gpu"
    ]


# --- acceptance -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [2, 8])
def test_break_even_agrees_with_a_fine_grid(concurrency: int) -> None:
    lengths = np.linspace(1.0, 4.0, 3001)
    grid = closed_form_grid(
        [*(with_length(short(), x) for x in lengths), replace(short(), speculation=OFF)], [concurrency]
    )
    gain = grid["total_tok_s_gpu"][:-1, 0] / grid["total_tok_s_gpu"][-1, 0] - 1
    first = int(np.argmax(gain > 0))
    gain_of = Gain(short(), concurrency)
    assert gain_of.method == "closed-form"
    found = gain_of.break_even(intervals=False).length
    assert found is not None
    assert lengths[first - 1] <= found <= lengths[first]


def test_break_even_by_discrete_events_is_where_they_gain_nothing() -> None:
    (even,) = break_evens(fp4(), [16], method="des", intervals=False)
    assert even.length is not None
    off, mtp = directly(replace(fp4(), speculation=OFF), 16), directly(with_length(fp4(), even.length), 16)
    assert mtp / off == pytest.approx(1.0, abs=0.02)


def test_interval_of_break_even_agrees_with_draws_from_the_calibration() -> None:
    scenario = short()
    names, covariance = scenario.calibration.uncertainty()
    values, rng = scenario.calibration.values(), np.random.default_rng(5)
    known = [n for n in names if n in registry()]
    keep = [names.index(n) for n in known]
    middle = np.array([registry()[n].to_internal(values[n]) for n in known])
    found = []
    for one in rng.multivariate_normal(middle, covariance[np.ix_(keep, keep)], size=600):
        drawn = {n: registry()[n].from_internal(x) for n, x in zip(known, one, strict=True)}
        lengths = [1.3 + 0.05 * i for i in range(40)]
        variants = [*(with_length(scenario, x) for x in lengths), replace(scenario, speculation=OFF)]
        table = closed_form_grid(variants, [32], values={**values, **drawn})["total_tok_s_gpu"][:, 0]
        gains = np.log(table[:-1] / table[-1]) + rng.normal(0.0, math.sqrt(2) * scenario.calibration.noise.throughput)
        found.append(float(np.interp(0.0, gains, lengths)))
    even = Gain(scenario, 32).break_even()
    assert even.low is not None
    assert even.high is not None
    low, high = np.percentile(found, (5, 95))
    assert low == pytest.approx(even.low, abs=0.12)
    assert high == pytest.approx(even.high, abs=0.12)
    assert Z90 * even.sd / even.slope == pytest.approx((even.high - even.low) / 2, rel=0.15)


def test_monotone_in_acceptance_everywhere() -> None:
    counts = [1, 4, 16, 64]  # at 256 clients of 8k prompts discrete events stand in
    for engine, (tp, k), isl in itertools.product(("sglang", "atom", "vllm"), ((2, 3), (4, 1), (8, 8)), (1024, 8192)):
        base = make_scenario(engine=engine, tp=tp, mtp=k, isl=isl, acceptance_rate=0.5)
        lengths = np.linspace(1.0, k + 1.0, 30)
        found = closed_form_grid([with_length(base, x) for x in lengths], counts)
        for log in (np.log(found["total_tok_s_gpu"]), -np.log(found["mean_tpot_ms"])):
            # whole numbers of prefill passes make steps of under 1 % where there is much prefill
            assert np.diff(log, axis=0).min() > -0.01, (engine, tp, k, isl)
            assert (log[5:] > log[:-5]).all(), (engine, tp, k, isl)
            assert (np.diff(log[:, :2], axis=0) > 0).all(), (engine, tp, k, isl)


def test_discrete_events_are_monotone_in_acceptance_within_their_sampling() -> None:
    study = what_if_acceptance(fp4(), [4, 64], rates=span("--rates", 0.0, 1.0, 6), intervals=False)
    for count in (4, 64):
        column = [r["total_tok_s_gpu"] for r in study.tables["points"] if r["concurrency"] == count]
        assert (np.diff(column) > 0).all()


def test_perfect_free_drafts_gain_k_plus_1_in_the_memory_bound_limit() -> None:
    """All experts touched and weights the only cost: a round of k + 1 tokens takes as long as one token."""
    base = make_scenario(tp=2, mtp=3, acceptance_rate=1.0, isl=1, osl=4000)
    for k in (1, 3, 8):
        gains = []
        for spec in (OFF, from_length(k + 1.0, k)):
            plan = build_replica(base.deployment, spec, base.calibration.values())
            vector = plan.constants.copy()
            for free in ("single_drafts", "extend", "host_draft", "host_request", "states", "reload"):
                vector[free] = 0.0
            vector.experts = vector.top_k
            target = plan.target.copy()
            target[:, 3:8] = 0.0
            time = kn.round_time(target, plan.draft, vector, 512.0, 512.0 * 1000.0)
            gains.append(spec.acceptance_length / time)
        assert gains[1] / gains[0] == pytest.approx(k + 1.0, rel=1e-12)


def test_useless_drafts_cost_what_was_measured() -> None:
    """ATOM FP8 8k/1k rows whose drafts were never accepted, against Off rows of the same configuration."""
    tpot: dict[tuple[str, int], list[float]] = defaultdict(list)
    with MEASURED.open() as file:
        for row in csv.DictReader(file):
            wanted = row["precision"] == "FP8" and row["isl"] == "8192" and row["mean_tpot_ms"]
            if wanted and (row["spec"] == "off" or row["acceptance_length"] == "1.0"):
                tpot[row["spec"], int(row["concurrency"])].append(float(row["mean_tpot_ms"]))
    counts = [4, 8, 16, 32, 64, 128, 256]
    scenario = make_scenario(
        engine="atom", precision="fp8", tp=4, isl=8192, mtp=3, acceptance_length=1.0, calibration="atom-mi355x"
    )
    study = what_if_acceptance(scenario, counts, rates=[0.0], intervals=False)
    errors = []
    for point, off in zip(study.tables["points"], study.tables["off"], strict=True):
        slowdown = median(tpot["mtp", point["concurrency"]]) / median(tpot["off", point["concurrency"]])
        errors.append(point["mean_tpot_ms"] / off["mean_tpot_ms"] / slowdown - 1.0)
    # found when written: 2.1 % in the mean, 5.7 % at worst
    assert np.mean(np.abs(errors)) < 0.04
    assert np.max(np.abs(errors)) < 0.09


def test_sensitivity_is_the_derivative() -> None:
    lengths = [2.0, 2.001]
    a, b = what_if_acceptance(short(), [8], lengths=lengths, method="closed-form", intervals=False).tables["points"]
    slope = math.log(b["total_tok_s_gpu"] / a["total_tok_s_gpu"]) / 0.001
    assert a["dlog_throughput_dlength"] == pytest.approx(slope, rel=1e-2)


# --- depth ------------------------------------------------------------------------------------------------------------


def random_cases(count: int = 10) -> list[tuple[Scenario, int]]:
    rng = np.random.default_rng(11)
    out = []
    for _ in range(count):
        isl, osl = int(rng.choice([512, 1024, 4096, 8192])), int(rng.choice([512, 1024, 2048]))
        engine, tp = str(rng.choice(["sglang", "atom", "vllm"])), int(rng.choice([2, 4]))
        rate = float(rng.uniform(0.2, 0.95))
        scenario = make_scenario(engine=engine, tp=tp, isl=isl, osl=osl, mtp=6, acceptance_rate=rate)
        out.append((scenario, int(rng.choice([2, 8, 24, 48]))))
    return out


@pytest.mark.parametrize(("scenario", "concurrency"), random_cases())
def test_depth_agrees_with_direct_simulation(scenario: Scenario, concurrency: int) -> None:
    (best,) = what_if_depth(scenario, [concurrency], method="closed-form").tables["best"]
    variants = Rounds(scenario).variants
    found = [directly(v, concurrency) for v in variants]
    assert found[best["spec_tokens"]] > 0.97 * max(found)
    assert best["gain_over_off"] == pytest.approx(found[best["spec_tokens"]] / found[0] - 1.0, abs=0.08)


def test_deep_drafts_pay_only_when_accepted() -> None:
    high = what_if_depth(make_scenario(isl=1024, mtp=8, acceptance_rate=0.98), [4]).tables["best"][0]
    low = what_if_depth(make_scenario(isl=1024, mtp=8, acceptance_rate=0.05), [4]).tables["best"][0]
    assert high["spec_tokens"] >= 6
    assert low["spec_tokens"] == 0


def test_adapting_never_loses_and_beats_a_depth_that_is_wrong_for_the_load() -> None:
    rounds = Rounds(make_scenario(isl=1024, mtp=8, acceptance_rate=0.6))
    for row in rounds.policy(64):
        per_depth = [row[f"ms_per_token_k{k}"] for k in range(9)]
        assert int(np.argmin(per_depth)) == row["spec_tokens"]
    best = what_if_depth(make_scenario(isl=1024, mtp=8, acceptance_rate=0.6), [8, 64], method="closed-form")
    assert all(0.0 <= row["adaptive_gain"] < 0.1 for row in best.tables["best"])
    wrong = rounds.adaptive_gain(rounds.variants[8], 64, seed=0)
    assert wrong > 0.05


def test_depth_and_predict_answer_the_same_question_with_the_same_acceptance() -> None:
    """MTP 3 against Off at 32 clients: what-if depth at depth 3 is what predict gives, and says where it comes from."""
    study = what_if_depth(make_scenario(isl=8192, mtp=3), [32])
    gain = next(row["gain_over_off"] for row in study.tables["points"] if row["spec_tokens"] == 3)
    rows = predict([make_scenario(isl=8192, mtp=k) for k in (0, 3)], [32], intervals=False).rows
    assert gain == pytest.approx(rows[1]["total_tok_s_gpu"] / rows[0]["total_tok_s_gpu"] - 1.0, rel=1e-12)
    shown = run("depth", "--isl", "8192", "--concurrency", "32")
    assert study.meta["acceptance_source"].startswith("fitted by calibration")
    assert "fitted by calibration sglang-mi355x-fp4-2026-09" in " ".join(shown.split())


def test_a_stated_acceptance_is_looked_at() -> None:
    options = ("--isl", "8192", "--concurrency", "32", "--rates", "0,1")
    stated = json.loads(run("acceptance", *options, "--acceptance-length", "2.6", "--format", "json"))
    assert [row["acceptance_length"] for row in stated["points"]] == pytest.approx([1.0, 2.6, 4.0])
    gain = 100 * stated["points"][1]["gain_over_off"]
    assert stated["sentences"][0] == f"at 32 clients MTP 3 gains {gain:+.0f} % at 2.60 tokens per round, as stated"
    assert len(json.loads(run("acceptance", *options, "--format", "json"))["points"]) == 2


def test_a_choice_that_adds_nothing_is_said_and_not_drawn() -> None:
    row = {"concurrency": 4, "gain_over_fixed": 0.0, "adaptive_gain": 0.0, "spec_tokens": 1, "gain_over_off": 0.1}
    nothing = depth_figure([row], [row], 1)
    assert len(nothing.axes) == 1
    assert any("depth 1 for all is as good as a choice" in text.get_text() for text in nothing.findobj(Text))
    assert len(depth_figure([row], [row | {"gain_over_fixed": 0.02}], 1).axes) == 2


def test_the_picture_of_workloads_names_the_model() -> None:
    study = what_if_workload([fp4()], [4], intervals=False)
    assert any("qwen3.5-397b-a17b" in text.get_text() for text in draw(study).findobj(Text))


def test_studies_say_where_the_closed_form_gave_way() -> None:
    study = what_if_depth(make_scenario(isl=8192, osl=256, mtp=2), [1, 32], method="closed-form")
    assert {(row["concurrency"], row["method"]) for row in study.tables["points"]} == {
        (1, "closed-form"),
        (32, "des (closed form not valid here)"),
    }
    assert "at 32 clients by discrete events: the closed form is not valid there" in study.sentences


# --- workload and sensitivity -----------------------------------------------------------------------------------------


def test_short_outputs_after_long_prompts_gain_less() -> None:
    shapes = [(1024, 1024), (8192, 1024), (8192, 128)]
    scenarios = [
        make_scenario(isl=i, osl=o, mtp=3, acceptance_length=2.8, calibration="sglang-mi355x-fp4-2026-09")
        for i, o in shapes
    ]
    study = what_if_workload(scenarios, [32], intervals=False)
    gains = [row["gain_over_off"] for row in study.tables["points"]]
    shares = [row["off_decode_share"] for row in study.tables["points"]]
    assert gains[1] > gains[2]
    assert shares[0] > shares[1] > shares[2]


def test_sensitivity_agrees_with_direct_simulation() -> None:
    """Ten random points of the factor space: the closed form's gain against that of discrete events."""
    factors = factors_of(fp4(), PARAMETERS)
    rng = np.random.default_rng(2)
    points = np.array([[f.at(float(rng.random())) for f in factors] for _ in range(10)])
    found = evaluate(fp4(), 16, factors, points)[0]["gain"]
    for point, gain in zip(points, found, strict=True):
        scenario, values = apply(fp4(), factors, point)
        rates = []
        for side in (scenario, replace(scenario, speculation=OFF)):
            plan = build_replica(side.deployment, side.speculation, values)
            cap = max(1, side.max_concurrency)
            rates.append(expected_metrics(plan, side.workload, side.speculation, 16, cap, 2, seed=1)["total_tok_s_gpu"])
        assert gain == pytest.approx(rates[0] / rates[1] - 1.0, abs=0.06)


def test_sobol_indices_are_repeatable_and_add_up() -> None:
    a, b = (what_if_sensitivity(fp4(), 32, samples=64, seed=0) for _ in range(2))
    assert a.tables == b.tables
    gain = [row for row in a.tables["indices"] if row["answer"] == "gain"]
    assert gain[0]["input"] == "acceptance length"
    assert 0.8 < sum(row["total"] for row in gain) < 1.3
    bars = [row for row in a.tables["tornado"] if row["answer"] == "gain"]
    assert [row["swing"] for row in bars] == sorted((row["swing"] for row in bars), reverse=True)


def test_wide_sweep() -> None:
    """5 concurrencies x 10 acceptances x 8 depths x 4 TP, of which TP1 does not fit."""
    scenarios = [make_scenario(tp=tp, mtp=k, acceptance_rate=0.5) for tp in (1, 2, 4, 8) for k in range(1, 9)]
    seen: list[tuple[int, int]] = []
    rates = span("--rates", 0.0, 1.0, 10)
    found = what_if_sweep(
        scenarios,
        (1, 4, 16, 64, 100),
        rates,
        method="closed-form",
        progress=lambda done, total: seen.append((done, total)),
    )
    assert found.meta["configurations"] == 1_200
    assert len(found.meta["left_out"]) == 8
    assert {column.size for column in found.columns.values()} == {1_200}
    assert seen[-1][0] == seen[-1][1]
    study = what_if_acceptance(scenarios[10], [100], rates=[rates[4]], method="closed-form", intervals=False)
    chosen = (found.columns["tp"] == 2) & (found.columns["spec_tokens"] == 3) & (found.columns["concurrency"] == 100)
    row = next(r for r in study.tables["points"] if r["acceptance_rate"] == pytest.approx(rates[4]))
    assert found.columns["method"][chosen][4] == row["method"]
    assert set(found.columns["method"]) == {"closed-form", "des (closed form not valid here)"}
    for name in ("total_tok_s_gpu", "gain_over_off", "cost_usd_per_mtok", "interactivity_tok_s_user"):
        assert found.columns[name][chosen][4] == pytest.approx(row[name], rel=1e-12)
    assert found.to_csv().count("\n") == 1_201


# --- pictures, tables and bad input -----------------------------------------------------------------------------------


def test_pictures() -> None:
    study = what_if_acceptance(fp4(), [4, 32], rates=[0.0, 0.5, 1.0], method="closed-form")
    mark = {"concurrency": 4, "acceptance_length": 2.5, "lo": 2.0, "hi": 3.0}
    figure = acceptance_figure(study.tables["points"], study.tables["break_even"], [mark], "title")
    assert "rate" not in figure.axes[0].get_xlabel()
    assert figure.axes[0].get_ylabel() == "Acceptance length (tokens per round)"
    depth = what_if_depth(fp4(), [4, 32], method="closed-form")
    assert depth_figure(depth.tables["points"], depth.tables["best"], 3).axes
    moves = what_if_sensitivity(fp4(), 32, samples=16)
    tables = [[r for r in moves.tables[name] if r["answer"] == "gain"] for name in ("tornado", "indices")]
    assert sensitivity_figure(*tables).axes
    cases = what_if_workload([fp4(), fp4(tp=4)], [4], method="closed-form", intervals=False)
    assert workload_figure(cases.tables["points"]).axes


def run(*arguments: str) -> Any:
    result = CliRunner().invoke(cli.group, ["what-if", *arguments], catch_exceptions=True)
    if isinstance(result.exception, InputError):
        return str(result.exception)
    assert result.exception is None, result.output
    return result.output


def test_command_line() -> None:
    common = ("--isl", "8192", "--concurrency", "4,32")
    found = json.loads(run("acceptance", *common, "--rates", "0..1:3", "--format", "json"))
    assert len(found["points"]) == 6
    assert {"acceptance_length", "acceptance_length_lo", "acceptance_length_hi"} <= set(found["break_even"][0])
    assert "pays above" in run("acceptance", *common, "--method", "closed-form")
    assert "is best" in run("depth", *common, "--method", "closed-form")
    assert "decoding" in run(
        "workload", "--concurrency", "4", "--tp", "4", "--across-isl", "1024", "--method", "closed-form"
    )
    assert "acceptance length" in run("sensitivity", "--isl", "8192", "--samples", "16")
    assert "rate 0.5" in run("sweep", "--mtp", "2,3", "--rates", "0..1:3", "--concurrency", "4..8:3")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("acceptance", "--rates", "0.9..0.1"), "reversed"),
        (("acceptance", "--rates", "0.5..0.5"), "empty"),
        (("acceptance", "--rates", "0..1:1"), "empty"),
        (("acceptance", "--rates", "0.5,1.5"), "in [0, 1]"),
        (("acceptance", "--acceptance-lengths", "1..5"), "in [1, 4]"),
        (("acceptance", "--rates", "0..x"), "expected numbers"),
        (("acceptance", "--mtp", "0"), "found 0 (off)"),
        (("acceptance", "--rates", "0.5", "--acceptance-lengths", "2"), "found both"),
        (("acceptance", "--measured", "x.csv"), "--plot"),
        (
            ("depth", "--mtp", "9", "--acceptance-profile", "qwen3.5-397b-a17b-thinking"),
            "published up to depth 8, found --mtp 9",
        ),
        (("depth", "--mtp", "4", "--acceptance", "0.9,0.8"), "expected 4 probabilities"),
        (("workload", "--across-hardware", "mi355x,"), "expected names"),
        (("sensitivity", "--samples", "100"), "power of two"),
        (("acceptance", "--backend", "spark"), "unknown backend"),
        (("acceptance", "--backend", "dask"), "--scheduler ADDRESS"),
        (("acceptance", "--scheduler", "tcp://127.0.0.1:1"), "only --backend dask"),
        (("acceptance", "--method", "guess"), "unknown method"),
        (("sweep", "--tp", "1"), "does not fit"),
    ],
)
def test_bad_input(arguments: tuple[str, ...], message: str) -> None:
    found = run(*arguments, "--isl", "8192")
    assert message in found
    assert "Traceback" not in found
