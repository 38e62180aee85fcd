"""The coordinates that fits move in, and the priors in them, worked by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.cost.parameters import (
    FAMILY_CORRELATION,
    Parameter,
    on_bounds,
    prior_covariance,
    priors,
    registry,
    with_values,
)
from simulator.errors import InputError

LOG = Parameter("made", 2.0, "us", "log", 0.1, 1.0, 8.0, "", "")
LINEAR = Parameter("made", 3.0, "fraction", "linear", 0.1, 1.0, 9.0, "", "")


def test_a_logarithm_between_bounds_by_hand() -> None:
    """2 stands at log 2 / log 8, a third of the way from 1 to 8, and 4 at two thirds: logits -log 2 and log 2. The
    nearer bound is the lower one, so a standard deviation above is one in the coordinate too."""
    assert (LOG.share(1.0), LOG.share(2.0), LOG.share(8.0)) == pytest.approx((0, 1 / 3, 1))
    above = (math.log(2) + LOG.sd) / math.log(8)
    pace = LOG.sd / (math.log(above / (1 - above)) + math.log(2))
    assert LOG.to_internal(2.0 * math.exp(LOG.sd)) == pytest.approx(math.log(2) + LOG.sd)
    assert LOG.to_internal(2.0) == pytest.approx(math.log(2))
    assert LOG.to_internal(4.0) == pytest.approx(math.log(2) + pace * 2 * math.log(2))
    assert LOG.from_internal(math.log(2) + pace * 2 * math.log(2)) == pytest.approx(4.0)


def test_a_number_between_bounds_by_hand() -> None:
    """3 stands at a quarter of the way from 1 to 9, and 7 at three quarters: logits -log 3 and log 3."""
    assert (LINEAR.share(1.0), LINEAR.share(3.0), LINEAR.share(9.0)) == (0, 0.25, 1)
    above = (2 + LINEAR.sd) / 8
    pace = LINEAR.sd / (math.log(above / (1 - above)) + math.log(3))
    assert LINEAR.to_internal(3.0 + LINEAR.sd) == pytest.approx(3.0 + LINEAR.sd)
    assert LINEAR.to_internal(3.0) == pytest.approx(3.0)
    assert LINEAR.to_internal(7.0) == pytest.approx(3.0 + pace * 2 * math.log(3))
    assert LINEAR.from_internal(3.0 + pace * 2 * math.log(3)) == pytest.approx(7.0)


@pytest.mark.parametrize("name", list(registry()))
def test_a_spread_away_from_the_nearer_bound_is_one_in_the_coordinate(name: str) -> None:
    p = registry()[name]
    plain, back = (math.log, math.exp) if p.scale == "log" else (float, float)
    assert p.to_internal(p.value) == pytest.approx(plain(p.value), rel=1e-9, abs=1e-9)
    away = -p.sd if p.share(p.value) > 0.5 else p.sd
    assert p.to_internal(back(plain(p.value) + away)) == pytest.approx(plain(p.value) + away, rel=1e-9)


@given(st.sampled_from([LOG, LINEAR]), st.floats(0.001, 0.999))
def test_there_and_back(p: Parameter, place: float) -> None:
    value = p.low + place * (p.high - p.low)
    assert p.from_internal(p.to_internal(value)) == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize("p", [LOG, LINEAR])
def test_coordinates_are_finite_at_the_bounds_and_values_stay_within(p: Parameter) -> None:
    """A millionth of the range from a bound the logit is log(1e-6 / (1 - 1e-6)), and the middle of the range is 0."""
    middle = p.from_internal(p.to_internal(p.low) / 2 + p.to_internal(p.high) / 2)
    assert p.share(middle) == pytest.approx(0.5)
    share, span = p.share(p.value), math.log(8) if p.scale == "log" else 8
    above = share + p.sd / span
    pace = p.sd / math.log(above / (1 - above) / share * (1 - share))
    assert p.to_internal(p.high) - p.to_internal(p.low) == pytest.approx(-2 * pace * math.log(1e-6 / (1 - 1e-6)))
    for far in (50.0, 1e3, 1e6, 1e300):
        assert p.from_internal(-far) == pytest.approx(p.low, rel=1e-12)
        assert p.from_internal(far) == pytest.approx(p.high, rel=1e-12)
        assert p.low <= p.from_internal(-far) <= p.from_internal(far) <= p.high


@pytest.mark.parametrize(
    ("share", "side"),
    [(0.0, "lower"), (0.009, "lower"), (0.011, None), (0.989, None), (0.991, "upper"), (1.0, "upper")],
)
def test_on_a_bound(share: float, side: str | None) -> None:
    assert LINEAR.at_bound(1.0 + 8.0 * share) == side
    assert LOG.at_bound(8.0**share) == side


def test_a_sentence_on_each_bound() -> None:
    low, high = registry()["moe.ep_imbalance"], registry()["moe.prep_us"]
    found = on_bounds({low.name: low.low, "gdn.latency_us": 8.0, high.name: high.high})
    assert found == [
        "moe.ep_imbalance is on its lower bound, 1 ratio: the data would have it beyond",
        "moe.prep_us is on its upper bound, 60 us: the data would have it beyond",
    ]


def test_priors_of_one_family_go_together() -> None:
    """The streaming of FP4 and FP8 experts goes alike; the imbalance of experts has no family."""
    names = ["moe.fp4.bandwidth_eff", "moe.ep_imbalance", "moe.fp8.bandwidth_eff", "dense.bf16.compute_eff"]
    sd = [0.2, 0.2, 0.2, 0.25]
    expected = [[a * b if i == j else 0.0 for j, b in enumerate(sd)] for i, a in enumerate(sd)]
    expected[0][2] = expected[2][0] = 0.8 * 0.2 * 0.2
    assert FAMILY_CORRELATION == 0.8
    assert prior_covariance(names).tolist() == [pytest.approx(row) for row in expected]


def test_every_prior_lies_well_within_its_bounds() -> None:
    for name, p in registry().items():
        assert p.name == name
        assert p.low < p.value < p.high
        assert (p.scale == "log") <= (p.low > 0)
        assert p.sd > 0


def test_overriding_some() -> None:
    found = with_values({"moe.prep_us": 12}, "made")
    assert found == {**priors(), "moe.prep_us": 12.0}
    for edge in (0.005, 60.0):
        assert with_values({"moe.prep_us": edge}, "made")["moe.prep_us"] == edge


@pytest.mark.parametrize("value", [0.0049, 60.001, float("nan"), True, "9", None])
def test_overriding_with_what_cannot_be(value: object) -> None:
    with pytest.raises(InputError, match=r"made: moe\.prep_us: expected a number in \[0\.005, 60\] us, found"):
        with_values({"moe.prep_us": value}, "made")
    with pytest.raises(InputError, match=r"unknown parameter in made 'moe\.prep'"):
        with_values({"moe.prep": 9.0}, "made")


def test_priors_of_other_widths_have_the_same_correlations() -> None:
    """An accelerator's own spreads of 0.1 and 0.3 in place of the generic ones."""
    names = ["moe.fp4.bandwidth_eff", "moe.fp8.bandwidth_eff"]
    own = {**registry(), **{name: replace(registry()[name], sd=sd) for name, sd in zip(names, (0.1, 0.3), strict=True)}}
    assert prior_covariance(names, own) == pytest.approx(np.array([[0.01, 0.8 * 0.03], [0.8 * 0.03, 0.09]]))


def test_overriding_some_of_a_table_of_its_own() -> None:
    own = {**registry(), "gdn.latency_us": replace(registry()["gdn.latency_us"], value=5.5)}
    assert with_values({"moe.prep_us": 12}, "made", own) == {**priors(), "moe.prep_us": 12.0, "gdn.latency_us": 5.5}


def test_a_value_of_its_own_moves_the_coordinates() -> None:
    """In the middle of 1 to 9 one spread moves the logit from 0 to log((4 + sd) / (4 - sd)); 3 has -log 3."""
    other = replace(LINEAR, value=5.0)
    assert other.to_internal(5.0) == pytest.approx(5.0)
    moved = math.log(3) / math.log((4 + LINEAR.sd) / (4 - LINEAR.sd))
    assert other.to_internal(3.0) == pytest.approx(5.0 - LINEAR.sd * moved)
