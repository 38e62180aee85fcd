"""Gain over Off against the part of the time that the engine spends decoding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from simulator.plots.acceptance import per_cent
from simulator.plots.labels import Label, place_labels
from simulator.plots.style import INK, MARKERS, MUTED, SERIES, new_figure, styled

Rows = Sequence[Mapping[str, Any]]


@styled
def workload_figure(points: Rows, title: str = "") -> Figure:
    """One marker per case: colour by lengths, shape by deployment, number: concurrency.

    Args:
        points: of :func:`simulator.what_if.what_if_workload`.
        title: headline.
    """
    figure = new_figure(title, "drafts shorten decoding alone; numbers: concurrency")
    axes = figure.subplots()
    lengths = list(dict.fromkeys(f"{row['isl']}/{row['osl']}" for row in points))
    places = list(dict.fromkeys(_place(row) for row in points))
    labels = []
    for row in points:
        colour = SERIES[lengths.index(f"{row['isl']}/{row['osl']}") % len(SERIES)]
        marker = MARKERS[places.index(_place(row)) % len(MARKERS)]
        x, y = float(row["off_decode_share"]), float(row["gain_over_off"])
        axes.plot([x], [y], marker, color=colour, mec="white", mew=0.8, ms=11, zorder=4)
        labels.append(Label(x, y, str(row["concurrency"]), 6.0, colour))
    axes.axhline(0.0, color=INK, lw=1.2)
    axes.set_xlim(0.0, 1.02)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))
    axes.yaxis.set_major_formatter(FuncFormatter(per_cent))
    axes.set_xlabel("Part of its time that the engine spends decoding, without drafts")
    axes.set_ylabel("Gain of MTP over Off, throughput per GPU")
    place_labels(axes, labels, fontsize=11)
    handles = [
        Line2D([], [], ls="", marker="o", ms=10, color=SERIES[i % len(SERIES)], label=f"{name} tokens in/out")
        for i, name in enumerate(lengths)
    ]
    handles += [
        Line2D([], [], ls="", marker=MARKERS[i % len(MARKERS)], ms=10, color=MUTED, label=name)
        for i, name in enumerate(places)
    ]
    axes.legend(handles=handles, loc="upper left", fontsize=11)
    return figure


def _place(row: Mapping[str, Any]) -> str:
    return f"{row['hardware']} {str(row['precision']).upper()} TP{row['tp']}"
