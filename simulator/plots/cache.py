"""What memory for prompts is worth: hit rate and throughput by the size of the pool, one column per concurrency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, PercentFormatter

from simulator.plots.style import GREEN, MARKERS, MUTED, VIOLET, new_figure, plain_numbers, shades, styled

Rows = Sequence[Mapping[str, Any]]
MOST = 4
"""Columns of a figure."""
AXES = {
    "pool_scale": ("host ratio", "Pool on the GPUs, x what they have room for"),
    "host_cache_ratio": ("pool x", "Host memory for prompts, x the pool of the GPUs"),
}
"""What is on the axis -> what tells the lines apart, and the label."""
LINES = ("-", "--", ":", "-.")


@styled
def cache_figure(rows: Rows, names: Sequence[str], title: str = "", subtitle: str = "") -> Figure:
    """Above the part of the input that is found, below the throughput.

    Args:
        rows: of :func:`simulator.what_if_cache`.
        names: of the replica of each row.
        title: headline.
        subtitle: the line below it.
    """
    x, other = "pool_scale", "host_cache_ratio"
    if len({row[x] for row in rows}) == 1 and len({row[other] for row in rows}) > 1:
        x, other = other, x
    every = list(dict.fromkeys(row["concurrency"] for row in rows))
    shown = every if len(every) <= MOST else [every[i * (len(every) - 1) // (MOST - 1)] for i in range(MOST)]
    if len(shown) < len(every):
        subtitle = f"{subtitle};  {len(shown)} of {len(every)} concurrencies" if subtitle else ""
    figure = new_figure(title, subtitle)
    panels = figure.subplots(2, len(shown), squeeze=False, sharex=True, sharey="row")
    levels = sorted({row[other] for row in rows})
    colours = dict(zip(levels, (MUTED,) if len(levels) == 1 else _colours(len(levels)), strict=True))
    places = list(dict.fromkeys(names))
    for column, count in enumerate(shown):
        top, bottom = panels[0][column], panels[1][column]
        top.set_title(f"{count} live sessions")
        ideal: list[float] = []
        for i, place in enumerate(places):
            for level in levels:
                some = sorted(
                    (
                        row
                        for row, name in zip(rows, names, strict=True)
                        if (row["concurrency"], name, row[other]) == (count, place, level)
                        and row["total_tok_s_gpu"] is not None
                    ),
                    key=lambda row: float(row[x]),
                )
                label = f"{AXES[x][0]} {level:g}{f', {place}' if len(places) > 1 else ''}"
                look = {"color": colours[level], "ls": LINES[i % len(LINES)], "marker": MARKERS[i % len(MARKERS)]}
                at = [row[x] for row in some]
                top.plot(at, [(row["hit_rate_gpu"] or 0) + (row["hit_rate_host"] or 0) for row in some], **look)
                bottom.plot(at, [row["total_tok_s_gpu"] for row in some], label=label, **look)
                ideal += [row["hit_rate_ideal"] for row in some]
        if ideal:
            top.axhline(max(ideal), color=MUTED, ls=(0, (1, 1.5)), lw=1.5, zorder=1)
            top.annotate("an endless cache", (0.02, max(ideal)), xycoords=("axes fraction", "data"), xytext=(0, 3),
                         textcoords="offset points", fontsize=10, color=MUTED)  # fmt: skip
        _axis(bottom, sorted({row[x] for row in rows}), log=x == "pool_scale")
        top.set_ylim(0.0, 1.08)
    panels[1][0].set_ylim(0.0, 1.05 * max((row["total_tok_s_gpu"] or 0.0 for row in rows), default=1.0) or 1.0)
    panels[1][len(shown) // 2].set_xlabel(AXES[x][1])
    panels[0][0].yaxis.set_major_formatter(PercentFormatter(1.0))
    panels[0][0].set_ylabel("Input tokens found")
    panels[1][0].set_ylabel("Throughput (tok/s/GPU)")
    plain_numbers(panels[1][0], "y")
    handles, labels = panels[1][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", fontsize=11)
    return figure


def _colours(count: int) -> list[str]:
    return [GREEN, *shades(VIOLET, count - 1)]


def _axis(axes: Axes, values: Sequence[float], log: bool) -> None:
    if log:
        axes.set_xscale("log", base=2)
    axes.set_xticks(list(values))
    axes.xaxis.set_minor_locator(NullLocator())
    plain_numbers(axes, "x")
