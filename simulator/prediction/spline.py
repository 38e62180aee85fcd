"""Steffen's monotone cubic Hermite spline, as d3-shape's ``curveMonotoneX`` draws it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]


def steffen_slopes(x: ArrayLike, y: ArrayLike) -> FloatArray:
    """Slope dy/dx of the spline at each knot, in units of ``y`` per unit of ``x``.

    With ``h_i = x_{i+1} - x_i`` and ``s_i = (y_{i+1} - y_i) / h_i``, an interior knot has::

        p_i = (s_{i-1} h_i + s_i h_{i-1}) / (h_{i-1} + h_i)
        m_i = (sgn s_{i-1} + sgn s_i) min(|s_{i-1}|, |s_i|, |p_i| / 2)

    which is zero at a local extremum. An end knot has ``(3 s - m) / 2`` with the adjacent secant ``s`` and knot
    slope ``m`` (d3's choice; Steffen's paper uses a parabola there). Two knots make a line; one has no slope (NaN).

    Args:
        x: knots, finite and strictly increasing.
        y: values at the knots; a NaN makes its neighbourhood NaN.

    Raises:
        ValueError: the shapes differ or are not 1-d, there is no knot, or ``x`` is not finite and strictly increasing.

    References:
        M. Steffen, "A simple method for monotonic interpolation in one dimension", Astron. Astrophys. 239, 443 (1990).
        https://d3js.org/d3-shape/curve#curveMonotoneX

    Example:
        >>> steffen_slopes([0.0, 1.0, 2.0], [0.0, 1.0, 4.0]).tolist()
        [0.5, 2.0, 3.5]
    """
    knots, values = _checked(x, y)
    if knots.size == 1:
        return np.full(1, np.nan)
    h = np.diff(knots)
    s = np.diff(values) / h
    if knots.size == 2:
        return np.repeat(s, 2)
    left, right = s[:-1], s[1:]
    p = (left * h[1:] + right * h[:-1]) / (h[:-1] + h[1:])
    steepest = np.minimum(np.minimum(np.abs(left), np.abs(right)), 0.5 * np.abs(p))
    m = (np.sign(left) + np.sign(right)) * steepest
    return np.concatenate(([(3.0 * s[0] - m[0]) / 2.0], m, [(3.0 * s[-1] - m[-1]) / 2.0]))


def monotone_spline(x: ArrayLike, y: ArrayLike, at: ArrayLike) -> FloatArray:
    """The spline through ``(x, y)`` at the positions ``at``; NaN outside ``[x[0], x[-1]]``: nothing is extrapolated.

    On ``[x_i, x_{i+1}]`` with ``t = (at - x_i) / h_i`` and the slopes ``m`` of :func:`steffen_slopes`::

        (1 + 2t)(1 - t)^2 y_i + t^2 (3 - 2t) y_{i+1} + h_i t (1 - t)^2 m_i - h_i t^2 (1 - t) m_{i+1}

    It passes through every knot and between two knots never leaves their values. A single knot exists only at itself.

    Args:
        x: knots, finite and strictly increasing.
        y: values at the knots, in the unit the result has.
        at: positions in the unit of ``x``, of any shape.

    Returns:
        Values in the shape of ``at``.

    Raises:
        ValueError: as :func:`steffen_slopes`.

    Example:
        >>> monotone_spline([0.0, 1.0, 2.0], [0.0, 1.0, 4.0], [0.5, 1.0, 2.5]).tolist()
        [0.3125, 1.0, nan]
    """
    knots, values = _checked(x, y)
    position = np.asarray(at, dtype=np.float64)
    if knots.size == 1:
        return np.where(position == knots[0], values[0], np.nan)
    slopes = steffen_slopes(knots, values)
    inside = (position >= knots[0]) & (position <= knots[-1])
    i = np.clip(np.searchsorted(knots, position, side="right") - 1, 0, knots.size - 2)
    h = knots[i + 1] - knots[i]
    t = np.where(inside, (position - knots[i]) / h, np.nan)
    u = 1.0 - t
    ends = (1.0 + 2.0 * t) * u * u * values[i] + t * t * (3.0 - 2.0 * t) * values[i + 1]
    return np.asarray(ends + h * t * u * (u * slopes[i] - t * slopes[i + 1]))


def _checked(x: ArrayLike, y: ArrayLike) -> tuple[FloatArray, FloatArray]:
    knots, values = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if knots.ndim != 1 or knots.shape != values.shape or knots.size == 0:
        raise ValueError(f"x and y must be 1-d, of one length, not empty; found shapes {knots.shape}, {values.shape}")
    if not np.all(np.isfinite(knots)) or np.any(np.diff(knots) <= 0.0):
        raise ValueError("x must be finite and strictly increasing")
    return knots, values
