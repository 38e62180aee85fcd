"""Which inputs move the gain: a tornado, and the parts of the variance beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from simulator.plots.acceptance import per_cent
from simulator.plots.style import GREEN, INK, PINK, VIOLET, new_figure, styled

Rows = Sequence[Mapping[str, Any]]


@styled
def sensitivity_figure(tornado: Rows, indices: Rows, title: str = "") -> Figure:
    """Left the gain over Off with one input at either end of its range; right the total Sobol index of each input.

    Args:
        tornado: of :func:`simulator.what_if.what_if_sensitivity`, rows of the gain.
        indices: the same.
        title: headline.
    """
    figure = new_figure(title, "gain in tok/s/GPU over the same engine without drafts")
    left, right = figure.subplots(1, 2, width_ratios=(1.6, 1.0), sharey=True)
    bars = sorted(tornado, key=lambda row: float(row["swing"]))
    _tornado(left, bars)
    by_input = {row["input"]: row for row in indices}
    chosen = [by_input[row["input"]] for row in bars]
    right.barh(
        range(len(bars)),
        [100 * row["total"] for row in chosen],
        xerr=[100 * row["total_ci"] for row in chosen],
        color=GREEN,
        height=0.6,
        error_kw={"ecolor": INK, "elinewidth": 1.2, "capsize": 3},
    )
    right.set_xlabel("Total Sobol index (% of variance)")
    right.set_title("All inputs at once (bars: 90 %)")
    right.set_xlim(left=0)
    right.grid(axis="y", visible=False)
    return figure


def _tornado(axes: Axes, bars: Rows) -> None:
    middle = float(bars[0]["at_nominal"])
    for i, row in enumerate(bars):
        for end, colour in (("low", PINK), ("high", VIOLET)):
            value = float(row[f"at_{end}"])
            axes.barh(i, value - middle, left=middle, color=colour, height=0.6)
        ends = sorted((float(row[f"at_{end}"]), str(row[f"{end}_text"])) for end in ("low", "high"))
        for (value, text), side in zip(ends, (-1, 1), strict=True):
            align = "right" if side < 0 else "left"
            axes.annotate(
                text, (value, i), (4 * side, 0), textcoords="offset points", ha=align, va="center", fontsize=10
            )
    axes.axvline(middle, color=INK, lw=1.4)
    axes.set_yticks(range(len(bars)), [f"{row['input']}" for row in bars])
    axes.xaxis.set_major_formatter(FuncFormatter(per_cent))
    axes.set_xlabel("Gain over Off, throughput per GPU")
    axes.set_title("One input at a time (pink: its low end)")
    axes.margins(x=0.14)
    axes.grid(axis="y", visible=False)
