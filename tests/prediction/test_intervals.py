"""90 % intervals: their parts by hand and by Monte Carlo, what widens and narrows them, and how many runs they hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from simulator.cost.calibration import ACCEPTANCE, PRIORS, Calibration, load_calibration
from simulator.cost.parameters import Parameter, prior_covariance, priors, registry
from simulator.fitting.problem import Evaluator
from simulator.measurements.configuration import Configuration
from simulator.prediction.intervals import Z90, jacobian, noise_class, relative_sd
from simulator.prediction.posterior import drawn_logs, moved, shifts
from simulator.prediction.predict import predict_one
from simulator.serving.scope import judge

Array = NDArray[np.float64]
METRICS = ("total_tok_s_gpu", "mean_tpot_ms", "mean_ttft_ms")
CLIENTS = (4, 16, 64, 256)
SMOOTH = "closed-form"
SHIPPED = ("atom-mi355x", "sglang-mi355x-fp4-2026-09", "sglang-mi355x-fp8-2026-08")
WHOLE = {"format": 1, "name": "made", "scope": {}, "parameters": {}}


def config(calibration: str = PRIORS, k: int = 0, isl: int = 8192, concurrency: int = 1) -> Configuration:
    """A configuration that a shipped calibration covers; MTP without an acceptance length of its own."""
    scope = load_calibration(calibration).scope
    return Configuration(
        hardware="mi355x",
        model="qwen3.5-397b-a17b",
        engine=(scope.engine or ["sglang"])[0],
        precision=(scope.precision or ["fp4"])[0],
        checkpoint=None,
        tp=4,
        ep=1,
        dp=1,
        kv_dtype=None,
        isl=isl,
        osl=1024,
        spec_tokens=k,
        acceptance_length=None,
        concurrency=concurrency,
    )


def nothing(metric: str) -> Array:
    return np.zeros(len(CLIENTS))


def parameter_variance(calibration: Calibration, base: Configuration, method: str = "des") -> dict[str, Array]:
    """Variance of log metrics by parameters alone: the whole, less the noise and what steps away from the measured runs
    cost. The closed form is smooth."""
    scenario = base.scenario(calibration)
    sd = relative_sd(scenario, CLIENTS, METRICS, nothing, methods=[method] * len(CLIENTS))
    out = {}
    for m in METRICS:
        steps = np.array([judge(scenario, c).spread(noise_class(m)) for c in CLIENTS])
        out[m] = sd[m] ** 2 - getattr(calibration.noise, noise_class(m)) ** 2 - steps**2
    return out


def made(covariance: Array, noise: float = 0.05) -> Calibration:
    """The kernel priors with another covariance."""
    return Calibration.model_validate(
        WHOLE
        | {
            "covariance": {"names": list(registry()), "matrix": covariance.tolist()},
            "noise": {"throughput": noise, "tpot": noise, "ttft": noise},
        }
    )


# --- parts


@pytest.mark.parametrize("method", ["des", "closed-form"])
@pytest.mark.parametrize("k", [0, 3])
def test_an_interval_is_a_factor_each_way_and_holds_the_point(method: str, k: int) -> None:
    scenario = config(k=k).scenario(load_calibration(PRIORS))
    for row in predict_one(scenario, [4, 64], method=method).rows:
        for metric in (*METRICS, "median_tpot_ms", "p99_ttft_ms", "mean_e2e_ms", "output_tok_s_gpu"):
            low, point, high = row[f"{metric}_lo"], row[metric], row[f"{metric}_hi"]
            assert low < point < high
            assert low * high == pytest.approx(point**2)


def test_ends_are_the_normal_quantile_of_the_closed_form_s_spread() -> None:
    """exp(+-1.645 sd); the closed form draws no lengths."""
    scenario = config(isl=128).scenario(load_calibration(PRIORS))
    parts: dict[str, Any] = {"methods": ["closed-form"]}
    sd = relative_sd(scenario, [4], ["mean_tpot_ms"], lambda metric: np.zeros(1), **parts)["mean_tpot_ms"][0]
    (row,) = predict_one(scenario, [4], method="closed-form").rows
    assert row["method"] == "closed-form"
    assert row["mean_tpot_ms_hi"] / row["mean_tpot_ms"] == pytest.approx(np.exp(Z90 * sd))


def test_noise_adds_in_squares() -> None:
    covariance = prior_covariance(list(registry()))
    small, large = (
        relative_sd(config().scenario(made(covariance, noise)), CLIENTS, METRICS, nothing) for noise in (0.03, 0.1)
    )
    for metric in METRICS:
        assert large[metric] ** 2 - small[metric] ** 2 == pytest.approx(0.1**2 - 0.03**2)


def test_drawn_lengths_widen_discrete_events_at_few_clients() -> None:
    """40 requests at concurrency 4: beside parameters and noise, what one run of them draws."""
    scenario = config(k=3).scenario(load_calibration("sglang-mi355x-fp4-2026-09"))
    (row,) = predict_one(scenario, [4]).rows
    width = np.log(row["mean_tpot_ms_hi"] / row["mean_tpot_ms_lo"]) / (2 * Z90)
    sd = relative_sd(scenario, [4], ["mean_tpot_ms"], lambda metric: np.zeros(1))["mean_tpot_ms"][0]
    assert width > sd * 1.001


@pytest.mark.parametrize("k", [0, 3])
def test_twice_the_prior_sd_is_four_times_the_variance(k: int) -> None:
    covariance = 0.01 * prior_covariance(list(registry()))
    once, twice = (parameter_variance(made(scale * covariance), config(k=k), SMOOTH) for scale in (1.0, 4.0))
    for metric in METRICS:
        assert twice[metric] == pytest.approx(4.0 * once[metric], rel=0.25)  # exactly, were all derivatives constant


def test_a_file_that_names_nothing_has_the_uncertainty_of_the_priors() -> None:
    named = parameter_variance(made(prior_covariance(list(registry()))), config())
    silent = parameter_variance(load_calibration(PRIORS), config())
    for metric in METRICS:
        assert named[metric] == pytest.approx(silent[metric])


def test_more_uncertainty_in_any_parameter_never_narrows() -> None:
    covariance = prior_covariance(list(registry()))
    once = parameter_variance(made(covariance), config(k=3), SMOOTH)
    for i in range(len(registry())):
        more = covariance.copy()
        more[i, i] *= 2.0
        wider = parameter_variance(made(more), config(k=3), SMOOTH)
        assert all(np.all(wider[m] >= 0.97 * once[m]) for m in METRICS)  # cross terms between draws


# --- derivatives


@pytest.mark.parametrize(
    "name", ["moe.fp4.bandwidth_eff", "comm.latency_us", "host.step_us", "dense.bf16.latency_us", "small.latency_us"]
)
@pytest.mark.parametrize("clients", [8, 64])
def test_slopes_of_tpot_and_throughput_are_those_of_the_discrete_events(name: str, clients: int) -> None:
    """Central differences of the simulator over +-0.3 in the coordinate, common random numbers: within 10 % or 0.02.

    Batches shift when times change, so the simulator's log metrics jump by some 0.005: 0.01 in a difference over 0.6.
    """
    base, step, parameter = config(isl=1024, concurrency=clients), 0.3, registry()[name]
    ends = []
    for sign in (1.0, -1.0):
        moved = parameter.from_internal(parameter.to_internal(parameter.value) + sign * step)
        evaluate = Evaluator({**priors(), name: moved}, None, exact=True)
        evaluate.prepare([base])
        ends.append(evaluate(base))
    names, _, slopes = jacobian(base.scenario(load_calibration(PRIORS)), [clients])
    for metric in ("total_tok_s_gpu", "mean_tpot_ms"):
        differences = np.log(ends[0][metric] / ends[1][metric]) / (2 * step)
        assert slopes[metric][0, names.index(name)] == pytest.approx(differences, rel=0.10, abs=0.02)


def test_time_goes_up_with_latencies_and_down_with_efficiencies() -> None:
    names, _, slopes = jacobian(config(k=3).scenario(load_calibration(PRIORS)), CLIENTS)
    for name, column in zip(names, slopes["mean_tpot_ms"].T, strict=True):
        if name.endswith(("_us", "_ms")) and not name.startswith("frontend"):  # a late request leaves a smaller batch
            assert column.min() > -1e-6, name
        if name.endswith("_eff"):
            assert column.max() < 1e-6, name


def test_what_a_scenario_does_not_use_is_left_out() -> None:
    off = set(jacobian(config().scenario(load_calibration(PRIORS)), [4])[0])
    mtp = set(jacobian(config(k=3).scenario(load_calibration("atom-mi355x")), [4])[0])
    assert not any(n.startswith("moe.fp8") or n == ACCEPTANCE for n in off)
    assert {"host.draft_us", ACCEPTANCE} <= mtp


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("k", [0, 3])
def test_the_spread_of_draws_is_nearly_that_of_first_order(name: str, k: int) -> None:
    """Oracle: the delta method with derivatives of the closed form, which shares neither draws nor events; within a
    third, since it sees parameters cancel that do so to first order only."""
    calibration = load_calibration(name)
    scenario = config(name, k, isl=1024).scenario(calibration)
    clients = (4, 16, 64)
    _, covariance, slopes = jacobian(scenario, clients)
    sd = relative_sd(scenario, clients, METRICS, lambda metric: np.zeros(len(clients)))
    for metric in ("total_tok_s_gpu", "mean_tpot_ms"):
        first = np.sqrt(np.einsum("ij,jk,ik->i", slopes[metric], covariance, slopes[metric]))
        kind = noise_class(metric)
        away = [judge(scenario, count).spread(kind) for count in clients]
        whole = np.sqrt(first**2 + getattr(calibration.noise, kind) ** 2 + np.square(away))
        assert sd[metric] == pytest.approx(whole, rel=0.33)


# --- draws


@pytest.mark.parametrize("name", SHIPPED)
def test_no_draw_leaves_the_bounds(name: str) -> None:
    scenario = config(name, 3).scenario(load_calibration(name))
    names, drawn = shifts(scenario.calibration, seed=1)
    sets, specs = moved(scenario, names, 5.0 * drawn, set(registry()))
    assert len(sets) >= 200
    for values in sets:
        assert all(p.low <= values[p.name] <= p.high for p in registry().values())
    assert all(1.0 < spec.acceptance_length < 4.0 for spec in specs)


def test_draws_have_the_mean_and_the_covariance_of_the_posterior() -> None:
    calibration = load_calibration("atom-mi355x")
    names, drawn = shifts(calibration, seed=0)
    known, covariance = calibration.uncertainty()
    assert names == known
    np.testing.assert_allclose(drawn.mean(axis=0), 0.0, atol=1e-9)
    np.testing.assert_allclose(drawn.T @ drawn / len(drawn), covariance, atol=1e-8)


def test_the_same_seed_gives_the_same_draws_and_another_nearly_the_same_width() -> None:
    scenario = config(k=3).scenario(load_calibration("sglang-mi355x-fp4-2026-09"))
    one, same, other = (
        relative_sd(scenario, [16], METRICS, lambda metric: np.zeros(1), seed=seed) for seed in (0, 0, 7)
    )
    for metric in METRICS:
        assert one[metric] == same[metric]
        assert other[metric] == pytest.approx(one[metric], rel=0.1)


def test_very_many_clients_are_moved_as_the_closed_form_moves() -> None:
    scenario = config(isl=128).scenario(load_calibration(PRIORS))
    closed = drawn_logs(scenario, [10_000], method="closed-form")
    assert np.array_equal(drawn_logs(scenario, [10_000])["mean_tpot_ms"], closed["mean_tpot_ms"])


@pytest.mark.parametrize("parameter", list(registry().values()), ids=lambda p: p.name)
def test_coordinates_run_through_the_bounds_and_are_the_prior_s_at_the_prior(parameter: Parameter) -> None:
    """By hand: there and back, log or plain at the prior and one spread from it on the roomier side, and the ends at
    the ends."""
    p = parameter
    plain = np.log if p.scale == "log" else float
    assert p.to_internal(p.value) == pytest.approx(plain(p.value))
    away = -p.sd if p.share(p.value) > 0.5 else p.sd
    assert plain(p.from_internal(plain(p.value) + away)) == pytest.approx(plain(p.value) + away)
    for share in (0.02, 0.5, 0.9):
        low, high = plain(p.low), plain(p.high)
        value = low + share * (high - low)
        value = float(np.exp(value)) if p.scale == "log" else value
        assert p.share(value) == pytest.approx(share)
        assert p.from_internal(p.to_internal(value)) == pytest.approx(value)
    assert p.from_internal(-1e9) == pytest.approx(p.low)
    assert p.from_internal(1e9) == pytest.approx(p.high)
    assert (p.at_bound(p.low), p.at_bound(p.high)) == ("lower", "upper")


# --- calibration and coverage


@pytest.mark.parametrize("name", SHIPPED)
@pytest.mark.parametrize("k", [0, 3])
def test_a_calibration_is_surer_than_the_priors(name: str, k: int) -> None:
    """Its acceptance length is fitted too, where the priors take a published one for granted: Off and given lengths."""
    base = config(name, k)
    if k:
        base = Configuration(**{**vars(base), "acceptance_length": 2.9})
    before, after = (parameter_variance(load_calibration(n), base) for n in (PRIORS, name))
    for metric in ("total_tok_s_gpu", "mean_tpot_ms"):
        assert np.all(after[metric] < 0.8 * before[metric])
    # at 256 clients requests wait for room in memory, and when one leaves is a matter of chance, not of parameters
    assert np.all(after["mean_ttft_ms"][:-1] < before["mean_ttft_ms"][:-1])


@pytest.mark.parametrize("name", SHIPPED)
def test_a_calibration_has_less_noise_than_is_assumed_without_one(name: str) -> None:
    priors_noise, noise = load_calibration(PRIORS).noise, load_calibration(name).noise
    assert noise.throughput < priors_noise.throughput
    assert noise.tpot < priors_noise.tpot


def test_a_fitted_acceptance_length_adds_to_the_interval() -> None:
    calibration = load_calibration("sglang-mi355x-fp4-2026-09")
    assert calibration.acceptance is not None
    fitted = config(calibration.name, 3)
    given: Any = Configuration(**{**vars(fitted), "acceptance_length": calibration.acceptance.length})
    known, unknown = (parameter_variance(calibration, base)["mean_tpot_ms"] for base in (given, fitted))
    assert not np.allclose(known, unknown)
