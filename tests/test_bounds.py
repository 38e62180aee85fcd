"""Numbers of users, as text and as Python values; and that every public function refuses what is none."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import simulator
from simulator import InputError, make_scenario
from simulator.bounds import MOST_SEED, MOST_WHOLE, check_seed, number, parse_number, parse_whole, small_enough, whole
from simulator.cost.parameters import registry
from simulator.errors import brief


@given(st.integers(-(10**20), 10**20))
def test_whole_numbers_are_read_back(n: int) -> None:
    assert parse_whole(str(n)) == n


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_read_back(x: float) -> None:
    assert parse_number(repr(x)) == x


@given(st.text(max_size=12))
def test_any_text_is_a_finite_number_or_none(text: str) -> None:
    for parse in (parse_number, parse_whole):
        try:
            assert math.isfinite(parse(text))
        except ValueError:
            continue
        assert float(text) == parse(text)


@pytest.mark.parametrize(
    "text", ["nan", "inf", "-Infinity", "1_000", "\uff11\uff12", "0x10", "", " ", "1e400", "1 2", "--1"]
)
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(ValueError, match="expected a"):
        parse_number(text)
    with pytest.raises(ValueError, match="expected a whole number"):
        parse_whole(text)


NO_WHOLE = [True, None, "4", 4.5, 10**400, -(10**400), 10**5000, float("nan")]


@pytest.mark.parametrize("value", NO_WHOLE, ids=map(brief, NO_WHOLE))
def test_values_that_are_no_whole_number(value: Any) -> None:
    for check in (whole, small_enough):
        with pytest.raises(InputError, match=r"^--tp: expected a whole number"):
            check("--tp", value)
    with pytest.raises(InputError, match=r"^--seed: expected a whole number"):
        check_seed(value)


def test_the_ends_of_the_ranges() -> None:
    assert whole("--tp", np.int64(4)) == 4
    assert small_enough("--tp", MOST_WHOLE) == MOST_WHOLE
    assert check_seed(MOST_SEED) == MOST_SEED
    for check, value in ((whole, 0), (small_enough, MOST_WHOLE + 1)):
        with pytest.raises(InputError):
            check("--tp", value)
    for seed in (-1, MOST_SEED + 1):
        with pytest.raises(InputError, match="--seed"):
            check_seed(seed)


@pytest.mark.parametrize("value", [True, None, "4", 10**400, float("nan"), float("inf"), 1e300], ids=list("abcdefg"))
def test_values_that_are_no_number(value: Any) -> None:
    with pytest.raises(InputError, match=r"^--rate: expected a finite number, found"):
        number("--rate", value)


HUGE = (10**400, 10**5000, float("nan"), float("inf"), -1e308)
SMALL = make_scenario(mtp=1, isl=64, osl=8, acceptance_rate=0.5)
ASKED: dict[str, tuple[Callable[..., Any], dict[str, Any], tuple[str, ...]]] = {
    "make_scenario": (
        make_scenario,
        {"mtp": 1},
        ("tp", "ep", "dp", "isl", "osl", "mtp", "requests_per_client", "range_ratio"),
    ),
    "acceptance": (make_scenario, {"mtp": 1}, ("acceptance_length", "acceptance_rate")),
    "predict": (simulator.predict, {"concurrencies": [1]}, ("seed",)),
    "pools": (
        simulator.predict,
        {"concurrencies": [1], "prefill_tp": 2},
        ("prefill_tp", "prefill_replicas", "kv_bandwidth_gb_s"),
    ),
    "simulate": (
        simulator.simulate,
        {"rate": 1.0, "duration": 10.0},
        ("rate", "duration", "cv", "replicas", "seed", "max_running"),
    ),
    "queue": (simulator.simulate, {"rate": 1.0, "duration": 10.0}, ("queue_limit",)),
    "plan": (
        simulator.plan,
        {"rate": 1.0, "promises": ["ttft-p99=1us"]},
        ("rate", "cv", "spare", "seed", "confidence", "max_running"),
    ),
    "what_if_acceptance": (simulator.what_if_acceptance, {"scenario": SMALL, "concurrencies": [1]}, ("seed",)),
    "what_if_sensitivity": (simulator.what_if_sensitivity, {"scenario": SMALL}, ("concurrency", "samples", "seed")),
    "explain": (simulator.explain, {}, ("concurrency", "batch", "prompts")),
    "Backend": (simulator.Backend, {}, ("jobs",)),
}  # fmt: skip


@pytest.mark.parametrize(
    ("words", "argument"), [(words, argument) for words, (_, _, arguments) in ASKED.items() for argument in arguments]
)
def test_every_public_function_refuses_what_cannot_be_computed_with(words: str, argument: str) -> None:
    function, rest, _ = ASKED[words]
    if argument == "prompts":
        rest = {**rest, "phase": "prefill"}
    for value in HUGE:
        with pytest.raises(InputError) as caught:
            function(**{**rest, argument: value})
        assert len(str(caught.value)) < 400


@pytest.mark.parametrize("away", [-1e9, -1e4, -800.0, 800.0, 1e4, 1e9])
def test_a_draw_far_from_its_prior_stays_within_its_bounds(away: float) -> None:
    """What a plan draws from a wide posterior: the exponential of a coordinate overflows if it is taken as it is."""
    for parameter in registry().values():
        assert parameter.low <= parameter.from_internal(away) <= parameter.high
