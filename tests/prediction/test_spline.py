"""Oracles: d3-shape's own curveMonotoneX, and Steffen's 1990 formulas in SciPy's Hermite spline."""

from __future__ import annotations

import doctest
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import CubicHermiteSpline

from simulator.prediction import spline
from simulator.prediction.spline import monotone_spline, steffen_slopes

D3 = json.loads((Path(__file__).parent / "data" / "d3_monotone_x.json").read_text())["cases"]


@st.composite
def knots(draw: st.DrawFn, min_size: int = 2) -> tuple[np.ndarray, np.ndarray]:
    steps = draw(st.lists(st.floats(0.1, 30.0), min_size=min_size, max_size=12))
    y = draw(st.lists(st.floats(-1e4, 1e4), min_size=len(steps), max_size=len(steps)))
    return np.cumsum(steps), np.array(y)


@pytest.mark.parametrize("case", D3, ids=lambda case: case["name"])
def test_agrees_with_d3(case: dict[str, Any]) -> None:
    np.testing.assert_allclose(steffen_slopes(case["x"], case["y"]), case["slopes"], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(monotone_spline(case["x"], case["y"], case["at"]), case["value"], rtol=1e-12, atol=1e-12)


def steffen_1990(x: np.ndarray, y: np.ndarray) -> list[float]:
    """Equations 8 and 11 of the paper, case by case; the ends as d3 has them."""
    inner = []
    for (x0, y0), (x1, y1), (x2, y2) in zip(*(list(zip(x, y, strict=True))[k:] for k in range(3)), strict=False):
        before, after = (y1 - y0) / (x1 - x0), (y2 - y1) / (x2 - x1)
        parabola = (before * (x2 - x1) + after * (x1 - x0)) / (x2 - x0)
        if before * after <= 0:
            inner.append(0.0)
        elif abs(parabola) > 2 * min(abs(before), abs(after)):
            inner.append(2 * min(before, after, key=abs))
        else:
            inner.append(parabola)
    first, last = (y[1] - y[0]) / (x[1] - x[0]), (y[-1] - y[-2]) / (x[-1] - x[-2])
    return [(3 * first - inner[0]) / 2, *inner, (3 * last - inner[-1]) / 2]


@given(knots(min_size=3))
def test_agrees_with_steffen_in_scipy(points: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = points
    at = np.linspace(x[0], x[-1], 101)
    expected = CubicHermiteSpline(x, y, steffen_1990(x, y))(at)
    np.testing.assert_allclose(monotone_spline(x, y, at), expected, rtol=1e-9, atol=1e-9 * (1 + np.abs(y).max()))


@given(knots())
def test_passes_through_the_points(points: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = points
    np.testing.assert_array_equal(monotone_spline(x, y, x), y)


@given(knots())
def test_is_monotone_between_neighbours(points: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = points
    slack = 1e-12 * (1 + np.abs(y).max())
    for i in range(x.size - 1):
        rise = np.diff(monotone_spline(x, y, np.linspace(x[i], x[i + 1], 50))) * np.sign(y[i + 1] - y[i])
        assert np.all(rise >= -slack)


@given(knots(min_size=1), st.floats(1e-6, 1e3))
def test_never_extrapolates(points: tuple[np.ndarray, np.ndarray], beyond: float) -> None:
    x, y = points
    assert np.all(np.isnan(monotone_spline(x, y, [x[0] - beyond, x[-1] + beyond, np.nan, np.inf])))


def test_one_point_exists_only_at_itself() -> None:
    np.testing.assert_array_equal(monotone_spline([44.0], [2221.9], [43.9, 44.0, 44.1]), [np.nan, 2221.9, np.nan])
    assert np.isnan(steffen_slopes([44.0], [2221.9])).all()


def test_two_points_make_a_line() -> None:
    np.testing.assert_allclose(monotone_spline([10, 20], [5, 7], [12.5, 15, 17.5]), [5.5, 6.0, 6.5], rtol=1e-15)


def test_keeps_the_shape_of_the_positions() -> None:
    assert monotone_spline([0, 1], [0, 1], 0.5).shape == ()
    assert monotone_spline([0, 1], [0, 1], np.zeros((2, 3))).shape == (2, 3)
    assert monotone_spline([0, 1], [0, 1], []).shape == (0,)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([0, 0, 1], [1, 2, 3], "strictly increasing"),
        ([0, 2, 1], [1, 2, 3], "strictly increasing"),
        ([0, np.nan], [1, 2], "finite"),
        ([0, 1], [1, 2, 3], "one length"),
        ([], [], "not empty"),
        ([[0, 1]], [[1, 2]], "1-d"),
    ],
)
def test_refuses_bad_knots(x: Any, y: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        monotone_spline(x, y, 0.5)


def test_docstring_examples() -> None:
    assert doctest.testmod(spline) == (0, 2)
