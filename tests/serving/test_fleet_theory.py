"""The open loop and the fleet against queueing theory, SimPy, the single-replica kernel, and conservation laws."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import simpy

from simulator import kernels as kn
from simulator.api import make_scenario
from simulator.serving.delivered import summarise
from simulator.serving.fleet import ROUTERS, Fleet, FleetRun, draw_choices, memory_cap, run_fleet, simulate_fleet
from simulator.serving.pools import Transfer, kv_transfer, pool_fleets, run_pools, simulate_pools
from simulator.serving.promised import percentile_with_infinity
from simulator.serving.replica import Replica, build_replica
from simulator.serving.saturation import queue_over_time
from simulator.serving.steady_state import steady_state
from simulator.speculation.acceptance import OFF
from simulator.traffic.arrivals import Requests, Traffic, make_traffic
from simulator.traffic.lengths import parse_lengths

Growth = Callable[[Callable[[], object], Callable[[], object]], float]

LOADS = ("one", "token", "pair", "logit", "cached", "state")


def engine(**fields: float) -> Replica:
    """A made-up engine in seconds per load; see the fields of the plan vector in ``kernels``."""
    table = np.array([[1.0, 0.0, *(fields.pop(load, 0.0) for load in LOADS), 0.0, 0.0, math.inf, math.inf, 0.0, 0.0]])
    c = kn.zero(kn.Constants)
    c.experts = c.top_k = c.verify = c.poll = c.split = 1.0
    c.chunk = 1e9
    for name, value in fields.items():
        setattr(c, name, value)
    return Replica(table, np.zeros_like(table), c)


def run(plan: Replica, send: Any, prompt: Any, rounds: Any, **fields: Any) -> FleetRun:
    """Run a fleet on given times; every request emits one token per round."""
    n = len(send)
    rounds = np.broadcast_to(np.asarray(rounds, float), n).copy()
    # lengths beyond whole tokens are service times here
    requests = Requests(np.asarray(send, float), np.broadcast_to(prompt, n).copy(), (rounds + 1).astype(np.int64))
    fleet = Fleet(plan, OFF, 1, fields.pop("cap", 10**6), **fields)
    return run_fleet(fleet, requests, rounds, np.random.default_rng(9))


def batch_error(values: np.ndarray, batches: int = 20) -> float:
    means = [part.mean() for part in np.array_split(values, batches)]
    return float(np.std(means, ddof=1) / math.sqrt(batches))


def poisson(rate: float, n: int, seed: int) -> np.ndarray:
    return np.cumsum(np.random.default_rng(seed).exponential(1 / rate, n))


def erlang_b(servers: int, load: float) -> float:
    blocked = 1.0
    for k in range(1, servers + 1):
        blocked = load * blocked / (k + load * blocked)
    return blocked


# --- theory -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("load", [0.3, 0.6, 0.9])
def test_m_d_1(load: float) -> None:
    # Pollaczek-Khinchine for a constant service of 1 s: W = load / (2 (1 - load))
    n = 40_000
    r = run(engine(token=1.0), poisson(load, n, 1), 1.0, 0, cap=1)
    wait = r.e2e() - 1.0
    assert wait.mean() == pytest.approx(load / (2 * (1 - load)), abs=3 * batch_error(wait))


@pytest.mark.parametrize("exponential", [True, False])
@pytest.mark.parametrize("load", [0.4, 0.8])
def test_processor_sharing(load: float, exponential: bool) -> None:
    # a round costs 1 ms per running request: M/G/1-PS, mean stay E[S] / (1 - load) whatever the distribution
    n, mean, step = 20_000, 500, 1e-3
    rng = np.random.default_rng(2)
    rounds = np.maximum(1, np.rint(rng.exponential(mean, n))) if exponential else np.full(n, float(mean))
    rate = load / (rounds.mean() * step)
    r = run(engine(host_request=step), poisson(rate, n, 3), 1.0, rounds)
    stay = r.e2e()
    assert stay.mean() == pytest.approx(rounds.mean() * step / (1 - load), abs=3 * batch_error(stay) + 5 * step)


@pytest.mark.parametrize(("servers", "load"), [(2, 0.7), (8, 0.85)])
def test_m_m_c(servers: int, load: float) -> None:
    # a round takes 1 ms whatever the batch, so that slots are servers: Erlang's C formula
    n, mean, step = 60_000, 800, 1e-3
    rounds = np.maximum(1, np.rint(np.random.default_rng(4).exponential(mean, n)))
    service = rounds.mean() * step
    offered = load * servers
    r = run(engine(host_step=step), poisson(offered / service, n, 5), 1.0, rounds, cap=servers)
    b = erlang_b(servers, offered)
    waits = b / (1 - load * (1 - b))
    expected = waits * service / (servers * (1 - load))
    wait = r.ttft()
    assert wait.mean() == pytest.approx(expected, abs=3 * batch_error(wait) + 2 * step)


@pytest.mark.parametrize("load", [0.5, 1.0, 2.0])
def test_refusals_are_erlangs_loss_formula(load: float) -> None:
    servers, n, mean, step = 5, 60_000, 400, 1e-3
    rounds = np.maximum(1, np.rint(np.random.default_rng(6).exponential(mean, n)))
    r = run(
        engine(host_step=step),
        poisson(load * servers / (rounds.mean() * step), n, 7),
        1.0,
        rounds,
        cap=servers,
        queue_limit=0,
    )
    lost = ~r.served
    error = batch_error(lost.astype(float))
    assert lost.mean() == pytest.approx(erlang_b(servers, load * servers), abs=3 * error + 3e-3)
    assert np.isnan(r.finish[lost]).all()


# --- other simulators -------------------------------------------------------------------------------------------------


def simpy_fleet(send: np.ndarray, service: np.ndarray, replicas: int, choices: np.ndarray, router: str) -> np.ndarray:
    """Single-server replicas with queues, the router seeing queues at the instant of sending."""
    environment = simpy.Environment()
    servers = [simpy.Resource(environment) for _ in range(replicas)]
    outstanding = [0] * replicas
    finish = np.empty(send.size)

    def request(i: int) -> Any:
        if router == "round-robin":
            r = i % replicas
        elif router == "two-choices":
            r = min(sorted(choices[i]), key=lambda j: outstanding[j])
        else:
            r = min(range(replicas), key=lambda j: outstanding[j])
        outstanding[r] += 1
        with servers[r].request() as turn:
            yield turn
            yield environment.timeout(service[i])
        outstanding[r] -= 1
        finish[i] = environment.now

    def source() -> Any:
        for i in range(send.size):
            yield environment.timeout(send[i] - environment.now)
            environment.process(request(i))

    environment.process(source())
    environment.run()
    return finish


@pytest.mark.parametrize("router", list(ROUTERS))
@pytest.mark.parametrize("replicas", [1, 2, 5])
def test_fleet_against_simpy_on_the_same_sample_path(router: str, replicas: int) -> None:
    n = 600
    rng = np.random.default_rng(8)
    service = rng.exponential(1.0, n)
    send = np.cumsum(rng.exponential(1 / (0.9 * replicas), n))
    requests = Requests(send, service, np.ones(n, dtype=np.int64))
    fleet = Fleet(engine(token=1.0), OFF, 1, 1, replicas, router)
    r = run_fleet(fleet, requests, np.zeros(n), np.random.default_rng(9))
    choices = draw_choices(np.random.default_rng(9), n, replicas, router)
    np.testing.assert_allclose(r.finish, simpy_fleet(send, service, replicas, choices, router), rtol=0, atol=1e-9)


ENGINES: list[dict[str, float]] = [
    {"host_step": 0.02, "host_prefill": 0.05, "host_request": 1e-3, "token": 1e-4, "cached": 1e-6, "chunk": 300},
    {"host_step": 0.02, "host_prefill": 0.05, "token": 1e-4, "pair": 1e-7, "chunk": 60, "shared": 1, "lookahead": 1},
    {"host_step": 0.02, "token": 1e-3, "chunk": 90, "split": 0, "lookahead": 1, "delay": 0.1, "delay_token": 1e-4},
    {"host_step": 0.02, "host_prefill": 0.05, "token": 1e-4, "chunk": 300, "poll": 7},
]


def real_requests(n: int, rate: float, seed: int) -> tuple[Requests, np.ndarray]:
    rng = np.random.default_rng(seed)
    prompt, output = rng.integers(1, 200, n), rng.integers(1, 60, n)
    return Requests(np.cumsum(rng.exponential(1 / rate, n)), prompt, output), np.ceil((output - 1) / 2.0)


@pytest.mark.parametrize("fields", ENGINES, ids=lambda f: "-".join(f))
@pytest.mark.parametrize("cap", [3, 1000])
def test_a_fleet_of_one_is_the_single_replica_kernel(fields: dict[str, float], cap: int) -> None:
    plan = engine(**fields)
    requests, rounds = real_requests(400, 1.5, 10)
    r = run_fleet(Fleet(plan, OFF, 1, cap), requests, rounds, np.random.default_rng(0))
    first, finish, counters = np.empty(400), np.empty(400), kn.zero(kn.Counters)
    prompt, output = requests.prompt.astype(float), requests.output.astype(float)
    tables = (plan.target, plan.draft, plan.constants)
    kn.serve(*tables, float(cap), kn.Requests(requests.send, prompt, output, rounds, first, finish), 0, counters)
    np.testing.assert_array_equal(r.first, first)
    np.testing.assert_array_equal(r.finish, finish)
    np.testing.assert_array_equal(r.counters[0], counters)


@pytest.mark.parametrize("fields", ENGINES, ids=lambda f: "-".join(f))
def test_round_robin_is_separate_replicas(fields: dict[str, float]) -> None:
    plan = engine(**fields)
    requests, rounds = real_requests(400, 4.0, 11)
    r = run_fleet(Fleet(plan, OFF, 1, 20, 3, "round-robin"), requests, rounds, np.random.default_rng(0))
    for replica in range(3):
        mine = slice(replica, None, 3)
        part = Requests(requests.send[mine], requests.prompt[mine], requests.output[mine])
        alone = run_fleet(Fleet(plan, OFF, 1, 20), part, rounds[mine], np.random.default_rng(0))
        np.testing.assert_array_equal(r.finish[mine], alone.finish)


# --- laws -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("router", list(ROUTERS))
@pytest.mark.parametrize("fields", ENGINES, ids=lambda f: "-".join(f))
def test_little_and_work_conservation(router: str, fields: dict[str, float]) -> None:
    plan = engine(**fields)
    requests, rounds = real_requests(500, 5.0, 12)
    r = run_fleet(Fleet(plan, OFF, 1, 8, 3, router), requests, rounds, np.random.default_rng(0))
    # Little: the area under the number outstanding is the sum of the stays
    events = np.concatenate((requests.send, r.finish))
    change = np.concatenate((np.ones(500), -np.ones(500)))
    order = np.lexsort((-change, events))
    area = float(np.cumsum(change[order])[:-1] @ np.diff(events[order]))
    assert area == pytest.approx(r.e2e().sum(), rel=1e-9)
    # every prompt token is prefilled once, and the busy time fits into the time there was
    assert r.counters["prefill_tokens"].sum() == pytest.approx(requests.prompt.sum(), rel=1e-12)
    busy = r.counters["decode_time"] + r.counters["prefill_time"]
    assert (busy <= r.finish.max() + 1e-9).all()
    # causality
    assert (r.first > requests.send).all()
    assert (r.finish >= r.first).all()
    queue = queue_over_time(r, 0.0, float(r.finish.max()))
    assert queue.outstanding[-1] == 0
    assert (queue.waiting >= 0).all()


@pytest.mark.parametrize("router", list(ROUTERS))
def test_linear_work_is_the_same_for_every_fleet(router: str) -> None:
    # costs per token only: whoever serves it, a request is the same work
    plan = engine(token=1e-3)
    requests, rounds = real_requests(500, 5.0, 13)
    work = 1e-3 * (requests.prompt.sum() + rounds.sum())
    for replicas in (1, 4):
        r = run_fleet(Fleet(plan, OFF, 1, 8, replicas, router), requests, rounds, np.random.default_rng(0))
        busy = r.counters["decode_time"] + r.counters["prefill_time"]
        assert busy.sum() == pytest.approx(work, rel=1e-9)


# --- the real thing ---------------------------------------------------------------------------------------------------


def replica(tp: int, k: int, **inputs: Any) -> tuple[Any, Replica, int]:
    scenario = make_scenario(tp=tp, mtp=k, **inputs)
    plan = build_replica(scenario.deployment, scenario.speculation, scenario.calibration.values())
    tokens = scenario.workload.isl + scenario.workload.osl
    return scenario, plan, memory_cap(scenario.deployment, k, (tokens, 0.0), tokens)


CASES = [
    {"tp": 2, "k": 3, "isl": 8192},
    {"tp": 4, "k": 0, "isl": 8192},
    {"tp": 4, "k": 3, "isl": 1024},
    {"tp": 4, "k": 0, "isl": 8192, "engine": "vllm", "precision": "fp8"},
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_knee_against_the_closed_form(case: dict[str, Any]) -> None:
    inputs = dict(case)
    scenario, plan, _cap = replica(inputs.pop("tp"), inputs.pop("k"), **inputs)
    lengths = parse_lengths("uniform", scenario.workload.isl, 1024)
    fleet = Fleet(plan, scenario.speculation, scenario.deployment.tp, 64)
    capacity = steady_state(plan, scenario.speculation, 64, lengths.moments, 1.0).capacity
    traffic = make_traffic(2.0 * capacity, lengths, duration=2000.0)
    r = simulate_fleet(fleet, traffic, 0)
    finish = np.sort(r.finish)
    inside = (finish > 0.2 * finish[-1]) & (finish < 0.8 * finish[-1])
    assert inside.sum() / (0.6 * finish[-1]) == pytest.approx(capacity, rel=0.05)
    for load, state in ((0.8, "stable"), (1.2, "saturated")):
        calm = make_traffic(load * capacity, lengths, duration=3600.0)
        figures = summarise(fleet, simulate_fleet(fleet, calm, 1), calm)
        assert figures.state == state
        assert (figures.ttft is None) == (state == "saturated")


@pytest.mark.parametrize("load", [0.4, 0.7, 0.85])
@pytest.mark.parametrize(("tp", "k"), [(2, 3), (4, 0), (4, 3)])
def test_error_of_the_closed_form_with_long_prompts(tp: int, k: int, load: float) -> None:
    # the error that the docstring of openform states
    scenario, plan, cap = replica(tp, k, isl=8192)
    lengths = parse_lengths("uniform:0.5", 8192, 1024)
    rate = load * steady_state(plan, scenario.speculation, cap, lengths.moments, 1.0).capacity
    traffic = make_traffic(rate, lengths, duration=7200.0)
    r = simulate_fleet(Fleet(plan, scenario.speculation, tp, cap), traffic, 1)
    steady = r.requests.send > 1000
    form = steady_state(plan, scenario.speculation, cap, lengths.moments, rate)
    assert form.stay / (form.output - 1) == pytest.approx(r.tpot()[steady].mean(), rel=0.05)
    assert form.tpot(95) == pytest.approx(np.percentile(r.tpot()[steady], 95), rel=0.17)
    assert form.ttft(99) == pytest.approx(np.percentile(r.ttft()[steady], 99), rel=0.15)


@pytest.mark.parametrize("router", list(ROUTERS))
@pytest.mark.parametrize("k", [0, 3])
def test_more_gpus_are_never_worse_and_more_load_never_better(router: str, k: int) -> None:
    scenario, plan, cap = replica(4, k, isl=8192)
    lengths = parse_lengths("uniform", 8192, 1024)

    def means(replicas: int, rate: float) -> tuple[float, float]:
        fleet = Fleet(plan, scenario.speculation, 4, cap, replicas, router)
        traffic = make_traffic(rate, lengths, duration=1800.0)
        r = simulate_fleet(fleet, traffic, 3)
        return float(r.tpot().mean()), float(r.e2e().mean())

    grown = [means(replicas, 12.0) for replicas in (4, 5, 6, 8, 12)]
    assert grown == sorted(grown, reverse=True)
    pressed = [means(6, rate) for rate in (2.0, 6.0, 10.0, 14.0, 18.0)]
    assert pressed == sorted(pressed)


def test_saturation_is_never_a_latency_that_looks_stable() -> None:
    # a run that is only just beyond the knee: latencies look mild for an hour, but the queue grows
    lengths = parse_lengths("fixed", 1, 1)
    fleet = Fleet(engine(token=1.0), OFF, 1, 1)
    for load, state in ((0.9, "stable"), (1.05, "saturated")):
        for seed in range(5):
            traffic = make_traffic(load, lengths, duration=20_000.0)
            figures = summarise(fleet, simulate_fleet(fleet, traffic, seed), traffic)
            assert figures.state == state
            assert (figures.ttft is None) == (state == "saturated")


def test_a_run_shorter_than_a_few_lives_claims_nothing() -> None:
    scenario, plan, cap = replica(4, 0, isl=8192)
    traffic = make_traffic(1.0, parse_lengths("fixed", 8192, 1024), duration=30.0)
    figures = summarise(
        Fleet(plan, scenario.speculation, 4, cap), simulate_fleet(Fleet(plan, OFF, 4, cap), traffic, 0), traffic
    )
    assert figures.state == "too short"


def test_changing_traffic_that_leaves_a_backlog_is_saturated() -> None:
    lengths = parse_lengths("fixed", 1, 1)
    fleet = Fleet(engine(token=1.0), OFF, 1, 1)
    for rates, state in (((0.2, 5.0), "saturated"), ((5.0, 0.1), "overloaded at times"), ((0.2, 0.4), "stable")):
        duration = 4000.0 if rates[0] < 1 else 40_000.0
        traffic = Traffic(1.0, duration, lengths, profile=(np.array([0.0, 2000.0]), np.array(rates)))
        assert summarise(fleet, simulate_fleet(fleet, traffic, 0), traffic).state == state


def test_percentiles_with_refusals() -> None:
    values = np.array([1.0, 2.0, 3.0, np.inf])
    assert percentile_with_infinity(values, 50) == 2.5
    assert percentile_with_infinity(values[:3], 99) == pytest.approx(np.percentile(values[:3], 99))
    assert percentile_with_infinity(values, 90) == np.inf


def test_the_work_of_a_fleet_grows_with_its_requests_and_not_faster(growth: Growth) -> None:
    scenario, plan, cap = replica(4, 3, isl=8192)
    fleet = Fleet(plan, scenario.speculation, 4, cap, 20)
    lengths = parse_lengths("fixed", 8192, 1024)

    def run(duration: float) -> FleetRun:
        return simulate_fleet(fleet, make_traffic(40.0, lengths, duration=duration), 0)

    r = run(3600.0)
    assert r.requests.count == pytest.approx(144_000, rel=0.01)
    assert np.isfinite(r.finish).all()
    # each request cuts the decoding of its replica twice, when it comes and when it goes, and is prefilled once
    assert r.counters["prefills"].sum() + r.counters["stretches"].sum() <= 3 * r.requests.count
    # 8 if the work is linear, 64 if it is quadratic
    assert growth(lambda: run(225.0), lambda: run(1800.0)) < 24


# --- disaggregated pools ----------------------------------------------------------------------------------------------


def test_pools_by_hand() -> None:
    # prefill 1 ms per token one after the other, transfer 0.5 s, then 4 rounds of 0.25 s each with one slot
    prefill = Fleet(engine(token=1e-3), OFF, 2, 1)
    decode = Fleet(engine(host_step=0.25), OFF, 4, 1)
    pools = pool_fleets(prefill, decode, Transfer(0.0, 1.0, 2.0))
    requests = Requests(np.zeros(2), np.array([1000, 1000]), np.array([5, 5]))
    r = run_pools(pools, requests, np.array([4.0, 4.0]), np.random.default_rng(0))
    np.testing.assert_allclose(r.first, [1.0, 2.0])
    np.testing.assert_allclose(r.finish, [2.5, 3.5])
    assert pools.total_gpus == 6
    # the second request is ready at 2.5 s, just when the slot is free; with a longer answer before it, it waits
    r = run_pools(pools, requests, np.array([8.0, 4.0]), np.random.default_rng(0))
    np.testing.assert_allclose(r.finish, [3.5, 4.5])


def test_pools_are_a_tandem_of_m_d_1_and_a_delay() -> None:
    # TTFT is that of an M/D/1 queue; with a slot for everyone the rest is transfer and rounds
    n, load = 40_000, 0.7
    prefill, decode = Fleet(engine(token=1.0), OFF, 1, 1), Fleet(engine(host_step=0.01), OFF, 1, 10**6)
    requests = Requests(poisson(load, n, 20), np.ones(n, dtype=np.int64), np.full(n, 11))
    pools = pool_fleets(prefill, decode, Transfer(0.0, 0.3, 1.0))
    r = run_pools(pools, requests, np.full(n, 10.0), np.random.default_rng(0))
    wait = r.ttft() - 1.0
    assert wait.mean() == pytest.approx(load / (2 * (1 - load)), abs=3 * batch_error(wait))
    rest = r.finish - r.first
    assert rest.min() >= 0.4 - 1e-9
    # a running batch is joined at the end of its round
    assert rest.max() <= 0.4 + 0.01 + 1e-9


def test_pools_conserve_work_and_follow_the_bandwidth() -> None:
    scenario, plan, cap = replica(2, 3, isl=8192)
    traffic = make_traffic(8.0, parse_lengths("uniform", 8192, 1024), duration=900.0)
    fleet = Fleet(plan, scenario.speculation, 2, cap, 3)
    slow_tpot = 0.0
    for bandwidth in (100.0, 1.0, 0.01):
        transfer = kv_transfer(scenario.deployment, 2, 3, bandwidth * 1e9)
        r = simulate_pools(pool_fleets(fleet, fleet, transfer), traffic, 0)
        assert np.isfinite(r.finish).all()
        assert r.counters["prefill_tokens"][:3].sum() == pytest.approx(r.requests.prompt.sum(), rel=1e-12)
        assert r.counters["prefill_time"][3:].sum() == 0
        assert r.counters["decode_time"][:3].sum() == 0
        moved = r.requests.prompt.astype(float)
        assert (r.finish - r.first >= transfer.seconds(moved)).all()
        tpot = float(r.tpot().mean())
        assert tpot > slow_tpot
        slow_tpot = tpot
