"""A part of each prompt that is found cached: not computed, but attended to and held."""

from __future__ import annotations

import numpy as np
import pytest

from simulator import kernels as kn
from simulator.kernels.passes import found_of, prompts_time
from tests.kernels.made_up import made_up


def serve(costs_of: dict[str, float], prompt: list[float], send: list[float]) -> kn.Requests:
    costs, n = made_up(**costs_of), len(prompt)
    requests = kn.Requests(np.array(send), np.array(prompt), np.full(n, 3.0), np.full(n, 2.0), np.zeros(n), np.zeros(n))
    kn.serve(costs.target, costs.draft, costs.constants, 9.0, requests, 0, kn.zero(kn.Counters))
    return requests


@pytest.mark.parametrize(
    ("prompt", "rate", "found"), [(10.0, 0.5, 5.0), (10.0, 1.0, 9.0), (1.0, 0.8, 0.0), (9.0, 0.0, 0.0)]
)
def test_one_token_at_least_is_computed(prompt: float, rate: float, found: float) -> None:
    assert found_of(made_up(hit_rate=rate).constants, prompt) == found


def test_the_first_token_is_that_of_the_rest_over_the_cached_context() -> None:
    # 10 tokens, 7 of them found (0.75, whole tokens): 3 computed, 3 x 7 + 9 / 2 pairs, 7 tokens of the cache read
    loads = {"token": 1.0, "pair": 1 / 8, "cached": 1 / 16}
    found = serve({**loads, "hit_rate": 0.75}, [10.0], [0.0])
    assert found.first[0] == 3 + (21 + 4.5) / 8 + 7 / 16
    # the two rounds after it attend to all ten, and to what they have added
    rounds = [1 + (n + n / 2) / 8 for n in (11, 12)]
    assert found.finish[0] - found.first[0] == pytest.approx(sum(rounds))


def test_the_closed_form_has_the_same_passes() -> None:
    loads = {"token": 1.0, "pair": 1 / 8, "cached": 1 / 16, "hit_rate": 0.75}
    # two prompts of 8, 6 of them found: 2 x 2 tokens, 2 x 2 x 7 pairs, 2 x 6 tokens read
    assert prompts_time(made_up(**loads), 2.0, 8.0, 0.0, 0.0) == (4 + 28 / 8 + 12 / 16, 1)
    # in passes of two tokens: one prompt each; in passes of one: two for each prompt, the second with one token more
    assert prompts_time(made_up(chunk=2.0, **loads), 2.0, 8.0, 0.0, 0.0) == (2 * (2 + 14 / 8 + 6 / 16), 2)
    assert prompts_time(made_up(chunk=1.0, **loads), 1.0, 8.0, 0.0, 0.0) == (2 * (1 + 7 / 8 + 7 / 16), 2)
    # whole prompts of two new tokens: two fit in a pass of five, so that three take two passes
    whole = made_up(chunk=5.0, split=0.0, host_prefill=1.0, hit_rate=0.75)
    assert prompts_time(whole, 3.0, 8.0, 0.0, 0.0) == (2, 2)


def test_what_is_found_and_what_is_computed_make_up_the_prompts() -> None:
    prompt = np.array([5.0, 8.0, 100.0, 1.0])
    costs = made_up(token=1.0, hit_rate=0.6)
    requests = kn.Requests(np.arange(4.0), prompt, np.full(4, 2.0), np.ones(4), np.zeros(4), np.zeros(4))
    counters = kn.zero(kn.Counters)
    kn.serve(costs.target, costs.draft, costs.constants, 9.0, requests, 0, counters)
    assert counters.prefill_tokens == sum(p - min(int(0.6 * p), p - 1) for p in prompt)
