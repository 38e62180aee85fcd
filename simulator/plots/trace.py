"""A traffic file: its rate over time, and how long its prompts and answers are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from simulator.plots.cache_sizes import hit_curve
from simulator.plots.style import (
    GREEN,
    INK,
    MUTED,
    OLIVE,
    PINK,
    VIOLET,
    log_axis,
    new_figure,
    plain_numbers,
    styled,
)
from simulator.units import SECONDS, SECONDS_PER_HOUR

Tokens = NDArray[np.int64]

BINS = 40
"""Bars of a histogram of lengths, in equal steps of the logarithm."""
WIDE = 300
"""Longest over shortest length from which only powers of ten are written."""


@styled
def trace_figure(
    windows: Sequence[Mapping[str, Any]],
    window: float | None,
    lengths: tuple[Tokens, Tokens] | None,
    mean: float | None,
    title: str = "",
    subtitle: str = "",
    lru: Sequence[Mapping[str, Any]] = (),
    ideal: float = 0.0,
) -> Figure:
    """Requests per second over time, histograms of the lengths, and hits by the size of a prefix cache.

    Args:
        windows: start (s) and rate of each.
        window: s; how long each is.
        lengths: input and output tokens; None: not in the file.
        mean: requests/s over all.
        title: above the figure.
        subtitle: below the title.
        lru: hit rates by size of cache; empty: prompts share nothing, or it is not known.
        ideal: part of all input tokens that an endless cache holds.
    """
    figure = new_figure(title, subtitle)
    if lengths is None:
        _rate(figure.subplots(), windows, window, mean)
        return figure
    panels = figure.subplot_mosaic([["rate", "cache" if lru else "rate"], ["input", "output"]])
    _rate(panels["rate"], windows, window, mean)
    if lru:
        hit_curve(panels["cache"], lru, ideal)
    for name, tokens, colour in (("input", lengths[0], VIOLET), ("output", lengths[1], OLIVE)):
        _histogram(panels[name], tokens, name, colour)
    return figure


def _rate(axes: Axes, windows: Sequence[Mapping[str, Any]], window: float | None, mean: float | None) -> None:
    starts = np.array([row["start_s"] for row in windows])
    rates = np.array([row["requests_per_s"] for row in windows])
    edges = np.append(starts, starts[-1] + (window or 1.0))
    unit = "h" if edges[-1] >= 3 * SECONDS_PER_HOUR else "min" if edges[-1] >= 3 * SECONDS["min"] else "s"
    axes.stairs(rates, edges / SECONDS[unit], fill=True, color=GREEN, alpha=0.85)
    if mean is not None:
        axes.axhline(mean, color=INK, lw=1.2, ls="--", label=f"mean {mean:.3g}")
        axes.legend(loc="upper right", fontsize=11)
    axes.set_xlabel(f"Time ({unit})")
    axes.set_ylabel("Requests per second")
    axes.set_title("Rate over time")
    axes.set_xlim(0, edges[-1] / SECONDS[unit])
    axes.set_ylim(0, 1.25 * max(float(rates.max()), mean or 0.0) or 1.0)
    plain_numbers(axes, "y")


def _histogram(axes: Axes, tokens: Tokens, name: str, colour: str) -> None:
    low, high = int(tokens.min()), int(tokens.max())
    if high > low:
        edges = np.unique(np.rint(np.geomspace(low, high + 1, BINS + 1)))
        counts, _ = np.histogram(tokens, edges)
        axes.stairs(100.0 * counts / tokens.size, edges, fill=True, color=colour, alpha=0.85)
        log_axis(axes, "x", (1.0,) if high > WIDE * low else (1.0, 2.0, 5.0))
        axes.set_xlim(low, high + 1)
    else:
        axes.bar([low], [100.0], width=max(1.0, 0.1 * low), color=colour, alpha=0.85)
        axes.set_xlim(0, 2 * low)
        plain_numbers(axes, "x")
    for percentile, label, style, ink in ((50, "median", "-", INK), (95, "p95", ":", PINK)):
        value = float(np.percentile(tokens, percentile))
        axes.axvline(value, color=ink, lw=1.8, ls=style, label=f"{label} {value:,.0f}")
    axes.legend(loc="best", fontsize=11)
    axes.set_title(f"{name.capitalize()} lengths")
    axes.set_xlabel(f"{name.capitalize()} (tokens)")
    axes.set_ylabel("Share of requests (%)")
    axes.tick_params(axis="x", colors=MUTED, labelcolor=INK)
    plain_numbers(axes, "y")
