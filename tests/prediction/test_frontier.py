"""Oracle of the Pareto front: the definition, point against point."""

from __future__ import annotations

import doctest
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.errors import InputError
from simulator.prediction import frontier
from simulator.prediction.frontier import Frontier, front_rule, pareto_front
from simulator.prediction.spline import monotone_spline

Point = tuple[float, float]
FEW, MANY = st.integers(0, 8), st.floats(-1e6, 1e6)
POINT = st.tuples(FEW, FEW) | st.tuples(MANY, MANY)

# MI355X at 1.48 $/GPU/h and 2.65 kW; points made up, in the shape of a concurrency sweep with two dominated runs.
THROUGHPUT = np.array([3310.2, 2701.9, 1300.0, 1920.4, 1401.3, 1010.6, 600.0])
POINTS = {
    "interactivity_tok_s_user": np.array([24.6, 35.1, 40.0, 52.3, 71.8, 90.2, 90.2]),
    "total_tok_s_gpu": THROUGHPUT,
    "cost_usd_per_mtok": 1.48 / (THROUGHPUT * 3600 / 1e6),
    "tok_s_per_mw": THROUGHPUT * 1000 / 2.65,
    "concurrency": np.array([128.0, 64.0, 32.0, 32.0, 16.0, 8.0, 4.0]),
}
ON_FRONT = [0, 1, 3, 4, 5]


def dominated(point: Point, by: Point) -> bool:
    return by != point and by[0] >= point[0] and by[1] >= point[1]


@given(st.lists(POINT))
def test_front_is_every_point_that_none_dominates(points: list[Point]) -> None:
    expected = sorted({p for p in points if not any(dominated(p, by=q) for q in points)})
    front = pareto_front([p[0] for p in points], [p[1] for p in points])
    assert [points[i] for i in front] == expected
    assert all(points.index(points[i]) == i for i in front)


def test_ties() -> None:
    x = [50, 50, 50, 30, 20, 50]
    y = [10, 12, 11, 12, 40, 12]
    assert pareto_front(x, y).tolist() == [4, 1]


@pytest.mark.parametrize(("x", "y"), [([1, np.nan], [1, 2]), ([1, 2], [np.inf, 2]), ([1], [1, 2]), ([[1]], [[1]])])
def test_front_refuses_bad_points(x: Any, y: Any) -> None:
    with pytest.raises(ValueError, match=r"finite|1-d"):
        pareto_front(x, y)


def test_frontier_keeps_the_front_and_its_band() -> None:
    front = Frontier.from_points(POINTS)
    assert front.band == (24.6, 90.2)
    for name, values in POINTS.items():
        np.testing.assert_array_equal(front.columns[name], values[ON_FRONT])


def test_order_of_the_points_does_not_matter() -> None:
    shuffled = Frontier.from_points({name: values[[4, 6, 0, 5, 2, 1, 3]] for name, values in POINTS.items()})
    assert shuffled.at(60.0) == Frontier.from_points(POINTS).at(60.0)


def test_at_a_point_of_the_front_gives_that_point() -> None:
    front = Frontier.from_points(POINTS)
    for i in ON_FRONT:
        assert front.at(POINTS["interactivity_tok_s_user"][i]) == {name: values[i] for name, values in POINTS.items()}


def test_each_metric_is_splined_on_its_own() -> None:
    metrics = Frontier.from_points(POINTS).at(60.0)
    x = POINTS["interactivity_tok_s_user"][ON_FRONT]
    for name in POINTS:
        assert metrics[name] == pytest.approx(float(monotone_spline(x, POINTS[name][ON_FRONT], 60.0)), rel=1e-15)
    dollars_per_hour = metrics["cost_usd_per_mtok"] * metrics["total_tok_s_gpu"] * 3600 / 1e6
    assert abs(dollars_per_hour - 1.48) > 1e-3
    assert dollars_per_hour == pytest.approx(1.48, rel=0.05)
    proportional = metrics["total_tok_s_gpu"] * 1000 / 2.65
    assert metrics["tok_s_per_mw"] == pytest.approx(proportional, rel=1e-12)


@pytest.mark.parametrize("outside", [24.5, 90.3])
def test_nothing_is_extrapolated(outside: float) -> None:
    metrics = Frontier.from_points(POINTS).at(outside)
    assert metrics.pop("interactivity_tok_s_user") == outside
    assert np.isnan(list(metrics.values())).all()


def test_an_unknown_price_stays_unknown_and_touches_nothing_else() -> None:
    metrics = Frontier.from_points({**POINTS, "cost_usd_per_mtok": np.array([None] * 7)}).at(60.0)
    assert np.isnan(metrics["cost_usd_per_mtok"])
    assert metrics["total_tok_s_gpu"] == Frontier.from_points(POINTS).at(60.0)["total_tok_s_gpu"]


def test_curve_is_vectorised_and_names_unknown_metrics() -> None:
    front = Frontier.from_points(POINTS)
    np.testing.assert_array_equal(front.curve("concurrency", [24.6, 71.8, 91.0]), [128.0, 16.0, np.nan])
    with pytest.raises(InputError, match="did you mean 'concurrency'"):
        front.curve("concurency", 50.0)


def test_is_frozen_and_apart_from_its_input() -> None:
    values = {name: column.copy() for name, column in POINTS.items()}
    front = Frontier.from_points(values)
    values["total_tok_s_gpu"][:] = 0.0
    assert front.at(24.6)["total_tok_s_gpu"] == 3310.2
    with pytest.raises(ValueError, match="read-only"):
        front.columns["total_tok_s_gpu"][0] = 1.0
    name = "columns"
    with pytest.raises(FrozenInstanceError):
        setattr(front, name, {})


X, Y = "interactivity_tok_s_user", "total_tok_s_gpu"


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({X: [1.0]}, "needs the column total_tok_s_gpu; found interactivity_tok_s_user"),
        ({}, "found none"),
        ({X: [], Y: []}, "at least one point"),
        ({X: [1.0, 2.0], Y: [3.0]}, "total_tok_s_gpu has 1"),
        ({X: [1.0, 0.0], Y: [3.0, 2.0]}, "interactivity_tok_s_user must be finite and positive; found 0"),
        ({X: [1.0], Y: [np.nan]}, "total_tok_s_gpu must be finite and positive; found nan"),
        ({X: [1.0], Y: [2.0], "bound_by": ["memory"]}, "column bound_by must be numeric"),
        ({X: [[1.0]], Y: [2.0]}, "must be 1-d"),
    ],
)
def test_refuses_bad_columns(columns: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Frontier.from_points(columns)


def test_docstring_examples() -> None:
    assert doctest.testmod(frontier) == (0, 2)


# --- rules between two points


def test_by_the_derived_rule_cost_and_energy_follow_from_the_throughput() -> None:
    columns = {
        **POINTS,
        "cost_usd_per_mtok_lo": POINTS["cost_usd_per_mtok"] / 1.1,
        "total_tok_s_gpu_hi": THROUGHPUT * 1.1,
    }
    each, derived = Frontier.from_points(columns), Frontier.from_points(columns, "derived")
    x = np.linspace(*each.band, 50)
    throughput = derived.curve("total_tok_s_gpu", x)
    assert throughput.tolist() == each.curve("total_tok_s_gpu", x).tolist()
    assert derived.curve("cost_usd_per_mtok", x) * throughput == pytest.approx(1.48e6 / 3600)
    assert derived.curve("tok_s_per_mw", x) / throughput == pytest.approx(1000 / 2.65)
    high = derived.curve("total_tok_s_gpu_hi", x)
    assert derived.curve("cost_usd_per_mtok_lo", x) * high == pytest.approx(1.48e6 / 3600)
    assert each.curve("cost_usd_per_mtok", x) * throughput != pytest.approx(1.48e6 / 3600)
    assert derived.curve("concurrency", x).tolist() == each.curve("concurrency", x).tolist()
    assert np.isnan(derived.curve("cost_usd_per_mtok", [1.0, 1e3])).all()


def test_at_the_points_both_rules_agree() -> None:
    each, derived = Frontier.from_points(POINTS), Frontier.from_points(POINTS, "derived")
    for name in POINTS:
        x = each.columns["interactivity_tok_s_user"]
        assert derived.curve(name, x) == pytest.approx(each.curve(name, x))


def test_points_that_do_not_agree_on_the_price_are_splined() -> None:
    """Two prices on one front, or a cost that is not known."""
    for cost in (np.where(THROUGHPUT > 2000, 1.1, 1.0) * POINTS["cost_usd_per_mtok"], [None] * 7):
        columns = {**POINTS, "cost_usd_per_mtok": cost}
        each, derived = Frontier.from_points(columns), Frontier.from_points(columns, "derived")
        assert derived.at(60.0)["cost_usd_per_mtok"] == pytest.approx(each.at(60.0)["cost_usd_per_mtok"], nan_ok=True)


@pytest.mark.parametrize(
    ("dates", "rule"),
    [
        ([], "each"),
        ([None], "each"),
        (["2026-08-11"], "each"),
        (["2026-08-12"], "derived"),
        (["2026-08-12T09:00:00Z"], "derived"),
        (["2026-05-01", "2027-01-01"], "derived"),
        (["12 August 2026"], "each"),
    ],
)
def test_the_rule_of_a_date(dates: list[str | None], rule: str) -> None:
    assert front_rule(None, dates) == rule
    assert front_rule("each", dates) == "each"
    assert front_rule("derived", dates) == "derived"


def test_no_such_rule() -> None:
    with pytest.raises(InputError, match="unknown front rule 'both'"):
        front_rule("both")
