"""Sessions of a file: hit rate by the size of a prefix cache, and what a session needs it to hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from simulator.plots.style import GREEN, INK, MUTED, VIOLET, ladder, new_figure, pale, plain_numbers, styled
from simulator.units import GIGA, KILO, MEGA

Rows = Sequence[Mapping[str, Any]]


@styled
def sessions_figure(lru: Rows, needs: Rows, ideal: float, title: str = "", subtitle: str = "") -> Figure:
    """Hit rates by size of cache, one line per number of sessions at a time, and the working set of a session.

    Args:
        lru: ``lanes``, ``capacity_tokens``, ``hit_rate_tokens``.
        needs: ``progress`` and the tokens that a session needs; empty: one request each.
        ideal: part of all input tokens that an endless cache holds.
        title: above the figure.
        subtitle: below the title.
    """
    figure = new_figure(title, subtitle)
    if not needs:
        hit_curve(figure.subplots(), lru, ideal)
        return figure
    left, right = figure.subplots(1, 2)
    hit_curve(left, lru, ideal)
    _working_set(right, needs)
    return figure


def hit_curve(axes: Axes, rows: Rows, ideal: float) -> None:
    """Hit rates by size of cache.

    Args:
        axes: to draw on.
        rows: ``lanes``, ``capacity_tokens``, ``hit_rate_tokens``.
        ideal: part of all input tokens that an endless cache holds.
    """
    lanes = list(dict.fromkeys(row["lanes"] for row in rows))
    for one, colour in zip(lanes, ladder(len(lanes)), strict=True):
        own = [row for row in rows if row["lanes"] == one]
        name = "least recently used dropped" if one is None else f"{one} at a time"
        axes.plot(
            [row["capacity_tokens"] for row in own],
            [100 * row["hit_rate_tokens"] for row in own],
            "o-",
            color=GREEN if one is None else colour,
            ms=5,
            label=name if one is None or len(lanes) > 1 else "one at a time",
        )
    axes.axhline(100 * ideal, color=INK, lw=1.2, ls="--", label=f"endless cache {100 * ideal:.1f} %")
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(base=10.0))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(amount))
    axes.set_ylim(0, min(105.0, 125 * ideal) or 1.0)
    axes.set_title("Hits by size of the prefix cache")
    axes.set_xlabel("Cache (tokens)")
    axes.set_ylabel("Input tokens found (%)")
    axes.legend(loc="best", fontsize=11)
    plain_numbers(axes, "y")


def _working_set(axes: Axes, rows: Rows) -> None:
    done = [100 * row["progress"] for row in rows]
    middle, high, ever = (
        [row[name] for row in rows]
        for name in ("median_working_set_tokens", "p90_working_set_tokens", "median_touched_tokens")
    )
    several = any(one != other for one, other in zip(high, middle, strict=True))
    if several:
        axes.plot(done, high, color=pale(VIOLET), label="in use or asked for again, P90")
    kind = ", median" if several else ""
    axes.plot(done, middle, color=VIOLET, label=f"in use or asked for again{kind}")
    axes.plot(done, ever, color=MUTED, ls="--", lw=1.5, label=f"all blocks so far{kind}")
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 1.25 * max(*high, *ever, 1.0))
    axes.yaxis.set_major_formatter(FuncFormatter(amount))
    axes.set_title("Working set of a session")
    axes.set_xlabel("Requests of the session done (%)")
    axes.set_ylabel("Tokens")
    axes.legend(loc="upper left", fontsize=11)
    plain_numbers(axes, "x")


def amount(tokens: float, _position: int | None = None) -> str:
    """Tokens as people say them: 500, 20k, 1.5M."""
    for size, letter in ((GIGA, "G"), (MEGA, "M"), (KILO, "k")):
        if tokens >= size:
            return f"{tokens / size:.3g}{letter}"
    return f"{tokens:.3g}"
