"""The price of a promise: what a tighter limit costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from simulator.plots.style import MARKERS, MUTED, SERIES, log_axis, new_figure, plain, plain_numbers, styled


@styled
def price_figure(series: Sequence[Mapping[str, Any]], promise: str, title: str = "", subtitle: str = "") -> Figure:
    """GPUs over the limit of one promise, one line per series; a limit that nothing keeps ends the line.

    Args:
        series: each ``{"label", "limit_ms", "gpus"}``; ``gpus`` is None where nothing keeps the limit.
        promise: its name, for the axis.
        title: headline.
        subtitle: line below it.
    """
    figure = new_figure(title, subtitle, (11.0, 6.0))
    axes = figure.subplots()
    top = 0.0
    for i, one in enumerate(series):
        pairs = sorted(zip(one["limit_ms"], one["gpus"], strict=True))
        known = [(limit, gpus) for limit, gpus in pairs if gpus is not None]
        colour = SERIES[i % len(SERIES)]
        axes.plot(
            [x for x, _ in known],
            [y for _, y in known],
            color=colour,
            marker=MARKERS[i],
            ms=7,
            mec="white",
            label=one["label"],
        )
        top = max([top, *(float(y) for _, y in known)])
        impossible = [limit for limit, gpus in pairs if gpus is None]
        if impossible:
            axes.plot(impossible, [0.0] * len(impossible), "x", color=colour, ms=9, mew=2, clip_on=False, zorder=5)
    if any(None in one["gpus"] for one in series):
        axes.plot([], [], "x", color=MUTED, ms=9, mew=2, label="impossible")
    log_axis(axes, "x", (1.0, 1.5, 2.0, 3.0, 5.0, 7.0))
    axes.set_xlabel(f"Promised {promise} (ms)")
    axes.set_ylabel("GPUs")
    axes.set_ylim(0, 1.12 * max(top, 1.0))
    plain_numbers(axes, "y")
    for i, one in enumerate(series):
        for limit, gpus in zip(one["limit_ms"], one["gpus"], strict=True):
            if gpus is not None:
                place: Any = {"xytext": (4, 5 if i else -14), "textcoords": "offset points"}
                axes.annotate(plain(float(gpus)), (limit, gpus), fontsize=10, color=SERIES[i % len(SERIES)], **place)
    axes.legend(loc="upper right")
    return figure
