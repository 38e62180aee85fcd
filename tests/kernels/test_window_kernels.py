"""Rows with a window: what a pass reads of them, and where and how fast the time of a round grows, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from simulator import kernels as kn
from simulator.kernels.passes import (
    decode_round,
    has_windows,
    prefill_pass,
    round_at,
    slope_at,
    slope_of,
    straight,
    work_time,
)
from simulator.kernels.records import Costs, State
from simulator.kernels.replica import rounds_to_bend
from tests.kernels.made_up import made_up

ROW = 14


def row(window: float, pair: float = 0.0, cached: float = 0.0) -> list[float]:
    """Seconds per pair and per cached token of one kernel in all passes."""
    return [1.0, 0.0, 0.0, 0.0, pair, 0.0, cached, 0.0, 0.0, 0.0, math.inf, window, 0.0, 0.0]


def windowed(target: list[list[float]], draft: list[list[float]] | None = None, **fields: float) -> Costs:
    """A made-up replica with these tables."""
    tables = np.array(target), np.array(draft or [[0.0] * ROW])
    c = made_up(**fields).constants
    return Costs(*tables, c, kn.routing_constant(1.0, 1.0, 0.0), has_windows(*tables))


def test_what_a_row_takes_of_pairs_and_cache() -> None:
    # 6 tokens see 8 others at most, so 48 pairs; two reads of a cache of 100 are 16 tokens of it
    table = np.array([row(8.0, pair=1.0, cached=1 / 16), row(math.inf, pair=2.0, cached=1 / 8)])
    assert work_time(table, 6.0, 0.0, 60.0, 0.0, 100.0, 0.0, 2.0) == 48 + 16 / 16 + 2 * 60 + 100 / 8
    assert work_time(table, 6.0, 0.0, 40.0, 0.0, 10.0, 0.0, 2.0) == 40 + 10 / 16 + 2 * 40 + 10 / 8


def test_rows_of_zeros_are_no_windows() -> None:
    assert not has_windows(np.array([row(math.inf)]), np.zeros((2, ROW)))
    assert has_windows(np.array([row(math.inf)]), np.array([row(7.0)]))


@pytest.mark.parametrize(("context", "seconds"), [(10.0, 10 + 10), (40.0, 40 + 40), (41.0, 41 + 40), (400.0, 400 + 40)])
def test_a_round_below_and_above_the_window(context: float, seconds: float) -> None:
    # two requests with windows of 20 share one of 40
    costs = windowed([row(math.inf, cached=1.0), row(20.0, cached=1.0)])
    assert decode_round(costs, 2.0, context) == seconds
    assert slope_at(costs, 2.0, context) == (2.0 if context < 40 else 1.0)
    assert straight(costs, 2.0, context) == ((0.0, 40.0) if context < 40 else (40.0, math.inf))
    assert round_at(costs, math.nan, 2.0, context / 2) == seconds


def test_reads_again_are_windowed_each() -> None:
    # verification of three tokens reads half the cache again for two of them: twice 2 x 20 tokens; pairs: 6 x 20
    costs = windowed([row(20.0, pair=1.0, cached=1 / 8)], verify=3.0, reload=0.5)
    assert decode_round(costs, 2.0, 1000.0) == 6 * 20 + 2 * 40 / 8
    assert decode_round(costs, 2.0, 30.0) == 3 * 30 + 2 * 30 / 8


def test_windows_of_a_draft_bend_the_round_too() -> None:
    # a draft of one token per request, and then one over all three: 30 per request
    fields = {"verify": 3.0, "single_drafts": 1.0, "extend": 1.0}
    costs = windowed([row(math.inf, cached=1.0)], [row(30.0, cached=1.0)], **fields)
    assert decode_round(costs, 2.0, 50.0) == 3 * 50
    assert decode_round(costs, 2.0, 100.0) == 100 + 2 * 60
    assert [slope_at(costs, 2.0, context) for context in (0.0, 59.0, 60.0, 90.0)] == [3.0, 3.0, 1.0, 1.0]


def test_several_windows() -> None:
    costs = windowed([row(10.0, cached=1.0), row(40.0, cached=2.0), row(math.inf, cached=4.0)])
    assert [straight(costs, 3.0, context) for context in (0.0, 30.0, 119.0, 120.0)] == [
        *((0.0, 30.0), (30.0, 120.0), (30.0, 120.0)),
        (120.0, math.inf),
    ]
    assert [slope_at(costs, 3.0, context) for context in (0.0, 30.0, 119.0, 120.0)] == [7.0, 6.0, 6.0, 4.0]


def test_without_windows_the_slope_is_that_of_any_context() -> None:
    costs = made_up(cached=1 / 3, pair=1 / 7, host_step=0.1)
    assert slope_at(costs, 5.0, 1e6) == slope_of(costs)
    assert round_at(costs, 0.25, 2.0, 8.0) == decode_round(costs, 2.0, 0.0) + 0.25 * 2 * 8


def test_a_prefill_pass_with_windows() -> None:
    # 8 tokens after 100 cached ones of two prompts, 3 riders with 600: 5 reads and 11 queries of 20
    costs = windowed([row(20.0, pair=1.0, cached=1 / 4)])
    assert prefill_pass(costs, 8.0, 2.0, 1000.0, 100.0, 3.0, 600.0) == 11 * 20 + 100 / 4
    # fresh prompts read nothing, and their 32 pairs are fewer than 8 x 20
    assert prefill_pass(costs, 8.0, 2.0, 32.0, 0.0, 0.0, 0.0) == 32
    assert prefill_pass(costs, 8.0, 2.0, 0.0, 0.0, 3.0, 600.0) == 11 * 20 + 60 / 4


@pytest.mark.parametrize(
    ("context", "growth", "rounds"), [(30.0, 3.0, 4), (39.0, 3.0, 1), (40.0, 3.0, math.inf), (10.0, 0.0, math.inf)]
)
def test_rounds_until_the_window_is_full(context: float, growth: float, rounds: float) -> None:
    state = kn.zeros(State, 1)
    state[0].running, state[0].context, state[0].growth = 2, context, growth
    assert rounds_to_bend(windowed([row(20.0, cached=1.0)]), state[0]) == rounds
