"""The pieces of both closed forms against worked examples, enumeration and queueing theory."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest

from simulator import kernels as kn
from simulator.kernels.closed_loop import arrived_together, bulk_of, clumping, drain_of, greatest_of_normals, opened
from simulator.kernels.open_loop import (
    Crowd,
    Stream,
    crowd_of,
    pace,
    prefilled_together,
    prompts_of,
    riding,
    service,
    stall,
    stay_sd_of,
)
from tests.kernels.made_up import made_up

NORMAL = NormalDist()

# --- closed loop ------------------------------------------------------------------------------------------------------


def test_clumping_is_the_mean_of_the_density_over_itself() -> None:
    x = np.linspace(-60, 60, 20_001)
    density = np.array([NormalDist(0, 5).pdf(v) for v in x])
    assert clumping(100.0, 5.0) == pytest.approx(100 * np.trapezoid(density**2, x), rel=1e-9)
    assert clumping(100.0, 1e3) == 1.0


def test_arrivals_during_a_look_are_a_poisson_number_above_zero() -> None:
    # prefills that take no time: 3 expected between looks, and a prefill only if there is one
    assert arrived_together(1.5, 2.0, 0.0, 3.0) == pytest.approx(3 / (1 - math.exp(-3)), rel=1e-12)
    assert arrived_together(1e-9, 2.0, 0.0, 2e-9) == 1.0


@pytest.mark.parametrize("n", [100, 10_000])
def test_greatest_of_normals(n: int) -> None:
    # the formula is a limit for many
    assert greatest_of_normals(float(n)) == pytest.approx(NORMAL.inv_cdf(1 - 1 / n), rel=0.02)


def test_a_lone_client_cycles_through_front_end_prefill_and_rounds() -> None:
    # front end 3, prefill 2, five rounds of 1
    load = kn.Load(1.0, 10.0, 8.0, 6.0, 5.0, 1.0, 1.0)
    bulk = bulk_of(made_up(host_step=1.0, host_prefill=2.0), load, 1.0, 3.0, 2.0)
    assert bulk == (1.0, 1.0, 1.0, 10.0, 0.0, 2.0, 2.0)


@pytest.mark.parametrize(
    ("place", "seconds"),
    # eight requests in passes of two, 1 s each: the first alone after 1, then two more after 3, 5, 7 and one after 8
    [(0.5, 1.0), (1.0, 1.0), (2.0, 3.0), (3.0, 3.0), (3.5, 5.0), (5.0, 5.0), (7.0, 7.0), (7.2, 8.0), (8.0, 8.0)],
)
def test_opening_requests_end_pass_by_pass_behind_the_first(place: float, seconds: float) -> None:
    assert opened(1.0, 8.0, 4.0, 8.0, place) == pytest.approx(seconds, rel=1e-12)


def test_all_but_the_first_opening_request_share_one_pass() -> None:
    assert opened(1.5, 8.0, 1.0, 8.0, 2.0) == opened(1.5, 8.0, 1.0, 8.0, 8.0) == 1.5 + 7.0
    assert opened(1.5, 1.5, 1.0, 1.0, 1.0) == 1.5


def test_drain() -> None:
    # rounds of 1 + 1/4 per request: 2, 1.5 and 1.25; equal requests all end together
    costs = made_up(host_step=1.0, host_request=0.25)
    assert drain_of(costs, kn.Load(4.0, 1.0, 8.0, 6.0, 5.0, 0.0, 4.0), 4.0) == (0.0, 5.0, 0.0, 2.0, 1.5, 1.25)
    # one request alone has no fewer to end with
    assert drain_of(costs, kn.Load(1.0, 1.0, 8.0, 6.0, 5.0, 1.0, 1.0), 1.0) == (0.0, 5.0, 0.0, 1.25, 1.25, 1.25)
    tail, flat, slide, *_ = drain_of(costs, kn.Load(4.0, 4.0, 8.0, 6.0, 5.0, 0.5, 4.0), 4.0)
    assert tail == pytest.approx(greatest_of_normals(4.0) * 2 * 0.5 / 5, rel=1e-12)
    assert flat + slide == pytest.approx(5.0, rel=1e-12)


# --- open loop --------------------------------------------------------------------------------------------------------


def stream(rate: float, prompt: float = 4.0, cv: float = 0.0, rounds: float = 4.0) -> Stream:
    return Stream(rate, prompt, cv, rounds, 100.0)


def test_riding_needs_a_whole_request() -> None:
    shared = made_up(shared=1.0).constants
    assert [riding(shared, batch) for batch in (0.5, 1.0, 2.5)] == [0.0, 1.0, 2.5]
    assert riding(made_up().constants, 2.5) == 0.0


def test_stall() -> None:
    # two prompts in a pass of 1 + 8/8 s: half each; under a shared budget the pass does the work of a round of 1/2 too
    own = made_up(host_prefill=1.0, token=0.125)
    assert stall(own, stream(1.0), 2.0, 3.0, 0.0) == 1.0
    assert stall(made_up(host_prefill=1.0, remote_prefill=1.0), stream(1.0), 2.0, 3.0, 0.0) == 0.0
    shared = made_up(host_prefill=1.0, token=0.125, shared=1.0, host_step=0.125)
    assert stall(shared, stream(1.0), 2.0, 3.0, 0.0) == (1 + 8 / 8 + 3 / 8 - (0.125 + 3 / 8)) / 2


def test_short_prompts_wait_for_their_launches() -> None:
    # prompts of 2 and of 6 tokens, half and half: 1 s a token and 4 s of launches
    costs = made_up(token=1.0, launch=4.0)
    assert stall(costs, stream(1.0), 1.0, 3.0, 0.0) == 4.0
    assert stall(costs, stream(1.0)._replace(prompt_cv=0.5), 1.0, 3.0, 0.0) == (4 + 6) / 2
    # four together differ by half as much from four others: 12 and 20 tokens
    assert stall(costs, stream(1.0)._replace(prompt_cv=0.5), 4.0, 3.0, 0.0) == (12 + 20) / 2 / 4


def test_prompts_prefilled_together_came_during_the_last_step() -> None:
    # prefills take no time: rounds of 2 s, 1.5 arrivals/s, and a prefill only if one came
    assert prefilled_together(made_up(), stream(1.5), 2.0, 3.0, 0.0) == pytest.approx(3 / (1 - math.exp(-3)), rel=1e-12)
    assert prefilled_together(made_up(chunk=8.0), stream(1.5), 2.0, 3.0, 0.0) == 2.0


def test_service_with_all_slots_taken() -> None:
    # four rounds of 1 s for each of two requests, and a prefill of 1/2
    assert service(made_up(host_step=1.0, host_prefill=0.5), stream(1.0), 2.0) == 4 / 2 + 0.5
    # answers of one token: eight prompts to a chunk
    assert service(made_up(host_prefill=0.5, chunk=32.0), stream(1.0, rounds=0.0), 2.0) == 0.5 / 8


def test_pace() -> None:
    costs = made_up(host_step=1.0, host_request=0.5)
    assert pace(costs, stream(0.1), 0.0, 0) == (1.5, 0.0)
    assert pace(costs, stream(0.1), 0.0, 3) == (2.5, 3 / (4 * 2.5))
    # prefills of 1/2 s at 0.1 per second leave 95 %; one more cached token costs nothing here
    slower, leaving = pace(made_up(host_step=1.0, host_prefill=0.5, chunk=4.0), stream(0.1), 0.0, 2)
    assert slower == pytest.approx(1 / 0.95, rel=1e-12)
    assert leaving == pytest.approx(2 * 0.95 / 4, rel=1e-12)


@pytest.mark.parametrize("load", [0.2, 0.9])
def test_the_crowd_is_an_m_m_c_queue_where_rounds_are_free_of_the_batch(load: float) -> None:
    # rounds of 1 s, four each: three servers of mean 4 s (Erlang C)
    rate, servers = load * 3 / 4, 3
    offered = rate * 4
    tail = offered**servers / math.factorial(servers) / (1 - load)
    wait = tail / (sum(offered**n / math.factorial(n) for n in range(servers)) + tail)
    crowd = crowd_of(made_up(host_step=1.0), stream(rate), 3.0)
    assert crowd.batch == pytest.approx(offered, rel=1e-9)
    assert crowd.slot_wait == pytest.approx(wait, rel=1e-9)
    assert crowd.stay == pytest.approx(4.0, rel=1e-9)
    assert crowd.mean_round == pytest.approx(1.0, rel=1e-9)
    assert crowd.variance == pytest.approx(0.0, abs=1e-9)
    assert crowd.slot_decay == pytest.approx(2 * (3 / 4 - rate), rel=1e-9)
    assert crowd.load == pytest.approx(load, rel=1e-12)


def test_an_overloaded_crowd_takes_all_slots() -> None:
    crowd = crowd_of(made_up(host_step=1.0), stream(2.0), 3.0)
    assert crowd.load == pytest.approx(2.0 * 4 / 3, rel=1e-12)
    assert crowd.batch == pytest.approx(3.0, rel=1e-6)


def test_queue_of_prompts() -> None:
    # one prompt to a pass of 1/2 s: an M/D/1 queue of load 0.05, whose tail falls at 2 (1 - load) / (s (1 + cv^2))
    costs = made_up(host_step=1.0, host_prefill=0.5, chunk=4.0)
    own, each, busy, decay = prompts_of(costs, stream(0.1), 2.0, 1.0)
    assert (own, each) == (0.5, 0.5)
    assert busy == pytest.approx(0.05, rel=1e-12)
    assert decay == pytest.approx(2 * 0.95 / 0.5, rel=1e-12)
    assert prompts_of(costs, stream(0.1, cv=1.0), 2.0, 1.0).decay == pytest.approx(decay / 2, rel=1e-12)


def test_stay_sd_adds_rounds_and_prefills() -> None:
    # 0.736 x 0.25 x 4^2, and 0.1 x 5 prefills of 2 s with mean square 2^2 (1 + 1) in a delay cycle of 1 - 0.2
    crowd = Crowd(1.0, 5.0, 1.0, 0.25, 0.0, 1.0, 0.1)
    expected = math.sqrt(0.736 * 0.25 * 16 + 0.1 * 5 * 4 * 2 / 0.8**2)
    assert stay_sd_of(stream(0.1, cv=1.0), crowd, 2.0) == pytest.approx(expected, rel=1e-12)
