"""``mtpsim suggest``: the linear Gaussian update against brute force, and what a user sees."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from simulator.api import make_scenario
from simulator.cli import run
from simulator.errors import InputError
from simulator.fitting import suggest as suggestion
from simulator.fitting.suggest import MEASURED, Suggestion, suggest
from simulator.prediction.intervals import Z90, jacobian, relative_sd
from simulator.serving.scenario import Scenario

NOISE = {"total_tok_s_gpu": "throughput", "mean_tpot_ms": "tpot", "mean_ttft_ms": "ttft"}


def target(**options: Any) -> Scenario:
    given = {"engine": "sglang", "precision": "fp4", "tp": 2, "isl": 8192, "calibration": "sglang-mi355x-fp4-2026-09"}
    return make_scenario(**(given | options))


def suggested(scenario: Scenario, concurrency: int, **options: Any) -> tuple[float, tuple[Suggestion, ...]]:
    """The half width now and all candidates."""
    found = suggest(scenario, concurrency, top=None, **options)
    return found.meta["half_width_now"], found.candidates


def this_run(found: Sequence[Suggestion], scenario: Scenario, concurrency: int) -> Suggestion:
    """The suggestion that is the target itself."""
    d, w = scenario.deployment, scenario.workload
    place = (w.isl, w.osl, d.tp, scenario.speculation.tokens, concurrency)
    (one,) = [s for s in found if (s.isl, s.osl, s.tp, s.spec_tokens, s.concurrency) == place]
    return one


@pytest.mark.parametrize("metric", MEASURED)
def test_the_update_of_a_toy_is_that_of_a_joint_normal(monkeypatch: pytest.MonkeyPatch, metric: str) -> None:
    """Oracle: condition the joint covariance of (target, measurements) on the measurements, by the textbook."""
    scenario, rng = target(), np.random.default_rng(3)
    root = rng.standard_normal((3, 3))
    names, covariance = ["a", "b", "c"], root @ root.T
    slopes = {m: rng.standard_normal((1, 3)) for m in MEASURED}
    calibration = scenario.calibration
    monkeypatch.setattr(type(calibration), "uncertainty", lambda self: (names, covariance))
    monkeypatch.setattr(suggestion, "jacobian", lambda scenario, clients: (names, covariance, slopes))
    monkeypatch.setattr(suggestion, "_candidates", lambda scenario, tp, workloads: [scenario])
    now, (found,) = suggested(scenario, 64, metric=metric, concurrencies=())
    design = np.vstack([slopes[metric], *(slopes[m] for m in MEASURED)])
    joint = design @ covariance @ design.T
    noise = {m: getattr(calibration.noise, NOISE[m]) ** 2 for m in MEASURED}
    joint[1:, 1:] += np.diag([noise[m] for m in MEASURED])
    after = joint[0, 0] - joint[0, 1:] @ np.linalg.inv(joint[1:, 1:]) @ joint[1:, 0]
    assert now == pytest.approx(Z90 * np.sqrt(joint[0, 0] + noise[metric]))
    assert found.half_width == pytest.approx(Z90 * np.sqrt(after + noise[metric]))
    assert found.narrowed == pytest.approx(1 - np.sqrt(after / joint[0, 0]))


@pytest.mark.parametrize("k", [0, 3])
def test_a_real_update_adds_information_matrices(k: int) -> None:
    """Oracle: posterior precision = prior precision + J' R^-1 J, over all parameters, for an MTP run at TP4."""
    aim, run_at = target(mtp=k), target(mtp=3, tp=4, isl=1024)
    names, covariance = aim.calibration.uncertainty()
    if k == 0:
        assert run_at.speculation.source.kind == "fitted"

    def rows(scenario: Scenario, clients: int) -> np.ndarray:
        known, _, slopes = jacobian(scenario, [clients])
        wide = np.zeros((3, len(names)))
        wide[:, [names.index(n) for n in known]] = np.vstack([slopes[m] for m in MEASURED])
        return wide

    noise = np.array([getattr(aim.calibration.noise, NOISE[m]) ** 2 for m in MEASURED])
    design, wanted = rows(run_at, 16), rows(aim, 64)[1]
    posterior = np.linalg.inv(np.linalg.inv(covariance) + design.T @ np.diag(1 / noise) @ design)
    _, found = suggested(aim, 64, metric="mean_tpot_ms")
    assert this_run(found, run_at, 16).half_width == pytest.approx(
        Z90 * np.sqrt(wanted @ posterior @ wanted + noise[1])
    )


@pytest.mark.parametrize("metric", MEASURED)
@pytest.mark.parametrize("calibration", ["sglang-mi355x-fp4-2026-09", "kernel-priors"])
def test_no_run_widens_and_the_target_s_own_narrows(metric: str, calibration: str) -> None:
    scenario = target(calibration=calibration)
    now, found = suggested(scenario, 32, metric=metric)
    assert all(s.half_width <= now + 1e-12 and 0.0 <= s.narrowed <= 1.0 for s in found)
    assert this_run(found, scenario, 32).half_width < now


def test_one_more_run_of_the_target_leaves_at_most_its_own_noise() -> None:
    """Known to its noise R, a prediction of variance V has 1 / (1 / V + 1 / R) left, or less by the other metrics."""
    scenario = target(calibration="kernel-priors")
    now, found = suggested(scenario, 64, metric="mean_tpot_ms")
    noise = scenario.calibration.noise.tpot**2
    before = (now / Z90) ** 2 - noise
    left = (this_run(found, scenario, 64).half_width / Z90) ** 2 - noise
    assert 0 < left <= 1 / (1 / before + 1 / noise) + 1e-12


@pytest.mark.parametrize(("part", "within"), [(1.0, 0.33), (0.1, 0.15)])
def test_the_width_now_is_nearly_that_of_the_interval_without_drawn_lengths(
    monkeypatch: pytest.MonkeyPatch, part: float, within: float
) -> None:
    """To first order, where the interval draws: nearer with a tenth of the variance, even with the noise taken off."""
    scenario = target()
    names, covariance = scenario.calibration.uncertainty()
    monkeypatch.setattr(type(scenario.calibration), "uncertainty", lambda self: (names, part * covariance))
    sd = relative_sd(scenario, [64], ["mean_tpot_ms"], lambda metric: np.zeros(1))["mean_tpot_ms"][0]
    now = suggested(scenario, 64, metric="mean_tpot_ms")[0] / Z90
    noise = scenario.calibration.noise.tpot**2 if part < 1.0 else 0.0
    assert np.sqrt(now**2 - noise) == pytest.approx(np.sqrt(sd**2 - noise), rel=within)


def test_the_most_useful_goes_first() -> None:
    _, found = suggested(target(), 64)
    widths = [s.half_width for s in found]
    assert widths == sorted(widths)
    assert widths[0] < widths[-1]
    assert len({tuple(vars(s).values())[:5] for s in found}) == len(found)


def test_a_target_at_another_tp_is_among_the_candidates() -> None:
    """H100 holds the FP8 weights at TP8 only, so that is where the runs are."""
    scenario = target(hardware="h100", precision="fp8", tp=8, isl=2048, calibration="kernel-priors")
    _, found = suggested(scenario, 24)
    assert {s.tp for s in found} == {8}
    assert this_run(found, scenario, 24).narrowed > 0.0


def test_a_run_that_depends_on_more_unknowns_says_less() -> None:
    """Off target: an MTP run depends on acceptance and drafts too, so an Off run at the same place says more."""
    scenario = target(mtp=0)
    _, found = suggested(scenario, 64)
    for concurrency in (16, 64):
        off, mtp = (this_run(found, target(mtp=k), concurrency) for k in (0, 3))
        assert off.half_width < mtp.half_width


def test_refusals() -> None:
    with pytest.raises(InputError, match="--metric p99: expected one of"):
        suggest(target(), 64, metric="p99")
    with pytest.raises(InputError, match="does not fit"):
        suggest(target(hardware="h100", precision="fp8", tp=4, calibration="kernel-priors"), 64)


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    line = "suggest --calibration sglang-mi355x-fp4-2026-09 --isl 8192 --concurrency 32 --metric mean_ttft_ms --top 3"
    assert run([*line.split(), "--format", "json"]) == 0
    said = capsys.readouterr()
    found = json.loads(said.out)
    assert said.err == ""
    assert found["meta"] | {"concurrency": 32, "metric": "mean_ttft_ms", "isl": 8192} == found["meta"]
    assert found["meta"]["calibration"] == "sglang-mi355x-fp4-2026-09"
    assert len(found["rows"]) == 3
    names = ["isl", "osl", "tp", "spec_tokens", "concurrency", "half_width", "narrowed", "command"]
    assert list(found["rows"][0]) == names
    assert 0 < found["rows"][0]["half_width"] < found["meta"]["half_width_now"]


def test_table_and_csv(capsys: pytest.CaptureFixture[str]) -> None:
    line = ["suggest", "--calibration", "sglang-mi355x-fp4-2026-09", "--isl", "8192", "--top", "2"]
    assert run(line) == 0
    assert "its 90 % interval is now" in " ".join(capsys.readouterr().out.split())
    assert run([*line, "--format", "csv"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ("--metric tpot", "--metric"),
        ("--top 0", "--top"),
        ("--concurrency 0", "--concurrency"),
        ("--calibration sglang-mi355x-fp8-2026-08", "does not cover precision fp4"),
    ],
)
def test_bad_options(capsys: pytest.CaptureFixture[str], options: str, part: str) -> None:
    assert run(["suggest", *options.split()]) == 2
    assert part in capsys.readouterr().err
