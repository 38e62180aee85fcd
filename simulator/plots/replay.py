"""Replayed sessions over concurrency: throughput, interactivity, and what the prefix cache finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from simulator.plots.style import GREEN, INK, MUTED, PINK, VIOLET, concurrency_axis, new_figure, styled

Rows = Sequence[Mapping[str, Any]]
HITS = {
    "hit_rate_ideal": ("an endless cache", MUTED, "--"),
    "hit_rate_gpu": ("on the GPUs", GREEN, "-"),
    "hit_rate_host": ("on the hosts", VIOLET, "-"),
}


@styled
def replay_figure(rows: Rows, title: str = "", subtitle: str = "") -> Figure:
    """Three panels over the number of live sessions.

    Args:
        rows: of :func:`simulator.replay`.
        title: headline.
        subtitle: the line below it.
    """
    figure = new_figure(title, subtitle)
    left, middle, right = figure.subplots(1, 3)
    _band(left, rows, "total_tok_s_gpu", INK)
    left.set_ylabel("Throughput, tok/s/GPU, cached input counted")
    _band(middle, rows, "p90_interactivity_tok_s_user", PINK)
    middle.set_ylabel("P90 interactivity, tok/s/user")
    for name, (label, colour, line) in HITS.items():
        points = [(row["concurrency"], row[name]) for row in rows if row[name] is not None]
        if points:
            right.plot(*zip(*points, strict=True), line, marker="o", color=colour, label=label)
    right.set_ylim(0.0, 1.02)
    right.yaxis.set_major_formatter(PercentFormatter(1.0))
    right.set_ylabel("Input tokens found")
    right.legend(loc="center left", fontsize=11)
    for axes in (left, middle, right):
        concurrency_axis(axes, [float(row["concurrency"]) for row in rows])
        axes.set_xlabel("Live sessions")
    for axes in (left, middle):
        axes.set_ylim(bottom=0.0)
    return figure


def _band(axes: Axes, rows: Rows, name: str, colour: str) -> None:
    """A curve with its interval."""
    some = [row for row in rows if row[name] is not None]
    x = [row["concurrency"] for row in some]
    axes.plot(x, [row[name] for row in some], "-o", color=colour)
    if some and all(f"{name}_lo" in row for row in some):
        low, high = ([row[f"{name}_{end}"] for row in some] for end in ("lo", "hi"))
        axes.fill_between(x, low, high, color=colour, alpha=0.15, lw=0)
