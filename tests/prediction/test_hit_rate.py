"""``--hit-rate``: what a prefix cache is taken to hold of every prompt, from the options to the figures."""

from __future__ import annotations

import pytest

from simulator import InputError, explain, make_scenario, plan, predict, replay, simulate
from simulator.serving.replica import build_replica
from simulator.serving.steady_state import steady_state


def test_more_hits_are_never_slower() -> None:
    sweep = [make_scenario(isl=8192, hit_rate=rate) for rate in (0.0, 0.4, 0.8, 0.95, 1.0)]
    rows = [predict(one, concurrencies=[16], method="closed-form", intervals=False).rows[0] for one in sweep]
    total, ttft = ([row[name] for row in rows] for name in ("total_tok_s_gpu", "mean_ttft_ms"))
    assert total == sorted(total)
    assert ttft == sorted(ttft, reverse=True)
    knees = []
    for one in sweep:
        replica = build_replica(one.deployment, one.speculation, one.calibration.values())
        knees.append(steady_state(replica, one.speculation, 64, (8192.0, 0.0, 1024.0, 0.0), 0.1).capacity)
    assert knees == sorted(knees)


def test_the_first_token_at_light_load_is_the_prefill_of_the_rest() -> None:
    """By the cost model, operator by operator: a fifth of the tokens over the others, which are cached."""
    scenario = make_scenario(tp=2, isl=8000, osl=64, range_ratio=1.0, hit_rate=0.8)
    alone = simulate(scenario, rate=0.01, duration="3h", cv=0.0).figures
    account = explain(scenario, 1, phase="prefill")
    assert (account.meta["prompt_tokens"], account.meta["cached_tokens"]) == (pytest.approx(1600), pytest.approx(6400))
    values = scenario.calibration.values()
    front = values["frontend.delay_ms"] + values["frontend.stream_ms"] + 8.0 * values["frontend.token_us"]
    expected = 1e3 * account.accounts["prefill"].seconds + front
    assert alone["median_ttft_ms"] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("rate", [0.5, 0.9])
def test_the_closed_form_where_it_is_trusted_is_near_the_discrete_events(rate: float) -> None:
    scenario = make_scenario(isl=8192, hit_rate=rate, tp=4, mtp=3)
    form, events = (
        predict(scenario, concurrencies=[4], method=method, intervals=False).rows[0]
        for method in ("closed-form", "des")
    )
    assert form["method"] == "closed-form"
    assert form["total_tok_s_gpu"] == pytest.approx(events["total_tok_s_gpu"], rel=0.02)
    assert form["mean_ttft_ms"] == pytest.approx(events["mean_ttft_ms"], rel=0.06)


def test_what_it_is_said_with() -> None:
    scenario = make_scenario(hit_rate=0.5)
    assert predict(scenario, concurrencies=[1], method="closed-form").meta["hit_rate"] == 0.5
    assert "hit_rate" not in predict(make_scenario(), concurrencies=[1], method="closed-form").meta
    assert "prompts found in a prefix cache" in " ".join(explain(scenario, 1).verdict.texts)
    for bad in (-0.1, 1.5, float("nan"), "much"):
        with pytest.raises(InputError, match="--hit-rate: expected a part of each prompt, 0 to 1"):
            make_scenario(hit_rate=bad)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="--hit-rate: a replay finds its own"):
        replay(scenario, concurrency=[1], duration=1.0)


def test_a_plan_needs_fewer_gpus_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.planning.trials.LEAST_REQUESTS", 1000)
    asked = {"rate": 6.0, "promises": ["ttft-p50=500ms"], "tp": (2,), "mtp": (0,)}
    without, found = (plan(make_scenario(isl=8192, hit_rate=rate), **asked) for rate in (0.0, 0.9))
    assert found.winner is not None
    assert without.winner is not None
    assert found.winner.gpus < without.winner.gpus
    assert found.meta["hit_rate"] == 0.9
