"""Gain of MTP over Off by concurrency and acceptance: a map with the break-even line, and curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from simulator.plots.style import (
    INK,
    MARKERS,
    MTP_COLOUR,
    MUTED,
    OFF_COLOUR,
    concurrency_axis,
    ladder,
    new_figure,
    styled,
)

Array = NDArray[np.float64]
Rows = Sequence[Mapping[str, Any]]

LOSS_TO_GAIN = LinearSegmentedColormap.from_list(
    "loss to gain", [OFF_COLOUR, "#f5e4cc", "#ffffff", "#cfe3f1", MTP_COLOUR]
)
"""Where Off is better, and where MTP is, each in its colour."""
LENGTH = "Acceptance length (tokens per round)"


def per_cent(value: float, _position: int | None = None) -> str:
    """A fraction as a signed percentage, with a true minus.

    >>> per_cent(0.25), per_cent(0.0)
    ('+25 %', '0 %')
    """
    text = f"{100 * value:+.0f} %" if round(100 * value) else "0 %"
    return text.replace("-", "\N{MINUS SIGN}")


@styled
def acceptance_figure(points: Rows, break_even: Rows, measured: Rows = (), title: str = "") -> Figure:
    """Left a map of the gain over Off by concurrency and acceptance length, right the gain by length, per concurrency.

    The break-even line is drawn with its 90 % interval; measured points carry theirs.

    Args:
        points: of :func:`simulator.what_if.what_if_acceptance`.
        break_even: the same.
        measured: ``concurrency``, ``acceptance_length``, ``lo``, ``hi`` of measured pairs.
        title: headline.
    """
    figure = new_figure(title, "gain in tok/s/GPU over the same engine without drafts, at the same concurrency")
    left, right = figure.subplots(1, 2, width_ratios=(1.35, 1.0))
    counts = sorted({int(row["concurrency"]) for row in points})
    lengths = sorted({float(row["acceptance_length"]) for row in points})
    gain = {(int(row["concurrency"]), float(row["acceptance_length"])): float(row["gain_over_off"]) for row in points}
    table = np.array([[gain[c, x] for c in counts] for x in lengths])
    if len(counts) > 1 and len(lengths) > 1:
        _map(figure, left, counts, lengths, table)
    _line(left, break_even, lengths)
    _marks(left, measured)
    concurrency_axis(left, [float(c) for c in counts])
    left.set_ylabel(LENGTH)
    left.set_ylim(lengths[0], lengths[-1])
    left.set_title("Where MTP pays")
    left.grid(False)
    _curves(right, counts, lengths, table)
    return figure


def _map(figure: Figure, axes: Axes, counts: list[int], lengths: list[float], table: Array) -> None:
    worst, best = min(float(table.min()), -0.01), max(float(table.max()), 0.01)
    norm = TwoSlopeNorm(0.0, worst, best)
    mesh = axes.pcolormesh(counts, lengths, table, cmap=LOSS_TO_GAIN, norm=norm, shading="gouraud", rasterized=True)
    levels = [x for x in (-0.5, -0.25, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0) if worst < x < best]
    if levels:
        lines = axes.contour(counts, lengths, table, levels=levels, colors=MUTED, linewidths=0.8, linestyles="solid")
        axes.clabel(lines, fmt=per_cent, fontsize=11, colors=INK)
    bar = figure.colorbar(mesh, ax=axes, pad=0.02, aspect=32)
    bar.ax.yaxis.set_major_formatter(FuncFormatter(per_cent))
    bar.set_label("Gain over Off")


def _line(axes: Axes, break_even: Rows, lengths: list[float]) -> None:
    """The break-even line; where it leaves the map, it runs along the edge."""

    def end(row: Mapping[str, Any], name: str) -> float:
        value = row[name]
        return float(value) if value is not None else (lengths[-1] if row["mtp_pays"] != "always" else lengths[0])

    rows = sorted(break_even, key=lambda row: float(row["concurrency"]))
    x = [float(row["concurrency"]) for row in rows]
    low, high = ([end(row, f"acceptance_length{side}") for row in rows] for side in ("_lo", "_hi"))
    axes.fill_between(x, low, high, color=INK, alpha=0.13, lw=0, zorder=3, label="90 % interval")
    for edge in (low, high):
        axes.plot(x, edge, color=INK, lw=1.0, ls=(0, (4, 3)), zorder=4)
    axes.plot(x, [end(row, "acceptance_length") for row in rows], color=INK, lw=2.8, zorder=5, label="break-even")
    axes.legend(loc="upper right", fontsize=11, frameon=True, facecolor="white", framealpha=0.9, edgecolor="none")


def _marks(axes: Axes, measured: Rows) -> None:
    if not measured:
        return
    x = np.array([float(row["concurrency"]) for row in measured])
    y = np.array([float(row["acceptance_length"]) for row in measured])
    low, high = (np.array([float(row[end]) for row in measured]) for end in ("lo", "hi"))
    label = "measured pair (implied length, 90 %)"
    spread = np.abs(np.array([y - low, high - y]))
    axes.errorbar(
        x,
        y,
        spread,
        fmt="o",
        ms=8,
        mfc="white",
        mec=INK,
        mew=1.6,
        ecolor=INK,
        elinewidth=1.2,
        zorder=6,
        label=label,
        clip_on=False,
    )
    axes.legend(loc="upper right", fontsize=11, frameon=True, facecolor="white", framealpha=0.9, edgecolor="none")


def _curves(axes: Axes, counts: list[int], lengths: list[float], table: Array) -> None:
    shown = [c for c in counts if math.log2(c).is_integer()] or counts
    shown = shown[:: max(1, math.ceil(len(shown) / len(MARKERS)))]
    axes.axhline(0.0, color=INK, lw=1.2)
    for i, count in enumerate(shown):
        column = table[:, counts.index(count)]
        every = max(1, len(lengths) // 5)
        colour, marker = ladder(len(shown))[i], MARKERS[i]
        axes.plot(lengths, column, color=colour, marker=marker, ms=6, mew=0, markevery=every, label=f"{count} clients")
    axes.yaxis.set_major_formatter(FuncFormatter(per_cent))
    axes.set_xlabel(LENGTH)
    axes.set_ylabel("Gain over Off, throughput per GPU")
    axes.set_title("The same, per concurrency")
    axes.legend(loc="upper left", fontsize=11)
