"""What nothing measured stands behind is marked: a cross on the point, and a line below the picture."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simulator.plots.style import FOOT, INK, MUTED
from simulator.results import words
from simulator.serving.scope import OUTSIDE

LABEL = "beyond what was measured"
LINE = 140
"""Characters of the line below a picture."""


def mark_outside(axes: Axes, rows: Sequence[Mapping[str, Any]], x: str, y: str) -> None:
    """A cross on every point that is extrapolated or unmeasured; one entry in the legend.

    Args:
        axes: where the rows are drawn.
        rows: with ``scope`` or without.
        x: column.
        y: column.
    """
    outside = [row for row in rows if row.get("scope") in OUTSIDE and None not in (row.get(x), row.get(y))]
    if outside:
        xs, ys = ([float(row[name]) for row in outside] for name in (x, y))
        axes.plot(xs, ys, "x", color=INK, ms=9, mew=1.1, ls="", zorder=5, label=LABEL)


def tell_scope(figure: Figure, rows: Sequence[Mapping[str, Any]]) -> None:
    """A line below the picture if not all of it was measured, in the room that every figure leaves there."""
    judged = [row for row in rows if "scope" in row]
    if any(row["scope"] != "inside" for row in judged):
        text = textwrap.shorten(words.scope(judged), LINE, placeholder=" ...)")
        figure.text(0.99, FOOT / 3 / figure.get_size_inches()[1], text, ha="right", fontsize=9.5, color=MUTED)
