"""What a launch changes of a run: looks for requests by clients, requests at once, and memory by what they hold."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from simulator.facts.memory import kv_bytes_per_gpu, memory_fit, state_bytes_per_gpu
from simulator.facts.weights import weight_bytes_per_gpu
from simulator.prediction.several import predict
from simulator.serving.batch import Case, expected_batch
from simulator.serving.fleet import memory_cap, taken_tokens
from simulator.serving.replica import build_replica
from simulator.serving.scenario import Scenario, make_scenario
from simulator.serving.trusted import polls_of


def one(**changes: Any) -> Scenario:
    return make_scenario(**{"isl": 1024, "osl": 256, "tp": 4, "calibration": "kernel-priors", **changes})


def row(scenario: Scenario, clients: int, method: str) -> dict[str, Any]:
    found = predict(scenario, [clients], method=method, intervals=False).rows[0]
    return {name: value for name, value in found.items() if name.endswith(("_ms", "_gpu"))}


@pytest.mark.parametrize("method", ["des", "closed-form"])
@pytest.mark.parametrize(("clients", "same"), [(8, 5), (15, 5), (16, 40), (64, 40)])
def test_looks_by_clients_are_those_of_a_server_launched_so(method: str, clients: int, same: int) -> None:
    both = one(recipe_set={"poll_steps": 5, "poll_steps_many": 40, "many_clients": 16})
    plain, other = (one(recipe_set={"poll_steps": steps}) for steps in (same, 45 - same))
    assert row(both, clients, method) == row(plain, clients, method)
    assert row(both, clients, "des") != row(other, clients, "des")


def test_the_closed_form_is_judged_by_the_looks_of_its_clients() -> None:
    both = one(recipe_set={"poll_steps": 5, "poll_steps_many": 40, "many_clients": 16})
    replica = build_replica(both.deployment, both.speculation, both.calibration.values())
    assert polls_of([replica], np.array([0, 0]), np.array([15.0, 16.0])).tolist() == [5.0, 40.0]


def test_open_traffic_has_no_number_of_clients() -> None:
    both = one(recipe_set={"poll_steps": 5, "poll_steps_many": 40, "many_clients": 16})
    replica = build_replica(both.deployment, both.speculation, both.calibration.values())
    assert replica.constants.poll == 5
    assert (replica.launched_for(16).poll, replica.constants.poll) == (40, 5)


def test_requests_beyond_those_that_run_at_once_wait() -> None:
    free, held = one(), one(recipe_set={"max_running": 16})
    assert held.max_concurrency == free.max_concurrency > 64
    assert (held.slots, free.slots) == (16, free.max_concurrency)
    held.check_memory(64)
    (few, waiting), many = (predict(s, c, intervals=False).rows for s, c in ((held, [16, 64]), (free, [64])))
    assert waiting["decode_batch"] <= 16
    assert waiting["mean_tpot_ms"] == pytest.approx(few["mean_tpot_ms"], rel=0.15)
    # three of four clients wait for a slot: by Little's law the wait is three times the time of service
    assert waiting["mean_ttft_ms"] > 2 * waiting["mean_tpot_ms"] * 0.9 * 256
    assert waiting["mean_ttft_ms"] > 3 * many[0]["mean_ttft_ms"]
    by_cap = Case(
        build_replica(free.deployment, free.speculation, free.calibration.values()),
        *(free.workload, free.speculation, 64, 16, 4, 0),
    )
    assert expected_batch([by_cap])[0]["total_tok_s_gpu"] == waiting["total_tok_s_gpu"]


def test_memory_by_hand() -> None:
    """MI355X TP2 with MXFP4, 8k in and 1k out: a request holds 7373 + 922 / 2 tokens in the mean."""
    scenario = make_scenario(checkpoint="mxfp4", isl=8192, osl=1024)
    d, w = scenario.deployment, scenario.workload
    held = (6553 + 8192) / 2 + (819 + 1024) / 4
    assert w.mean_isl + 0.5 * w.mean_osl == pytest.approx(held)
    weights = sum(weight_bytes_per_gpu(d, draft=False).values())
    left = 0.8 * 288e9 - weights
    by_state = 0.4737 * left / state_bytes_per_gpu(d)
    by_cache = (1 - 0.4737) * left / (held * 15 * 2 * 256 * 2 / 2)
    assert kv_bytes_per_gpu(d, 1.0) == 15 * 2 * 256 * 2 / 2  # FP8: one KV head on each GPU
    assert scenario.max_concurrency == int(min(by_state, by_cache))
    assert f"{held:,.0f} tokens" in scenario.memory.arithmetic(8)


def test_reserving_all_from_the_start_takes_more() -> None:
    held = make_scenario(isl=8192, osl=8192)
    engine = held.deployment.engine.model_copy(update={"reserve": "nominal"})
    nominal = replace(held, deployment=held.deployment.model_copy(update={"engine": engine}))
    assert nominal.memory.kv_per_request / held.memory.kv_per_request == pytest.approx(16384 / (1.5 * 7372.5), rel=1e-3)
    assert nominal.max_concurrency <= held.max_concurrency
    assert taken_tokens(engine, (7000.0, 300.0, 1000.0, 0.0)) == (8000.0, 300.0)
    mean, sd = taken_tokens(held.deployment.engine, (7000.0, 0.0, 1200.0, 0.0))
    assert (mean, sd) == (7600.0, pytest.approx(1200 / 12**0.5))  # uniform in its output


def test_the_longest_request_has_to_fit_alone() -> None:
    d = make_scenario(checkpoint="mxfp4").deployment
    room = memory_fit(d, 1.0, 0)
    pool = room.free * (1 - (room.state_pool or 0.0))
    tokens = pool / room.kv_per_request
    assert memory_fit(d, tokens / 2, 0, tokens * 0.999).max_concurrency >= 1
    assert memory_fit(d, tokens / 2, 0, tokens * 1.001).max_concurrency == 0


def test_open_traffic_runs_no_more_than_the_launch_says() -> None:
    free, held = one(), one(recipe_set={"max_running": 16})
    caps = [memory_cap(s.deployment, 0, (1200.0, 100.0), 1280) for s in (free, held)]
    assert caps[0] > 16
    assert caps[1] == 16


def test_what_is_left_is_not_all_for_caches_with_trtllm() -> None:
    scenario = make_scenario(hardware="b200", engine="trtllm", precision="fp8", tp=8, isl=8192)
    m = scenario.memory
    weights = sum(weight_bytes_per_gpu(scenario.deployment, draft=False).values())
    assert m.free == pytest.approx(0.9 * (180e9 - weights - 8e9))
    assert m.kv_per_request == pytest.approx((8192 + 1024) * 15 * 2 * 256 / 1)  # reserved in full, one KV head each
