"""The standard picture: throughput against interactivity, and latencies against concurrency."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simulator.plots.labels import UPPER_RIGHT, Label, place_labels
from simulator.plots.scope import mark_outside
from simulator.plots.style import (
    MUTED,
    axis_label,
    concurrency_axis,
    log_axis,
    looks,
    new_figure,
    plain,
    plain_numbers,
    styled,
)

Series = Mapping[str, Any]
"""``{"label": str, "rows": [row, ...]}``; a row maps columns to numbers, ``<column>_lo`` and ``_hi`` to intervals."""


@styled
def curves_figure(series: Sequence[Series], measured: Sequence[Series] | None = None, title: str = "") -> Figure:
    """Throughput per GPU against interactivity, TPOT and TTFT against concurrency.

    Predicted series are lines, their intervals bands. Measured ones are hollow markers in the colour of the series of
    the same label. Numbers beside points are concurrencies. A row that lacks a column is left out of that panel.

    Args:
        series: predicted, each ``{"label", "rows"}`` with the columns ``interactivity_tok_s_user``,
            ``total_tok_s_gpu``, ``concurrency``, ``mean_tpot_ms``, ``mean_ttft_ms``.
        measured: the same, measured.
        title: headline.
    """
    figure = new_figure(title, "lines: predicted;  hollow markers: measured" if measured else "")
    panels = figure.subplot_mosaic([["front", "tpot"], ["front", "ttft"]], width_ratios=(1.45, 1.0))
    front, tpot, ttft = panels["front"], panels["tpot"], panels["ttft"]
    look = looks(str(one["label"]) for one in (*series, *(measured or ())))
    for one in series:
        _draw(front, one, "interactivity_tok_s_user", "total_tok_s_gpu", look, solid=True)
        _draw(tpot, one, "concurrency", "mean_tpot_ms", look, solid=True)
        _draw(ttft, one, "concurrency", "mean_ttft_ms", look, solid=True)
    everyone = [row for one in series for row in one["rows"]]
    mark_outside(front, everyone, "interactivity_tok_s_user", "total_tok_s_gpu")
    mark_outside(tpot, everyone, "concurrency", "mean_tpot_ms")
    mark_outside(ttft, everyone, "concurrency", "mean_ttft_ms")
    for one in measured or ():
        _draw(front, one, "interactivity_tok_s_user", "total_tok_s_gpu", look, solid=False)
        _draw(tpot, one, "concurrency", "mean_tpot_ms", look, solid=False)
        _draw(ttft, one, "concurrency", "mean_ttft_ms", look, solid=False)
    for axes, column in ((front, "total_tok_s_gpu"), (tpot, "mean_tpot_ms"), (ttft, "mean_ttft_ms")):
        axes.set_ylabel(axis_label(column))
    front.set_xlabel(axis_label("interactivity_tok_s_user"))
    front.set_title("Throughput against interactivity (numbers: concurrency)")
    tpot.set_title("Time per output token")
    ttft.set_title("Time to first token")
    everything = [row for one in (*series, *(measured or ())) for row in one["rows"]]
    loads = [float(row["concurrency"]) for row in everything if _known(row, "concurrency")]
    for axes in (tpot, ttft):
        if loads:
            concurrency_axis(axes, loads)
    waits = [float(row["mean_ttft_ms"]) for row in everything if _known(row, "mean_ttft_ms")]
    if waits and min(waits) > 0.0:
        log_axis(ttft, "y", (1.0, 2.0, 3.0, 5.0, 7.0) if max(waits) < 12 * min(waits) else (1.0, 2.0, 5.0))
    for axes in (front, tpot):
        axes.set_ylim(bottom=0)
        plain_numbers(axes, "y")
    front.set_xlim(left=0)
    if look:
        front.legend(loc="best", fontsize=11)
    _number(front, series, measured or (), look)
    return figure


def _known(row: Mapping[str, Any], *columns: str) -> bool:
    return all(row.get(column) is not None and math.isfinite(float(row[column])) for column in columns)


def _draw(axes: Axes, one: Series, x: str, y: str, look: Mapping[str, tuple[str, str]], *, solid: bool) -> None:
    label = str(one["label"])
    colour, marker = look[label]
    rows = sorted((row for row in one["rows"] if _known(row, x, y)), key=lambda row: float(row[x]))
    xs, ys = [float(row[x]) for row in rows], [float(row[y]) for row in rows]
    if not solid:
        axes.plot(xs, ys, marker, mfc="none", mec=colour, mew=1.6, ms=8, ls="", label=f"{label}, measured", zorder=4)
        return
    axes.plot(xs, ys, marker=marker, ms=5.5, color=colour, mec="white", mew=0.7, label=label, zorder=3)
    banded = [row for row in rows if _known(row, f"{y}_lo", f"{y}_hi")]
    if banded:
        axes.fill_between(
            [float(row[x]) for row in banded],
            [float(row[f"{y}_lo"]) for row in banded],
            [float(row[f"{y}_hi"]) for row in banded],
            color=colour,
            alpha=0.16,
            lw=0,
            zorder=2,
        )


def _number(
    axes: Axes, series: Sequence[Series], measured: Sequence[Series], look: Mapping[str, tuple[str, str]]
) -> None:
    """Write the concurrency beside each predicted point, where there is room."""
    columns = ("interactivity_tok_s_user", "total_tok_s_gpu", "concurrency")
    labels = [
        Label(
            float(row[columns[0]]),
            float(row[columns[1]]),
            plain(float(row["concurrency"])),
            3.5,
            look[str(one["label"])][0],
        )
        for one in series
        for row in one["rows"]
        if _known(row, *columns)
    ]
    if labels:
        labels += [
            Label(float(row[columns[0]]), float(row[columns[1]]), "", 5.0)
            for one in measured
            for row in one["rows"]
            if _known(row, *columns[:2])
        ]
        place_labels(axes, labels, sides=UPPER_RIGHT, rings=(1.5, 5), keep_all=False)
    else:
        axes.text(0.5, 0.5, "no points", transform=axes.transAxes, ha="center", color=MUTED)
