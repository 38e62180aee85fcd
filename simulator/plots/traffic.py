"""A simulated fleet over time: the queue, the latencies and their distributions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from simulator.plots.style import (
    GREEN,
    INK,
    MUTED,
    OLIVE,
    PINK,
    PROMISE,
    VIOLET,
    log_axis,
    new_figure,
    plain_numbers,
    styled,
)
from simulator.units import KILO, SECONDS, SECONDS_PER_HOUR

Array = NDArray[np.float64]

BINS = 60
HOURS_FROM = 3 * SECONDS_PER_HOUR
"""Longer runs have hours on their time axis, shorter ones minutes."""
NO_LATENCY = 1e-9
"""Seconds that stand for none at the top of an axis that needs a height."""
RAREST = 1e-4
"""Share of the requests at the foot of the distributions."""


@dataclass(frozen=True)
class TrafficPicture:
    """What the figure shows: seconds and requests.

    ``time``, ``waiting``, ``running``: the queue. ``send``, ``ttft``, ``tpot``: one entry per served request (TPOT may
    be NaN). ``limits``: promised seconds by metric and percentile. ``saturated``: the queue grows.
    """

    time: Array
    waiting: Array
    running: Array
    slots: int
    send: Array
    ttft: Array
    tpot: Array
    limits: Mapping[str, Sequence[tuple[float, float]]]
    saturated: bool


@styled
def traffic_figure(data: TrafficPicture, title: str = "", subtitle: str = "") -> Figure:
    """Requests running and waiting over time, TTFT over time, and the distributions of TTFT and TPOT."""
    figure = new_figure(title, subtitle)
    panels = figure.subplot_mosaic([["queue", "ttft"], ["late", "tpot"]], width_ratios=(1.45, 1.0))
    unit, scale = ("h", SECONDS["h"]) if data.time[-1] >= HOURS_FROM else ("min", SECONDS["min"])
    _queue(panels["queue"], data, scale)
    _over_time(panels["late"], data, scale)
    for name in ("queue", "late"):
        panels[name].set_xlabel(f"Time ({unit})")
        panels[name].set_xlim(0, data.time[-1] / scale)
    _distribution(panels["ttft"], data.ttft, "TTFT", data.limits.get("ttft", ()), VIOLET, data.saturated)
    _distribution(panels["tpot"], data.tpot, "TPOT", data.limits.get("tpot", ()), OLIVE, data.saturated)
    return figure


def _queue(axes: Axes, data: TrafficPicture, scale: float) -> None:
    time = data.time / scale
    axes.stackplot(
        time,
        data.running,
        data.waiting,
        labels=["running", "waiting for a first token"],
        colors=[GREEN, PINK],
        lw=0,
    )
    top = float((data.running + data.waiting).max())
    if data.slots <= 1.5 * top:
        axes.axhline(data.slots, color=INK, lw=1.2, ls="--")
        axes.text(time[-1], data.slots, "concurrency limit ", ha="right", va="bottom", fontsize=10)
    axes.set_ylabel("Requests in the fleet")
    axes.set_title("The queue grows: saturated" if data.saturated else "Requests in the fleet")
    axes.set_ylim(0, 1.3 * max(top, 1.0))
    plain_numbers(axes, "y")
    axes.legend(loc="upper left", ncols=2, fontsize=11)


def _over_time(axes: Axes, data: TrafficPicture, scale: float) -> None:
    edges = np.linspace(0, data.time[-1], BINS + 1)
    place = np.digitize(data.send, edges) - 1
    middles, medians, lates = [], [], []
    for b in range(BINS):
        values = data.ttft[place == b]
        if values.size:
            middles.append((edges[b] + edges[b + 1]) / 2 / scale)
            medians.append(float(np.median(values)))
            lates.append(float(np.percentile(values, 99)))
    axes.plot(middles, lates, color=PINK, label="p99")
    axes.plot(middles, medians, color=VIOLET, label="median")
    for _percentile, limit in data.limits.get("ttft", ()):
        axes.axhline(limit, lw=1.4, label="promise", **PROMISE)
    axes.set_ylabel("TTFT (s)")
    axes.set_title("Time to first token, by time of sending")
    shown = [limit for _percentile, limit in data.limits.get("ttft", ()) if lates and limit < 4 * max(lates)]
    axes.set_ylim(0, 1.35 * max([*lates, *shown, NO_LATENCY]))
    plain_numbers(axes, "y")
    axes.legend(loc="upper left", ncols=3, fontsize=11)


def _distribution(
    axes: Axes, values: Array, name: str, limits: Sequence[tuple[float, float]], colour: str, saturated: bool
) -> None:
    finite = np.sort(values[np.isfinite(values)])
    scale, unit = (1.0, "s") if name == "TTFT" else (KILO, "ms")
    axes.set_title(f"{name}, requests later than x")
    axes.set_xlabel(f"{name} ({unit})")
    axes.set_ylabel("Share of requests")
    if finite.size == 0:
        axes.text(0.5, 0.5, "no requests", transform=axes.transAxes, ha="center", color=MUTED)
        return
    late = 1.0 - np.arange(finite.size) / finite.size
    keep = np.unique(
        np.concatenate([np.linspace(0, finite.size - 1, 400), finite.size - np.geomspace(1, finite.size, 200)])
    )
    chosen = keep.astype(int).clip(0, finite.size - 1)
    axes.plot(finite[chosen] * scale, late[chosen], color=colour)
    log_axis(axes, "y", (1.0,))
    axes.set_ylim(max(RAREST, 0.5 / finite.size), 1.3)
    axes.set_yticks([t for t in (1.0, 0.1, 0.01, 0.001) if t >= 1 / finite.size], minor=False)
    axes.set_yticklabels([f"{100 * t:g} %" for t in (1.0, 0.1, 0.01, 0.001) if t >= 1 / finite.size])
    for percentile, limit in limits:
        axes.plot(
            [limit * scale], [1 - percentile / 100], "D", color=INK, ms=8, zorder=5, label=f"promise p{percentile:g}"
        )
    axes.set_xlim(left=0)
    if limits:
        axes.legend(loc="lower left", fontsize=11)
    if saturated:
        axes.text(0.5, 0.5, "not a steady state", transform=axes.transAxes, ha="center", color=MUTED, fontsize=13)
