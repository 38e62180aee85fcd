"""MTP against Off at matched interactivity."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simulator.plots.labels import Label, Polyline, place_labels
from simulator.plots.style import INK, MUTED, SPEC_COLOURS, axis_label, looks, new_figure, plain_numbers, styled
from simulator.prediction.frontier import INTERACTIVITY, THROUGHPUT, Frontier
from simulator.prediction.matched import Comparison, MatchedPoint

COST = "cost_usd_per_mtok"
NAMES = {"mtp": "MTP", "off": "Off"}


@styled
def comparison_figure(
    mtp_frontier: Frontier, off_frontier: Frontier, comparison: Comparison, title: str = ""
) -> Figure:
    """Both frontiers with their splines, the band where both exist, and the gain of MTP at each matched interactivity.

    A second panel shows the cost per million tokens if both frontiers have it. A percentage is
    the gain in throughput of the side that has it, over the other, or its saving in cost, of the dearer side.

    Args:
        mtp_frontier: front of the runs with multi-token prediction.
        off_frontier: front of the runs without.
        comparison: :func:`simulator.prediction.matched.compare` of the two.
        title: headline.
    """
    priced = _priced(mtp_frontier) and _priced(off_frontier)
    figure = new_figure(title or "MTP against Off at matched interactivity")
    panels = figure.subplots(1, 2 if priced else 1, squeeze=False)[0]
    fronts = {"mtp": mtp_frontier, "off": off_frontier}
    for axes, metric in zip(panels, (THROUGHPUT, COST), strict=False):
        _curves(axes, {NAMES[spec]: front for spec, front in fronts.items()}, metric)
        _band(axes, comparison)
    for axes, metric in zip(panels, (THROUGHPUT, COST), strict=False):
        _gains(axes, fronts, comparison, metric)
    return figure


@styled
def fronts_figure(fronts: Mapping[str, Frontier], title: str = "") -> Figure:
    """Several frontiers with their splines, throughput and where all have a price the cost, over interactivity.

    Args:
        fronts: by label, which names MTP or Off and gives the colour.
        title: headline.
    """
    metrics = [THROUGHPUT, *([COST] if all(_priced(front) for front in fronts.values()) else [])]
    figure = new_figure(title)
    for axes, metric in zip(figure.subplots(1, len(metrics), squeeze=False)[0], metrics, strict=True):
        _curves(axes, fronts, metric)
    return figure


def _priced(front: Frontier) -> bool:
    return COST in front.columns and bool(np.isfinite(front.columns[COST]).any())


def _curves(axes: Axes, fronts: Mapping[str, Frontier], metric: str) -> None:
    look = looks(fronts)
    for (label, front), (x, y) in zip(fronts.items(), _paths(fronts, metric), strict=True):
        colour, marker = look[label]
        axes.plot(x, y, color=colour, zorder=3)
        at = front.columns
        axes.plot(at[INTERACTIVITY], at[metric], marker, color=colour, mec="white", ms=6, zorder=4)
        axes.plot([], [], color=colour, marker=marker, mec="white", label=label)
    axes.set_xlabel(axis_label(INTERACTIVITY))
    axes.set_ylabel(axis_label(metric))
    axes.set_ylim(bottom=0)
    axes.set_title("Throughput per GPU" if metric == THROUGHPUT else "Cost of a token")
    if metric == THROUGHPUT:
        plain_numbers(axes, "y")
        axes.legend(loc="upper right", fontsize=12)


def _paths(fronts: Mapping[str, Frontier], metric: str) -> list[Polyline]:
    """The spline of each frontier."""
    grids = [np.linspace(*front.band, 200) for front in fronts.values()]
    return [(x.tolist(), front.curve(metric, x).tolist()) for x, front in zip(grids, fronts.values(), strict=True)]


def _band(axes: Axes, comparison: Comparison) -> None:
    if comparison.band is None:
        axes.text(0.5, 0.97, "the curves do not overlap", transform=axes.transAxes, ha="center", va="top", color=MUTED)
        return
    low, high = comparison.band
    axes.axvspan(low, high, color="#f3f3f3", lw=0, zorder=0)
    text = f"both exist: {math.ceil(10 * low) / 10} to {math.floor(10 * high) / 10}"
    axes.text((low + high) / 2, 0.01, text, transform=axes.get_xaxis_transform(), ha="center", fontsize=10, color=MUTED)


def _gains(axes: Axes, fronts: Mapping[str, Frontier], comparison: Comparison, metric: str) -> None:
    """A bar between the curves at each interactivity, and what the better side gains or saves, in per cent."""
    points = comparison.points
    labels: list[Label] = []
    bars: list[Polyline] = []
    for mtp, off in zip(points[::2], points[1::2], strict=True):
        a, b = _value(mtp, metric), _value(off, metric)
        if not (math.isfinite(a) and math.isfinite(b) and min(a, b) > 0.0):
            continue
        x = mtp.interactivity_tok_s_user
        axes.plot([x, x], [a, b], color=INK, lw=1.2, ls=(0, (2, 1.5)), zorder=4)
        for value, spec in ((a, "mtp"), (b, "off")):
            axes.plot([x], [value], "D", color=SPEC_COLOURS[spec], mec="white", mew=1, ms=8, zorder=5)
        better = "mtp" if (a > b) == (metric == THROUGHPUT) else "off"
        percent = 100 * (max(a, b) / min(a, b) - 1) if metric == THROUGHPUT else 100 * (min(a, b) / max(a, b) - 1)
        text = f"{NAMES[better]} {percent:+.0f} %".replace("-", "\N{MINUS SIGN}")
        labels += [Label(x, max(a, b), text, 7.0, SPEC_COLOURS[better]), Label(x, min(a, b), "", 7.0)]
        bars.append(([x, x], [a, b]))
    if labels:
        sides = (30, 60, 90, 0, 120, 150) if metric == THROUGHPUT else (150, 120, 90, 180, 60, 30)
        lines = [*bars, *_paths(fronts, metric)]
        place_labels(axes, labels, fontsize=12.5, sides=sides, rings=(2, 8, 18, 32, 50), lines=lines)


def _value(point: MatchedPoint, metric: str) -> float:
    return point.total_tok_s_gpu if metric == THROUGHPUT else point.cost_usd_per_mtok
