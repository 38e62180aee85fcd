"""Pieces of the cost of a pass, worked by hand."""

from __future__ import annotations

import pytest

from simulator.kernels.passes import (
    decode_round,
    drafting,
    prefill_pass,
    prefill_time,
    prompts_time,
    riders,
    round_time,
    slope_of,
    touched,
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
