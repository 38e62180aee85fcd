"""Gain over Off by draft depth, and what choosing the depth is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from simulator.plots.acceptance import per_cent
from simulator.plots.style import GREEN, INK, MARKERS, MUTED, PINK, ladder, new_figure, styled

Rows = Sequence[Mapping[str, Any]]
NOTHING = 0.0005
"""Gains below this part are bars without a height, labelled 0.0."""


@styled
def depth_figure(points: Rows, best: Rows, fixed: int, title: str = "") -> Figure:
    """Left the gain over Off by depth, per concurrency, the best depth circled; right what a choice of depth adds,
    unless it adds nothing anywhere, which is then said instead.

    Args:
        points: of :func:`simulator.what_if.what_if_depth`.
        best: the same.
        fixed: the one depth that is best for all concurrencies together.
        title: headline.
    """
    adds = max(float(row[name]) for row in best for name in ("gain_over_fixed", "adaptive_gain")) >= NOTHING
    below = "gain in tok/s/GPU over the same engine without drafts; circles: best depth"
    if not adds:
        below += f"; {_name(fixed)} for all is as good as a choice"
    figure = new_figure(title, below)
    left, *rest = figure.subplots(1, 2, width_ratios=(1.5, 1.0)) if adds else [figure.subplots()]
    counts = sorted({int(row["concurrency"]) for row in points})
    left.axhline(0.0, color=INK, lw=1.2)
    for i, count in enumerate(counts):
        rows = sorted((row for row in points if row["concurrency"] == count), key=lambda row: int(row["spec_tokens"]))
        colour, marker = ladder(len(counts))[i], MARKERS[i % len(MARKERS)]
        x, y = [row["spec_tokens"] for row in rows], [row["gain_over_off"] for row in rows]
        style = "-" if i < len(MARKERS) else "--"
        left.plot(x, y, color=colour, marker=marker, ls=style, ms=6, mec="white", mew=0.7, label=f"{count} clients")
        top = max(rows, key=lambda row: float(row["gain_over_off"]))
        left.plot([top["spec_tokens"]], [top["gain_over_off"]], "o", mfc="none", mec=INK, mew=1.8, ms=13, zorder=5)
    left.yaxis.set_major_formatter(FuncFormatter(per_cent))
    left.set_xticks(sorted({int(row["spec_tokens"]) for row in points}))
    left.set_xlabel("Draft depth k (tokens per round)")
    left.set_ylabel("Gain over Off, throughput per GPU")
    left.set_title("How deep to draft")
    left.legend(loc="best", fontsize=11)
    for right in rest:
        _choice(right, best, fixed)
    return figure


def _name(depth: int) -> str:
    return f"depth {depth}" if depth else "off"


def _choice(axes: Axes, best: Rows, fixed: int) -> None:
    rows = sorted(best, key=lambda row: int(row["concurrency"]))
    places = range(len(rows))
    parts = (
        ("gain_over_fixed", f"best depth of each, over {_name(fixed)} for all", GREEN, -0.2),
        ("adaptive_gain", "picking it for each batch, on top", PINK, 0.2),
    )
    most = 0.0
    for column, label, colour, shift in parts:
        values = [float(row[column]) for row in rows]
        most = max(most, *values)
        bars = axes.bar([p + shift for p in places], values, 0.36, color=colour, label=label)
        axes.bar_label(bars, [f"{100 * v:.1f}" for v in values], fontsize=10, color=MUTED, padding=2)
    axes.set_ylim(0, max(1.45 * most, 0.01))
    axes.set_xticks(list(places), [str(row["concurrency"]) for row in rows])
    axes.set_xlabel("Concurrency (clients)")
    axes.set_ylabel("Throughput gained (%)")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.2g}"))
    axes.set_title("What choosing the depth is worth")
    axes.grid(axis="x", visible=False)
    axes.legend(loc="upper right", fontsize=11)
