"""MTP against Off at matched interactivity."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simulator.comparison import Comparison, MatchedPoint
from simulator.frontier import INTERACTIVITY, THROUGHPUT, Frontier
from simulator.plots.labels import Label, place_labels
from simulator.plots.style import GREEN, INK, MUTED, SERIES, axis_label, new_figure, plain_numbers, styled

COST = "cost_usd_per_mtok"
COLOURS = {"mtp": SERIES[0], "off": SERIES[1]}
NAMES = {"mtp": "MTP", "off": "Off"}


@styled
def comparison_figure(
    mtp_frontier: Frontier, off_frontier: Frontier, comparison: Comparison, title: str = ""
) -> Figure:
    """Both frontiers with their splines, the band where both exist, and the gain of MTP at each matched interactivity.

    A second panel shows the cost per million tokens if both frontiers have it. Percentages are of MTP against Off.

    Args:
        mtp_frontier: front of the runs with multi-token prediction.
        off_frontier: front of the runs without.
        comparison: :func:`simulator.comparison.compare` of the two.
        title: headline.
    """
    priced = all(
        COST in front.columns and bool(np.isfinite(front.columns[COST]).any()) for front in (mtp_frontier, off_frontier)
    )
    figure = new_figure(title or "MTP against Off at matched interactivity")
    panels = figure.subplots(1, 2 if priced else 1, squeeze=False)[0]
    fronts = {"mtp": mtp_frontier, "off": off_frontier}
    for axes, metric in zip(panels, (THROUGHPUT, COST), strict=False):
        _curves(axes, fronts, metric)
        _band(axes, comparison)
        axes.set_xlabel(axis_label(INTERACTIVITY))
        axes.set_ylabel(axis_label(metric))
        axes.set_ylim(bottom=0)
        plain_numbers(axes, "y")
    panels[0].set_title("Throughput per GPU")
    panels[0].legend(loc="upper right", fontsize=12)
    if priced:
        panels[1].set_title("Cost of a token")
    for axes, metric in zip(panels, (THROUGHPUT, COST), strict=False):
        _gains(axes, comparison, metric)
    return figure


def _curves(axes: Axes, fronts: Mapping[str, Frontier], metric: str) -> None:
    for spec, front in fronts.items():
        x = np.linspace(*front.band, 200)
        axes.plot(x, front.curve(metric, x), color=COLOURS[spec], zorder=3, label=NAMES[spec])
        axes.plot(
            front.columns[INTERACTIVITY], front.columns[metric], "o", color=COLOURS[spec], mec="white", ms=6, zorder=4
        )


def _band(axes: Axes, comparison: Comparison) -> None:
    if comparison.band is None:
        axes.text(0.5, 0.97, "the curves do not overlap", transform=axes.transAxes, ha="center", va="top", color=MUTED)
        return
    low, high = comparison.band
    axes.axvspan(low, high, color="#f3f3f3", lw=0, zorder=0)
    text = f"both exist: {low:.1f} to {high:.1f}"
    axes.text((low + high) / 2, 0.01, text, transform=axes.get_xaxis_transform(), ha="center", fontsize=10, color=MUTED)


def _gains(axes: Axes, comparison: Comparison, metric: str) -> None:
    """A bar between the curves at each interactivity, with the gain in per cent beside it."""
    points = comparison.points
    labels = []
    for mtp, off in zip(points[::2], points[1::2], strict=True):
        a, b = _value(mtp, metric), _value(off, metric)
        if not (math.isfinite(a) and math.isfinite(b) and b > 0.0):
            continue
        x = mtp.interactivity_tok_s_user
        better = (a > b) == (metric == THROUGHPUT)
        axes.plot([x, x], [a, b], color=INK, lw=1.2, ls=(0, (2, 1.5)), zorder=4)
        for value, spec in ((a, "mtp"), (b, "off")):
            axes.plot([x], [value], "D", color="white", mec=COLOURS[spec], mew=2, ms=7.5, zorder=5)
        text = f"{100 * (a / b - 1):+.0f} %".replace("-", "\N{MINUS SIGN}")
        labels.append(Label(x, (a + b) / 2, text, 2.0, GREEN if better else COLOURS["mtp"]))
    if labels:
        place_labels(axes, labels, fontsize=13, rings=(5, 12, 24))


def _value(point: MatchedPoint, metric: str) -> float:
    return point.total_tok_s_gpu if metric == THROUGHPUT else point.cost_usd_per_mtok
