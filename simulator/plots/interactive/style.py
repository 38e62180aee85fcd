"""The look of the still pictures for plotly: the same palette, labels and fonts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import plotly.graph_objects as go

from simulator.plots.style import GRID, INK, MUTED, axis_label
from simulator.results.printable import printable

AXIS: dict[str, Any] = {
    "gridcolor": GRID,
    "linecolor": MUTED,
    "ticks": "outside",
    "tickcolor": MUTED,
    "zeroline": False,
    "automargin": True,
}
SYMBOLS = {"o": "circle", "s": "square", "D": "diamond", "^": "triangle-up", "v": "triangle-down", "P": "cross"}
"""Marker of matplotlib -> of plotly."""
BAND = 0.16
"""Opacity of a 90 % interval."""


def shown(text: Any) -> str:
    """A text that plotly shows as it is: it reads tags in every label.

    Example:
        >>> shown("a<b>")
        'a&lt;b&gt;'
    """
    return escape(printable(str(text)), quote=False)


def faded(colour: str, opacity: float = BAND) -> str:
    """A colour ``#rrggbb`` that lets through what is behind it.

    Example:
        >>> faded("#0072B2")
        'rgba(0,114,178,0.16)'
    """
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity:g})"


def styled(figure: go.Figure, title: str) -> go.Figure:
    """The common look on a figure."""
    figure.update_layout(
        template="none",
        title={"text": shown(title), "x": 0.01, "font": {"size": 17}},
        font={"color": INK, "size": 13, "family": "DejaVu Sans, Verdana, sans-serif"},
        paper_bgcolor="white",
        plot_bgcolor="white",
        hovermode="closest",
        margin={"l": 70, "r": 20, "t": 100, "b": 60},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "traceorder": "normal"},
    )
    figure.update_xaxes(**AXIS)
    figure.update_yaxes(**AXIS)
    return figure


def hover(row: Mapping[str, Any], columns: Sequence[str]) -> str:
    """The named columns of a row that are known, one a line, an interval behind its value."""
    lines = []
    for name in columns:
        value = row.get(name)
        if value is None:
            continue
        low, high = row.get(f"{name}_lo"), row.get(f"{name}_hi")
        ends = f" ({_number(low)} to {_number(high)})" if low is not None and high is not None else ""
        lines.append(f"{shown(axis_label(name))}: {shown(_number(value))}{ends}")
    return "<br>".join(lines)


def _number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return str(value)
