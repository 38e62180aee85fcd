"""Distinct experts against enumeration, sampling of real top-k routers, and limits."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from simulator import kernels as kn
from simulator.kernels import distinct_experts, independent_tokens

EXPERTS, TOP_K = 512, 10  # Qwen3.5-397B-A17B


@pytest.mark.parametrize(("experts", "top_k", "tokens"), [(4, 2, 1), (4, 2, 3), (5, 2, 3), (5, 4, 3), (6, 1, 4)])
def test_uniform_routing_is_the_mean_over_all_choices(experts: int, top_k: int, tokens: int) -> None:
    choices = list(itertools.combinations(range(experts), top_k))
    touched = [len(set().union(*pick)) for pick in itertools.product(choices, repeat=tokens)]
    assert distinct_experts(experts, top_k, 0.0, tokens) == pytest.approx(np.mean(touched), rel=1e-12)


def sampled(skew: float, tokens: list[int], routers: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard error of the distinct experts that sampled routers touch after so many tokens.

    Routers draw gamma popularities; a token takes k experts without replacement, in proportion to them (Gumbel top-k).
    """
    rng = np.random.default_rng(seed)
    counts = np.zeros((routers, len(tokens)))
    for count in counts:
        log_popularity = np.log(rng.gamma(1 / skew, skew, EXPERTS) + 1e-300) if skew else np.zeros(EXPERTS)
        keys = log_popularity + rng.gumbel(size=(tokens[-1], EXPERTS))
        picks = np.argpartition(-keys, TOP_K, axis=1)[:, :TOP_K]
        count[:] = [np.unique(picks[:t]).size for t in tokens]
    return counts.mean(0), counts.std(0, ddof=1) / np.sqrt(routers)


def test_uniform_routing_against_sampled_routers() -> None:
    tokens = [1, 4, 16, 64, 256]
    mean, error = sampled(0.0, tokens, 40, seed=1)
    formula = [distinct_experts(EXPERTS, TOP_K, 0.0, t) for t in tokens]
    np.testing.assert_array_less(np.abs(formula - mean), 3 * error + 1e-9)


@pytest.mark.parametrize("skew", [0.1, 0.5, 2.0])
def test_skewed_routing_against_sampled_routers(skew: float) -> None:
    # the formula treats experts as independent, which sampling without replacement is not quite: 2 % is asked
    tokens = [1, 4, 16, 64, 256]
    mean, error = sampled(skew, tokens, 40, seed=2)
    formula = [distinct_experts(EXPERTS, TOP_K, skew, t) for t in tokens]
    np.testing.assert_array_less(np.abs(formula - mean), 3 * error + 0.02 * mean)


@pytest.mark.parametrize("skew", [0.0, 0.1, 0.5, 5.0])
def test_limits_in_tokens(skew: float) -> None:
    assert distinct_experts(EXPERTS, TOP_K, skew, 0.0) == 0.0
    assert distinct_experts(EXPERTS, TOP_K, skew, 1.0) == pytest.approx(TOP_K, rel=1e-12)
    assert distinct_experts(EXPERTS, TOP_K, skew, 1e30) == pytest.approx(EXPERTS, rel=1e-4)


def test_all_experts_when_every_token_takes_all() -> None:
    assert distinct_experts(8.0, 8.0, 0.5, 1.0) == 8.0


@pytest.mark.parametrize("tokens", [1, 7, 60, 3000])
def test_skew_tends_to_uniform(tokens: int) -> None:
    uniform = EXPERTS * (1 - (1 - TOP_K / EXPERTS) ** tokens)
    assert distinct_experts(EXPERTS, TOP_K, 1e-5, tokens) == pytest.approx(uniform, rel=1e-3)
    assert distinct_experts(EXPERTS, TOP_K, 0.0, tokens) == pytest.approx(uniform, rel=1e-12)


def test_four_consecutive_tokens_touch_2_5_times_the_experts_of_one() -> None:
    # Cohere 2026, quoted in facts.md; with few of many experts taken, collisions are below 2 %
    c = kn.zero(kn.Constants)
    c.correlation = 0.5
    spread = independent_tokens(c, 4.0, 1.0)
    assert spread == 2.5
    assert distinct_experts(EXPERTS, TOP_K, 0.0, spread) / TOP_K == pytest.approx(2.5, rel=0.02)
