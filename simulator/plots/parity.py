"""Predictions against measurements."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simulator.errors import InputError
from simulator.plots.style import (
    INK,
    MUTED,
    axis_label,
    concurrency_axis,
    log_axis,
    looks,
    new_figure,
    plain,
    styled,
)

Point = Mapping[str, Any]


@styled
def measured_vs_predicted_figure(points: Sequence[Point], title: str = "Predicted against measured") -> Figure:
    """A parity panel per metric, and below it the relative error by concurrency.

    Args:
        points: each with ``predicted`` and ``measured`` (both above 0, in the unit of the metric), ``metric`` (a column
            name such as ``mean_tpot_ms``), ``group`` (the series it belongs to), and optionally ``lo`` and ``hi``
            (interval of the prediction) and ``concurrency``.
        title: headline.

    Raises:
        InputError: no points, or a number that is not positive.
    """
    if not points:
        raise InputError("a picture of predictions against measurements needs at least one point; found none")
    for point in points:
        for key in ("predicted", "measured"):
            if not (math.isfinite(float(point[key])) and float(point[key]) > 0.0):
                raise InputError(
                    f"{key} {point['metric']} must be finite and positive to be plotted; found {point[key]}"
                )
    metrics = list(dict.fromkeys(str(point["metric"]) for point in points))
    groups = list(dict.fromkeys(str(point["group"]) for point in points))
    look = looks(groups)
    loads = sorted({float(point["concurrency"]) for point in points if point.get("concurrency") is not None})
    rows = 2 if loads else 1
    figure = new_figure(title, size=(max(6.5, 4.45 * len(metrics)), 4.9 + (3.3 if loads else 0.0)))
    grid = figure.subplots(rows, len(metrics), squeeze=False, height_ratios=(1.35, 1.0)[:rows])
    for column, metric in enumerate(metrics):
        own = [point for point in points if point["metric"] == metric]
        _parity(grid[0][column], own, look)
        if loads:
            _errors(grid[1][column], own, look, loads)
    for axes in grid[1] if loads else ():
        axes.set_ylabel("Relative error (%)")
    handles = [grid[0][0].plot([], [], look[g][1], color=look[g][0], label=g)[0] for g in groups]
    figure.legend(handles=handles, loc="outside lower left", ncols=min(len(groups), 2 * len(metrics)), fontsize=11)
    return figure


def _parity(axes: Axes, points: Sequence[Point], look: Mapping[str, tuple[str, str]]) -> None:
    values = [float(point[key]) for point in points for key in ("predicted", "measured")]
    low, high = min(values) / 1.35, max(values) * 1.35
    ends = np.array([low, high])
    axes.fill_between(ends, ends / 1.2, ends * 1.2, color="#efefef", lw=0, zorder=1)
    axes.plot(ends, ends, color=INK, lw=1.0, zorder=2)
    for point in points:
        colour, marker = look[str(point["group"])]
        x, y = float(point["measured"]), float(point["predicted"])
        if point.get("lo") is not None and point.get("hi") is not None:
            axes.plot([x, x], [float(point["lo"]), float(point["hi"])], color=colour, lw=1.1, alpha=0.6, zorder=3)
        axes.plot([x], [y], marker, color=colour, ms=6, mec="white", mew=0.5, alpha=0.9, zorder=4)
    log_axis(axes, "x", (1.0, 3.0) if high / low > 30 else (1.0, 2.0, 5.0))
    log_axis(axes, "y", (1.0, 3.0) if high / low > 30 else (1.0, 2.0, 5.0))
    axes.set_xlim(low, high)
    axes.set_ylim(low, high)
    axes.set_box_aspect(1)
    name = axis_label(str(points[0]["metric"]))
    axes.set_title(name.replace(", input + output", ""))
    axes.text(0.03, 0.97, _summary(points), transform=axes.transAxes, va="top", fontsize=10.5)
    axes.set_xlabel("Measured")
    axes.set_ylabel("Predicted")
    axes.text(0.97, 0.04, "grey: within 20 %", transform=axes.transAxes, ha="right", fontsize=9.5, color=MUTED)


def _error(point: Point) -> float:
    """Relative error of the prediction, in per cent."""
    return 100.0 * (float(point["predicted"]) / float(point["measured"]) - 1.0)


def _summary(points: Sequence[Point]) -> str:
    errors = [abs(_error(point)) for point in points]
    return f"MAPE {np.mean(errors):.1f} %\nworst {max(errors):.0f} %\n{plain(len(errors))} points"


def _errors(axes: Axes, points: Sequence[Point], look: Mapping[str, tuple[str, str]], loads: Sequence[float]) -> None:
    axes.axhspan(-20, 20, color="#efefef", lw=0, zorder=1)
    axes.axhline(0.0, color=INK, lw=1.0, zorder=2)
    low, high = -25.0, 25.0
    groups = list(look)
    for point in points:
        if point.get("concurrency") is None:
            continue
        colour, marker = look[str(point["group"])]
        # groups side by side at each concurrency
        shift = 2.0 ** (0.5 * ((groups.index(str(point["group"])) + 0.5) / len(groups) - 0.5))
        axes.plot(
            [float(point["concurrency"]) * shift],
            [_error(point)],
            marker,
            color=colour,
            ms=6,
            mec="white",
            mew=0.5,
            zorder=4,
        )
        low, high = min(low, 1.1 * _error(point)), max(high, 1.1 * _error(point))
    axes.set_ylim(low, high)
    concurrency_axis(axes, list(loads))
