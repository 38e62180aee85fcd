"""Pools in the closed loop: a toy by hand, Little's law, and what is left when prefill takes no time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simulator import InputError, kernels, make_scenario, predict
from simulator.cli import run
from simulator.prediction.pools import PrefillPool, closed_loop_pools, pool_bounds, pool_metrics
from simulator.serving.closed_loop import run_closed_loop
from simulator.serving.fleet import Fleet
from simulator.serving.pools import Pools, Transfer, decode_only, pool_fleets
from simulator.serving.pools_closed_loop import run_pools_closed_loop
from simulator.serving.replica import Replica
from simulator.speculation.acceptance import OFF
from simulator.traffic.benchmark import Workload
from tests.kernels.made_up import made_up

SEED = np.random.SeedSequence(3)
BYTES = Transfer(1.0, 0.0, 1e3)
"""A millisecond per prompt token."""


def plan(**fields: float) -> Replica:
    costs = made_up(**fields)
    table = np.array(costs.target)
    return Replica(table, table, costs.constants)


def toy(prefills: int, *, prefill: float, decode: float, transfer: Transfer = BYTES, decodes: int = 1) -> Pools:
    """Prefill of ``prefill`` seconds per prompt token, rounds of ``decode`` seconds whatever their batch."""
    one, rest = plan(token=prefill, chunk=100.0), plan(one=decode)
    return pool_fleets(Fleet(one, OFF, 1, 1000, prefills), Fleet(rest, OFF, 1, 1000, decodes), transfer)


def test_one_client_by_hand() -> None:
    """Each request: 100 prompt tokens prefilled in 1 s, caches in 0.1 s, then 9 rounds of 0.2 s."""
    pools = toy(1, prefill=0.01, decode=0.2)
    found = run_pools_closed_loop(pools, Workload(isl=100, osl=10, range_ratio=1, requests_per_client=4), 1, SEED)
    np.testing.assert_allclose(found.send, [0.0, 2.9, 5.8, 8.7], rtol=1e-12)
    np.testing.assert_allclose(found.ttft(), 1.0, rtol=1e-12)
    np.testing.assert_allclose(found.tpot(), 1.9 / 9, rtol=1e-12)


def test_two_clients_that_queue_by_hand() -> None:
    """Both prompts come at 0 to one prefill replica of one prompt a pass: first tokens at 1 and 2 s, rounds of 0.2 s.

    The first decodes from 1.1 to 2.9 s and sends at 2.9 s, where the prefill replica is free: its token comes at 3.9 s.
    The second's caches come at 2.1 s, in the midst of the round from 2.1 to 2.3 s or at its start; nine rounds later it
    sends, and its prompt waits until 3.9 s.
    """
    pools = toy(1, prefill=0.01, decode=0.2)
    found = run_pools_closed_loop(pools, Workload(isl=100, osl=10, range_ratio=1, requests_per_client=2), 2, SEED)
    np.testing.assert_allclose(found.send[:3], [0.0, 0.0, 2.9], rtol=1e-12)
    np.testing.assert_allclose(found.first, [1.0, 2.0, 3.9, 4.9], rtol=1e-12)
    assert found.send[3] == pytest.approx(3.9, abs=0.21)
    assert found.finish[3] > found.first[3] + 0.1 + 9 * 0.2 - 1e-9


def test_the_slower_pool_sets_the_pace() -> None:
    """Two replicas that prefill a prompt a second each do two requests a second when the clients are many."""
    pools = toy(2, prefill=0.01, decode=1e-4)
    w = Workload(isl=100, osl=10, range_ratio=1, requests_per_client=50)
    found = run_pools_closed_loop(pools, w, 20, SEED)
    assert found.send.size / found.duration == pytest.approx(2.0, rel=2e-3)


@pytest.mark.parametrize(("concurrency", "ratio"), [(1, 1.0), (7, 0.8), (32, 0.8)])
def test_prefill_that_takes_no_time_leaves_the_closed_loop_of_the_replica_that_decodes(
    concurrency: int, ratio: float
) -> None:
    """Against the closed-loop kernel itself, which knows nothing of the iteration."""
    scenario = make_scenario(tp=2, isl=1024)
    real = closed_loop_pools(scenario, PrefillPool(2, 1)).decode
    pools = pool_fleets(Fleet(plan(), OFF, 1, 10_000), real, Transfer(0.0, 0.0, 1.0))
    w = Workload(isl=1024, osl=128, range_ratio=ratio, requests_per_client=5)
    found = run_pools_closed_loop(pools, w, concurrency, SEED)
    n = found.send.size
    send, first, finish = np.zeros(n), np.zeros(n), np.zeros(n)
    requests = kernels.Requests(send, found.prompt, found.output, found.rounds, first, finish)
    counters = kernels.zero(kernels.Counters)
    alone = decode_only(real.replica)
    kernels.serve(alone.target, alone.draft, alone.constants, float(real.cap), requests, concurrency, counters)
    np.testing.assert_allclose(found.send, send, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(found.finish, finish, rtol=1e-12)


@pytest.mark.parametrize("concurrency", [4, 32, 128])
def test_littles_law(concurrency: int) -> None:
    """Requests in flight, summed over time, are the requests' latencies summed; while none is left to send, all N."""
    scenario = make_scenario(tp=2, isl=8192, mtp=3)
    found = run_pools_closed_loop(closed_loop_pools(scenario, PrefillPool(4, 1)), scenario.workload, concurrency, SEED)
    last = found.send.max()
    inside = np.minimum(found.finish, last) - found.send
    assert inside.sum() / last == pytest.approx(concurrency, rel=1e-9)
    assert (found.first > found.send).all()
    assert (found.finish >= found.first).all()
    order = np.sort(found.finish)
    np.testing.assert_array_equal(found.send[concurrency:], order[: found.send.size - concurrency])


def test_a_dearer_network_delays_tokens_and_not_the_first_one() -> None:
    scenario = make_scenario(tp=2, isl=8192)
    fast, slow = (
        pool_metrics(closed_loop_pools(scenario, PrefillPool(2, 1, bandwidth)), scenario.workload, 1, 0, runs=1)
        for bandwidth in (50e9, 0.05e9)
    )
    assert slow["mean_ttft_ms"] == pytest.approx(fast["mean_ttft_ms"], rel=1e-9)
    assert slow["mean_tpot_ms"] > fast["mean_tpot_ms"]


def test_rows_count_the_gpus_of_both_pools_and_say_that_nothing_measured_them() -> None:
    scenario = make_scenario(tp=2, isl=8192, mtp=3)
    table = predict(scenario, [16], prefill_tp=4, prefill_replicas=2)
    (row,) = table.rows
    assert row["gpus"] == 2 + 2 * 4
    tokens = row["requests_per_s"] * (scenario.workload.mean_isl + scenario.workload.mean_osl)
    assert row["total_tok_s_gpu"] == pytest.approx(tokens / 10, rel=0.02)
    assert row["scope"] == "unmeasured"
    assert row["scope_reasons"]
    plain = predict(scenario, [16]).rows[0]
    for name in ("total_tok_s_gpu", "mean_tpot_ms"):
        assert row[f"{name}_lo"] < row[name] < row[f"{name}_hi"]
        assert row[f"{name}_hi"] / row[f"{name}_lo"] > plain[f"{name}_hi"] / plain[f"{name}_lo"]


def test_drafts_are_not_promised_their_full_gain() -> None:
    """What drafting may lose widens the interval on the side of slower tokens, beyond that without drafts."""
    off = make_scenario(tp=2, isl=8192)
    w, pool = off.workload, PrefillPool(2, 1)
    sides = []
    for scenario in (off, make_scenario(tp=2, isl=8192, mtp=3)):
        means = pool_metrics(closed_loop_pools(scenario, pool), w, 16, 0)
        ends = pool_bounds(scenario, pool, 16, 0, means)
        sides.append([ends[f"mean_tpot_ms_{end}"] / means["mean_tpot_ms"] for end in ("lo", "hi")])
    (off_low, off_high), (mtp_low, mtp_high) = sides
    assert mtp_high > 1.15 * off_high
    assert mtp_low == pytest.approx(off_low, rel=0.2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prefill_tp": 0}, "--prefill-tp"),
        ({"prefill_tp": 3}, "tp 3"),
        ({"prefill_tp": 2, "prefill_replicas": 0}, "--prefill-replicas"),
        ({"prefill_tp": 2, "kv_bandwidth_gb_s": 0.0}, "--kv-bandwidth"),
        ({"prefill_tp": 2, "method": "closed-form"}, "--method"),
    ],
    ids=str,
)
def test_bad_pools(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        predict(make_scenario(tp=2), [4], **options)  # type: ignore[arg-type]


def test_the_command_names_the_pool_and_its_scope(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["predict", "--isl", "8192", "--prefill-tp", "2", "--concurrency", "16"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "behind 1 of TP2 that prefill" in text
    assert "scope: unmeasured" in text


def test_the_plain_closed_loop_is_untouched() -> None:
    """A fleet of one whole replica is not a pool: prefill interrupts its decoding."""
    scenario = make_scenario(tp=2, isl=8192)
    pools = closed_loop_pools(scenario, PrefillPool(2, 1))
    own = replace(pools.decode.replica, constants=pools.prefill.replica.constants)
    rng = np.random.default_rng(0)
    whole = run_closed_loop(own, scenario.workload, OFF, 32, pools.decode.cap, rng)
    apart = run_pools_closed_loop(pools, scenario.workload, 32, SEED)
    assert whole.tpot().mean() > 1.2 * apart.tpot().mean()
