"""Acceptance against Leviathan's formula, the published table and enumeration; rounds against brute force."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from simulator.errors import InputError
from simulator.speculation.acceptance import (
    OFF,
    Speculation,
    from_length,
    from_length_table,
    from_positions,
    from_rate,
    rate_of_length,
)
from simulator.speculation.rounds import draw_rounds

PUBLISHED = [1.93, 2.73, 3.39, 3.97, 4.41, 4.80, 5.04, 5.21]  # facts.md: Qwen3.5-397B, thinking on, k = 1..8


def enumerated_emission(probabilities: tuple[float, ...]) -> np.ndarray:
    """Probability of 1..k+1 tokens, over all accept/reject outcomes; the first reject ends a round."""
    out = np.zeros(len(probabilities) + 1)
    for outcome in itertools.product((True, False), repeat=len(probabilities)):
        accepted = next((i for i, yes in enumerate(outcome) if not yes), len(outcome))
        out[accepted] += math.prod(a if yes else 1 - a for a, yes in zip(probabilities, outcome, strict=True))
    return out


def rounds_distribution(emission: np.ndarray, tokens: int) -> np.ndarray:
    """P(rounds = r), r = 0..tokens: the first passage of a random walk, one round at a time."""
    out = np.zeros(tokens + 1)
    left = {tokens: 1.0}
    for r in range(tokens + 1):
        out[r] = left.pop(0, 0.0)
        step: dict[int, float] = {}
        for remaining, p in left.items():
            for emitted, q in enumerate(emission, start=1):
                rest = max(0, remaining - emitted)
                step[rest] = step.get(rest, 0.0) + p * q
        left = step
    return out


@pytest.mark.parametrize("rate", [0.0, 0.3, 0.7, 0.891, 0.999])
@pytest.mark.parametrize("k", [1, 3, 8])
def test_length_of_a_rate_is_leviathans_formula(rate: float, k: int) -> None:
    assert from_rate(rate, k).acceptance_length == pytest.approx((1 - rate ** (k + 1)) / (1 - rate), rel=1e-12)


def test_length_of_certain_acceptance() -> None:
    assert from_rate(1.0, 3).acceptance_length == 4.0
    assert OFF.acceptance_length == 1.0


@pytest.mark.parametrize("probabilities", [(0.93,), (0.93, 0.86, 0.83), (0.5, 0.0, 0.9), (0.2, 0.9, 1.0, 0.4, 0.6)])
def test_emission_against_all_outcomes(probabilities: tuple[float, ...]) -> None:
    expected = enumerated_emission(probabilities)
    spec = from_positions(probabilities, len(probabilities))
    np.testing.assert_allclose(spec.emission(), expected, atol=1e-15)
    mean = expected @ np.arange(1, expected.size + 1)
    assert spec.acceptance_length == pytest.approx(mean, rel=1e-12)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_emission_is_a_distribution(probabilities: list[float]) -> None:
    emission = from_positions(probabilities, len(probabilities)).emission()
    assert emission.sum() == pytest.approx(1.0, abs=1e-12)
    assert emission.min() >= 0.0


@pytest.mark.parametrize("k", range(1, 9))
def test_published_table_is_recovered(k: int) -> None:
    spec = from_length_table(PUBLISHED, k, "table")
    assert spec.tokens == k
    assert spec.acceptance_length == pytest.approx(PUBLISHED[k - 1], rel=1e-12)


def test_published_increments() -> None:
    # facts.md: P of accepting at least i
    reach = np.cumprod(from_length_table(PUBLISHED, 8, "table").probabilities)
    np.testing.assert_allclose(reach, [0.93, 0.80, 0.66, 0.58, 0.44, 0.39, 0.24, 0.17], atol=1e-12)


@pytest.mark.parametrize(("k", "length", "rate"), [(1, 1.93, 0.930), (3, 3.39, 0.891)])
def test_rate_of_published_lengths(k: int, length: float, rate: float) -> None:
    assert rate_of_length(length, k) == pytest.approx(rate, abs=0.0005)  # facts.md


@given(st.integers(1, 12), st.floats(0, 1))
def test_rate_of_length_inverts_the_sum(k: int, rate: float) -> None:
    assert rate_of_length(sum(rate**i for i in range(k + 1)), k) == pytest.approx(rate, abs=1e-9)


def test_length_bounds_are_reached() -> None:
    assert from_length(1.0, 3).probabilities == (0.0, 0.0, 0.0)
    assert from_length(4.0, 3).probabilities == (1.0, 1.0, 1.0)


def test_bad_acceptance_is_refused() -> None:
    with pytest.raises(InputError, match=r"\[0, 1\], found 1.2"):
        from_rate(1.2, 3)
    with pytest.raises(InputError, match=r"\[0, 1\], found nan"):
        from_rate(math.nan, 3)
    with pytest.raises(InputError, match=r"\[0, 1\], found -0.1, 7"):
        from_positions([0.5, -0.1, 7], 3)
    with pytest.raises(InputError, match="expected 3 probabilities for --mtp 3, found 2"):
        from_positions([0.5, 0.5], 3)
    with pytest.raises(InputError, match=r"\[1, 4\] for --mtp 3, found 4.1"):
        from_length(4.1, 3)
    with pytest.raises(InputError, match=r"\[1, 4\] for --mtp 3, found 0.9"):
        from_length(0.9, 3)
    with pytest.raises(InputError, match=r"\[1, 4\] for --mtp 3, found nan"):
        from_length(math.nan, 3)
    with pytest.raises(InputError, match="published up to depth 8, found --mtp 9"):
        from_length_table(PUBLISHED, 9, "table")
    for k in (0, -1, 65):
        with pytest.raises(InputError, match="depth of 1 to 64"):
            from_rate(0.5, k)


@pytest.mark.parametrize(
    ("probabilities", "tokens"), [((0.8,), 5), ((0.8, 0.5), 7), ((0.93, 0.86, 0.83), 9), ((0.6, 0.6, 0.6), 40)]
)
def test_rounds_follow_the_enumerated_distribution(probabilities: tuple[float, ...], tokens: int) -> None:
    n = 20_000
    drawn = draw_rounds(np.random.default_rng(7), np.full(n, tokens), Speculation(probabilities))
    expected = n * rounds_distribution(enumerated_emission(probabilities), tokens)
    observed = np.bincount(drawn.astype(int), minlength=tokens + 1)
    common = expected >= 5
    rare = n - expected[common].sum()
    f_exp, f_obs = expected[common], observed[common]
    if rare > 1:
        f_exp, f_obs = np.append(f_exp, rare), np.append(f_obs, n - f_obs.sum())
    else:
        f_exp = f_exp * f_obs.sum() / f_exp.sum()
    assert stats.chisquare(f_obs, f_exp).pvalue > 0.001
    assert not observed[expected == 0].any()


@pytest.mark.parametrize("k", [1, 3, 8])
def test_mean_rounds_against_the_renewal_equation(k: int) -> None:
    emission = enumerated_emission(from_length_table(PUBLISHED, k, "table").probabilities)
    mean = np.zeros(901)  # m(L) = 1 + sum_j e_j m(L - j)
    for left in range(1, 901):
        mean[left] = 1 + sum(e * mean[max(0, left - j)] for j, e in enumerate(emission, start=1))
    drawn = draw_rounds(np.random.default_rng(8), np.full(4000, 900), from_length_table(PUBLISHED, k, "table"))
    assert drawn.mean() == pytest.approx(mean[900], abs=3 * drawn.std() / math.sqrt(drawn.size))


@given(st.lists(st.integers(0, 5000), min_size=1, max_size=20), st.integers(1, 8))
def test_rounds_without_chance(tokens: list[int], k: int) -> None:
    rng, left = np.random.default_rng(0), np.array(tokens)
    np.testing.assert_array_equal(draw_rounds(rng, left, OFF), left)
    np.testing.assert_array_equal(draw_rounds(rng, left, from_rate(0.0, k)), left)
    np.testing.assert_array_equal(draw_rounds(rng, left, from_rate(1.0, k)), -(-left // (k + 1)))


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=20), st.floats(0, 1), st.integers(1, 8))
def test_rounds_emit_every_token(tokens: list[int], rate: float, k: int) -> None:
    left = np.array(tokens)
    rounds = draw_rounds(np.random.default_rng(3), left, from_rate(rate, k))
    assert (rounds * (k + 1) >= left).all()
    assert (rounds <= left).all()
