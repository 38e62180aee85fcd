"""Pieces of the cost of a pass, worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from simulator.kernels.passes import (
    decode_round,
    drafting,
    has_windows,
    in_flight,
    prefill_pass,
    prefill_time,
    prompts_time,
    prompts_time_on_average,
    riders,
    round_time,
    slope_at,
    slope_of,
    touched,
    work_time,
)
from tests.kernels.made_up import made_up


def test_decodes_ride_along_under_a_shared_budget_only() -> None:
    assert riders(made_up().constants, 5.0) == 0.0
    assert riders(made_up(shared=1.0).constants, 5.0) == 5.0


def test_touched_experts() -> None:
    # two sequences of two tokens, of which the second counts half: 3 independent ones; 4 (1 - 1/2^3)
    costs = made_up(experts=4.0, top_k=2.0, correlation=0.5)
    assert touched(costs, 4.0, 2.0) == pytest.approx(3.5, rel=1e-14)


def test_drafting() -> None:
    # two single passes of 1/2 + 2 tokens, one over all 2 x 3 tokens of 1/2 + 6
    costs = made_up(token=1.0, verify=3.0, single_drafts=2.0, extend=1.0, host_draft=0.5)
    assert drafting(costs, 1.0, 2.0, 100.0) == 2 * (0.5 + 2) + (0.5 + 6)
    assert drafting(made_up(token=1.0), 1.0, 2.0, 100.0) == 0.0


def test_round() -> None:
    # host 1 + 2/4; 6 tokens of 1; 6 logits of 2; 2 x 3 states of 1/2; 10 cached, read again by half per further token
    loads = {"token": 1.0, "logit": 2.0, "state": 0.5, "cached": 1.0}
    costs = made_up(host_step=1.0, host_request=0.25, verify=3.0, states=3.0, reload=0.5, **loads)
    assert decode_round(costs, 2.0, 10.0) == 1.5 + 6 + 12 + 3 + 20
    assert slope_of(costs) == 2.0
    assert round_time(costs.target, costs.draft, costs.constants, 2.0, 10.0) == decode_round(costs, 2.0, 10.0)


def test_prefill_pass() -> None:
    # 8 tokens of 1 and 32 pairs of 1/8; launches of 20 s hide the device; with two riders 10 tokens and 2 x 1/4 host
    alone = made_up(host_prefill=1.0, host_request=0.25, token=1.0, pair=0.125)
    assert prefill_pass(alone, 8.0, 1.0, 32.0, 0.0, 0.0, 0.0) == 1 + 8 + 4
    assert prefill_pass(alone, 8.0, 1.0, 32.0, 0.0, 2.0, 80.0) == 1 + 10 + (32 + 80) / 8 + 0.5
    slow = made_up(host_prefill=1.0, token=1.0, launch=20.0)
    assert prefill_pass(slow, 8.0, 1.0, 32.0, 0.0, 0.0, 0.0) == 21
    tables = alone.target, alone.draft, alone.constants
    assert prefill_time(*tables, 8.0, 1.0, 32.0, 0.0, 0.0, 0.0) == 13


@pytest.mark.parametrize(
    ("fields", "batch", "passes"),
    [
        ({"chunk": 8.0}, 0.0, 2),  # 12 tokens
        ({"chunk": 10.0, "split": 0.0}, 0.0, 2),  # two whole prompts each
        ({"chunk": 4.0, "split": 0.0}, 0.0, 3),
        ({"chunk": 3.0, "split": 0.0}, 0.0, 4),  # longer than a chunk: cut after all
        ({"chunk": 8.0, "verify": 2.0}, 2.0, 3),  # two riders of two tokens leave room for 4
    ],
)
def test_three_prompts_of_four_tokens(fields: dict[str, float], batch: float, passes: float) -> None:
    costs = made_up(host_prefill=1.0, **fields)
    assert prompts_time(costs, 3.0, 4.0, batch, 0.0) == (passes, passes)


def test_a_mean_number_of_prompts_is_made_of_whole_ones() -> None:
    # 4 or 5 prompts of 4 tokens in passes of 8: 2 or 3 of them, of 1 s
    costs = made_up(chunk=8.0, host_prefill=1.0)
    assert prompts_time_on_average(costs, 4.25, 4.0, 0.0, 0.0) == (2.25, 2.25)
    assert prompts_time_on_average(costs, 4.0, 4.0, 0.0, 0.0) == (2.0, 2.0)


def test_what_a_pass_over_prompts_has_to_do() -> None:
    # three prompts of 4 in passes of 8: 6 tokens, 3 x 8 / 2 pairs and the states of one and a half prompts in each
    loads = {"token": 1.0, "pair": 1 / 8, "cached": 1 / 4, "state": 1 / 2, "logit": 1 / 16}
    costs = made_up(chunk=8.0, prefill_states=1.0, **loads)
    assert prompts_time(costs, 3.0, 4.0, 0.0, 0.0) == (2 * (6 + 12 / 8 + 1.5 / 2 + 1.5 / 16), 2)
    # two prompts of 12: 8 tokens of one prompt in each of three, 2 x 72 / 3 pairs, and on average 6 tokens cached
    assert prompts_time(costs, 2.0, 12.0, 0.0, 0.0) == (3 * (8 + 48 / 8 + 6 / 4 + 1 / 2 + 1 / 16), 3)
    # with two riders of one token and 40 cached ones: room for 6
    each = 6 + 2 + (12 + 40) / 8 + 40 / 4 + (1.5 + 0) / 2 + (1.5 + 2) / 16
    assert prompts_time(costs, 3.0, 4.0, 2.0, 40.0) == (2 * each, 2)


def test_a_prefill_pass_with_drafts() -> None:
    # 8 tokens of two prompts after 4 cached ones, then with three riders of two tokens, 40 cached and three states each
    loads = {"token": 1.0, "cached": 1 / 4, "state": 1 / 2, "logit": 1 / 16}
    constants = {"verify": 2.0, "single_drafts": 1.0, "states": 3.0, "prefill_states": 1.0, "reload": 0.5}
    costs = made_up(host_draft=0.5, host_request=0.25, **constants, **loads)
    target, draft = 8 + 2 / 16 + 4 / 4 + 2 / 2, 8 + 2 / 16 + 4 / 4
    assert prefill_pass(costs, 8.0, 2.0, 32.0, 4.0, 0.0, 0.0) == target + draft
    target = (8 + 6) + (2 + 6) / 16 + (4 + 40 * 1.5) / 4 + (2 + 9) / 2
    drafted = 0.5 + 3 + 3 / 16 + 40 / 4
    assert prefill_pass(costs, 8.0, 2.0, 32.0, 4.0, 3.0, 40.0) == target + draft + 3 * 0.25 + drafted


def test_experts_of_a_prefill_pass_with_drafts() -> None:
    # all tokens of a request take the same two experts of four: n requests touch 4 (1 - 1/2^n)
    costs = made_up(expert=1.0, experts=4.0, top_k=2.0, correlation=1.0, verify=2.0, single_drafts=1.0, extend=1.0)
    of_five, of_two, of_three = 4 - 1 / 8, 3.0, 3.5
    assert prefill_pass(costs, 8.0, 2.0, 32.0, 0.0, 3.0, 0.0) == pytest.approx(
        of_five + of_two + 2 * of_three, rel=1e-14
    )
    assert prefill_pass(costs, 8.0, 2.0, 32.0, 0.0, 0.0, 0.0) == pytest.approx(2 * of_two, rel=1e-14)


def test_a_kernel_with_a_least_time_and_several_calls() -> None:
    # rows of a table: twice at least 5 s, and three times 1 + one second for each of seven loads
    always = 0.0, math.inf, math.inf, 0.0, 0.0
    table = np.array([[2.0, 5.0, 1.0, *(6 * [0.0]), *always], [3.0, 0.0, 1.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, *always]])
    assert work_time(table, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0) == 2 * 5 + 3 * (1 + 1 + 2 + 3 + 4 + 5 + 6)
    assert work_time(table, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 1.0) == 10 + 3 * (1 + 10 + 24 + 39 + 56 + 75 + 66)
    long = np.array([[2.0, 5.0, 7.0, *(6 * [0.0]), *always]])
    assert work_time(long, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0) == 14


@pytest.mark.parametrize(("tokens", "seconds"), [(3.0, 1), (3.5, 1), (4.0, 20), (7.0, 20), (8.0, 0), (9.0, 0)])
def test_a_row_counts_within_its_sizes(tokens: float, seconds: float) -> None:
    # 1 s below 4 tokens; at least 20 s from 4 tokens on, below 8
    rows = (
        [1.0, 0.0, 1.0, *(6 * [0.0]), 0.0, 4.0, math.inf, 0.0, 0.0],
        [1.0, 20.0, 1.0, *(6 * [0.0]), 4.0, 8.0, math.inf, 0.0, 0.0],
    )
    table = np.array(rows)
    assert work_time(table, tokens, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0) == seconds


def test_parts_of_a_pass() -> None:
    # seconds: 2 a token of the whole; 7 + 3 a token, pairs, cached of prompts; 11 + 5 a token, pairs / 2 of the rest,
    # of which a token sees 4 at most
    always = 0.0, math.inf
    rows = [
        [1.0, 0.0, 0.0, 2.0, *(5 * [0.0]), *always, math.inf, 0.0, 0.0],
        [1.0, 0.0, 7.0, 3.0, 1.0, 0.0, 1.0, 0.0, 0.0, *always, math.inf, 1.0, 0.0],
        [1.0, 0.0, 11.0, 5.0, 0.5, *(4 * [0.0]), *always, 4.0, 2.0, 0.0],
    ]
    table = np.array(rows)
    # tokens, experts, pairs, logits, cached, states and reads, then those of prompts
    assert work_time(table, 10.0, 0.0, 30.0, 0.0, 8.0, 0.0, 2.0) == 20 + (11 + 50 + 15)
    assert work_time(table, 10.0, 0.0, 90.0, 0.0, 8.0, 0.0, 2.0) == 20 + (11 + 50 + 20)
    prompts = 6.0, 24.0, 5.0, 1.0
    assert work_time(table, 6.0, 0.0, 24.0, 0.0, 5.0, 0.0, 1.0, *prompts) == 12 + (7 + 18 + 24 + 5)
    both = 20 + (7 + 18 + 24 + 5) + (11 + 20 + 3)
    assert work_time(table, 10.0, 0.0, 30.0, 0.0, 8.0, 0.0, 2.0, *prompts) == both


def test_a_read_walks_through_a_cache() -> None:
    # three times 2 s and 1 s for eight cached tokens, but no less than 2 s and 1 s a token of one of the reads
    table = np.array([[3.0, 0.0, 2.0, *(3 * [0.0]), 1 / 8, 0.0, 0.0, 0.0, math.inf, math.inf, 0.0, 1.0]])
    for cached, reads, seconds in ((40.0, 1.0, 2 + 40), (40.0, 4.0, 2 + 10), (40.0, 8.0, 2 + 5), (40.0, 16.0, 2 + 5)):
        assert work_time(table, 1.0, 0.0, 0.0, 0.0, cached, 0.0, reads) == 3 * seconds
    assert work_time(table, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0) == 3 * 2
    # of which a query sees 5 tokens at most
    table[0, 11] = 5.0
    assert work_time(table, 1.0, 0.0, 0.0, 0.0, 40.0, 0.0, 2.0) == 3 * (2 + 5)
    assert has_windows(table, np.zeros((1, 14)))


def test_a_block_of_drafts_is_one_pass() -> None:
    # four tokens of each of two requests with 20 cached, of which three of each are drafted, after half a second
    costs = made_up(token=1.0, pair=1 / 8, cached=1 / 4, logit=1 / 16, verify=4.0, block=1.0, host_draft=0.5)
    assert drafting(costs, 1.0, 2.0, 20.0) == 0.5 + 8 + 80 / 8 + 20 / 4 + 6 / 16
    costs = made_up(token=1.0, verify=4.0, block=1.0, draft_launch=100.0)
    assert drafting(costs, 1.0, 2.0, 20.0) == 100


def test_parts_on_their_way_through_four_stages() -> None:
    costs = made_up(token=1.0, cached=1 / 8, stages=4.0)
    assert [in_flight(costs.constants, batch) for batch in (0.5, 1.0, 3.0, 4.0, 40.0)] == [1, 1, 3, 4, 4]
    assert decode_round(costs, 40.0, 80.0) == 10 + 20 / 8
    assert decode_round(costs, 2.0, 80.0) == 1 + 40 / 8
    assert slope_at(costs, 40.0, 80.0) == pytest.approx(1 / 32)
    assert slope_at(costs, 1.0, 80.0) == pytest.approx(1 / 8)
    # four pieces of two tokens, the last of which has three before it: seven quarters of a piece in all stages
    assert (
        prefill_pass(made_up(token=1.0, stages=4.0, host_prefill=1.0), 8.0, 1.0, 32.0, 0.0, 0.0, 0.0) == 1 + 2 * 7 / 4
    )


def test_drafts_whose_launches_hide_the_device() -> None:
    # launching takes 5 s: two single passes of 2 tokens wait for it, the one over 2 x 3 tokens does not
    fields = {"token": 1.0, "verify": 3.0, "single_drafts": 2.0, "extend": 1.0, "host_draft": 0.5}
    assert drafting(made_up(draft_launch=5.0, **fields), 1.0, 2.0, 100.0) == 2 * (0.5 + 5) + (0.5 + 6)
    assert drafting(made_up(draft_launch=7.0, **fields), 1.0, 2.0, 100.0) == 3 * (0.5 + 7)
