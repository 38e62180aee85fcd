"""Both closed forms as a whole, in cases that have an exact answer."""

from __future__ import annotations

import math

import numpy as np
import pytest

from simulator import kernels as kn
from simulator.kernels.records import Costs
from tests.kernels.made_up import made_up


def closed(costs: Costs, *load: float) -> kn.ClosedForm:
    out = kn.zero(kn.ClosedForm)
    kn.closed_form(costs.target, costs.draft, costs.constants, kn.Load(*load), out)
    return out


def opened(
    costs: Costs, rate: float, prompt: float, cv: float, output: float, rounds: float, cap: float
) -> kn.OpenForm:
    out = kn.zero(kn.OpenForm)
    kn.open_form(costs.target, costs.draft, costs.constants, rate, prompt, cv, output, rounds, cap, out)
    return out


def test_a_lone_client_by_hand() -> None:
    """Ten requests of front end 3 + 8/16 + 1/4, prefill 2 and five rounds of 1 for five tokens after the first."""
    costs = made_up(host_step=1.0, host_prefill=2.0, delay=3.0, delay_token=1 / 16, stream=0.25, lookahead=1.0)
    out = closed(costs, 1.0, 10.0, 8.0, 6.0, 5.0, 1.0, 1.0)
    assert out.duration == 10 * (3.75 + 2 + 5)
    assert (out.mean_tpot, out.median_tpot) == (1.0, 1.0)
    assert (out.mean_ttft, out.median_ttft, out.p99_ttft) == (5.75, 5.75, 5.75)
    assert out.mean_e2e == 5.75 + 5 * 1.0
    assert (out.decode_batch, out.prefill_share) == (1.0, 0.0)


def test_three_clients_take_turns_in_one_slot() -> None:
    """Each request of 3 + 2 + 5 s waits for those of the two others, but for the very first."""
    out = closed(made_up(host_step=1.0, host_prefill=2.0, delay=3.0), 3.0, 10.0, 8.0, 6.0, 5.0, 1.0, 1.0)
    assert out.duration == 30 * 10
    assert out.mean_tpot == 1.0
    assert out.mean_ttft == pytest.approx(5 + 20 * 29 / 30, rel=1e-12)
    assert (out.median_ttft, out.p99_ttft) == (25.0, 25.0)
    assert out.mean_e2e == pytest.approx(out.mean_ttft + 5, rel=1e-12)


def test_answers_of_one_token_have_no_time_between_tokens_to_divide() -> None:
    out = closed(made_up(host_step=1.0, host_prefill=2.0), 1.0, 4.0, 8.0, 1.0, 1.0, 0.0, 1.0)
    assert out.duration == 4 * (2 + 1)
    assert out.mean_e2e == 2.0


def test_a_sweep_is_its_configurations_one_by_one() -> None:
    slow, quick = (
        made_up(host_step=2.0, host_prefill=1.0, token=0.25),
        made_up(host_step=1.0, host_prefill=0.5, delay=2.0),
    )
    loads = np.array([[4.0, 3.0, 8.0, 6.0, 5.0, 1.5, 7.0], [9.0, 2.0, 5.0, 7.0, 4.0, 0.5, 3.0]])
    tables = np.stack([slow.target, quick.target])
    out = kn.zeros(kn.ClosedForm, 3)
    kn.closed_form_sweep(
        tables, tables, np.array([slow.constants, quick.constants]), np.array([1, 0, 1]), loads[[0, 1, 1]], out
    )
    pairs = (quick, loads[0]), (slow, loads[1]), (quick, loads[1])
    assert out.tolist() == [closed(costs, *load).tolist() for costs, load in pairs]


@pytest.mark.parametrize("load", [0.2, 0.9])
@pytest.mark.parametrize("poll", [1.0, 5.0])
def test_rounds_free_of_the_batch_are_an_m_m_c_queue(load: float, poll: float) -> None:
    """Three slots of four rounds of 1 s: Erlang C; the front end streams to all who are there and to the new one."""
    rate, servers = load * 3 / 4, 3
    offered = rate * 4
    tail = offered**servers / math.factorial(servers) / (1 - load)
    wait = tail / (sum(offered**n / math.factorial(n) for n in range(servers)) + tail)
    costs = made_up(
        host_step=1.0, delay=0.5, delay_token=0.125, stream=0.25, lookahead=1.0, poll=poll, host_prefill=1e-12
    )
    out = opened(costs, rate, 4.0, 0.0, 7.0, 4.0, 3.0)
    assert out.capacity == pytest.approx(3 / 4, rel=1e-9)
    assert out.load == pytest.approx(load, rel=1e-9)
    assert out.batch == pytest.approx(offered, rel=1e-9)
    assert out.stay == pytest.approx(4.0, rel=1e-9)
    assert out.round_time == pytest.approx(1.0, rel=1e-9)
    assert out.slot_wait == pytest.approx(wait, rel=1e-9)
    assert out.slot_decay == pytest.approx(2 * (3 / 4 - rate), rel=1e-9)
    assert out.step == pytest.approx(1.0 + (poll - 1) / 2, rel=1e-9)
    assert out.start == pytest.approx(0.5 + 4 * 0.125 + 0.25 * (offered + 1) + 1.0, rel=1e-9)
    assert (out.prefill_load, out.stay_sd) == pytest.approx((0.0, 0.0), abs=1e-6)


def test_answers_of_one_token_are_a_queue_of_prompts() -> None:
    """One prompt to a pass of 1/2 s and 0.4 a second: load 0.2, and the tail of the wait falls at 2 (1 - 0.2) / 0.5."""
    out = opened(made_up(host_prefill=0.5, chunk=4.0), 0.4, 4.0, 0.0, 1.0, 0.0, 8.0)
    assert (out.capacity, out.load) == pytest.approx((2.0, 0.2), rel=1e-12)
    assert (out.batch, out.stay, out.step, out.slot_wait) == (0.0, 0.0, 0.0, 0.0)
    assert out.start == pytest.approx(0.5, rel=1e-12)
    assert out.prefill_load == pytest.approx(0.2, rel=1e-9)
    assert out.prefill_decay == pytest.approx(2 * 0.8 / 0.5, rel=1e-9)


def test_prompts_that_come_prefilled_wait_for_no_prefill() -> None:
    costs = made_up(host_step=1.0, host_prefill=0.5, remote_prefill=1.0, delay=0.25)
    out = opened(costs, 0.3, 4.0, 1.0, 7.0, 4.0, 3.0)
    assert (out.start, out.prefill_load, out.prefill_decay) == (0.25, 0.0, 1e9)
    assert out.capacity == pytest.approx(3 / 4, rel=1e-9)


@pytest.mark.parametrize("rate", [0.8, 2.0])
def test_an_overloaded_queue_says_so(rate: float) -> None:
    out = opened(made_up(host_step=1.0, host_prefill=1e-12), rate, 4.0, 0.0, 7.0, 4.0, 3.0)
    assert out.load == pytest.approx(rate * 4 / 3, rel=1e-9)
    assert out.load > 1
    assert out.batch == pytest.approx(3.0, rel=1e-6)
