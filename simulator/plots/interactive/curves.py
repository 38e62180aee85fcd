"""Predictions and comparisons: throughput over interactivity, with 90 % bands and every column at a point."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from simulator.plots.interactive.style import SYMBOLS, faded, hover, shown, styled
from simulator.plots.style import axis_label, looks
from simulator.prediction.frontier import INTERACTIVITY, THROUGHPUT, Frontier

Rows = Sequence[Mapping[str, Any]]
COST = "cost_usd_per_mtok"
HOVERED = (
    "tp",
    "concurrency",
    INTERACTIVITY,
    THROUGHPUT,
    "output_tok_s_gpu",
    COST,
    "tok_s_per_mw",
    "mean_tpot_ms",
    "mean_ttft_ms",
    "p99_ttft_ms",
    "hbm_used_gb",
    "bound_by",
    "scope",
    "method",
)
STEPS = 200
"""Places at which a front is drawn."""


def curves_figure(series: Mapping[str, Rows], title: str) -> go.Figure:
    """Throughput against interactivity, and TPOT and TTFT against concurrency.

    Args:
        series: label -> rows of a prediction, with intervals or without.
        title: headline.
    """
    panels = ((INTERACTIVITY, THROUGHPUT), ("concurrency", "mean_tpot_ms"), ("concurrency", "mean_ttft_ms"))
    places = ((1, 1), (1, 2), (2, 2))
    specs: list[list[dict[str, int] | None]] = [[{"rowspan": 2}, {}], [None, {}]]
    figure = make_subplots(rows=2, cols=2, column_widths=[0.6, 0.4], specs=specs, vertical_spacing=0.16)
    look = looks(series)
    for (x, y), (row, col) in zip(panels, places, strict=True):
        for label, rows in series.items():
            colour, marker = look[label]
            known = sorted((one for one in rows if _known(one, x, y)), key=lambda one: float(one[x]))
            for trace in _band(known, x, y, colour):
                figure.add_trace(trace, row, col)
            figure.add_trace(_points(known, x, y, label, colour, marker, legend=row == col == 1), row, col)
        figure.update_xaxes(title_text=axis_label(x), row=row, col=col)
        figure.update_yaxes(title_text=axis_label(y), rangemode="tozero", row=row, col=col)
    counts = sorted({int(one["concurrency"]) for rows in series.values() for one in rows})
    figure.update_xaxes(type="log", tickvals=counts, ticktext=[str(count) for count in counts], col=2)
    return styled(figure, title)


def fronts_figure(fronts: Mapping[str, Frontier], rows: Mapping[str, Rows], readings: Rows, title: str) -> go.Figure:
    """Fronts of MTP and Off with their splines, and what is read off them.

    Args:
        fronts: label -> front.
        rows: label -> its points.
        readings: rows of a comparison, with ``spec`` and metrics at an interactivity; None where a curve is not.
        title: headline.
    """
    priced = all(_priced(front) for front in fronts.values())
    metrics = (THROUGHPUT, COST) if priced else (THROUGHPUT,)
    figure = make_subplots(rows=1, cols=len(metrics))
    look = looks(fronts)
    for col, metric in enumerate(metrics, start=1):
        for label, front in fronts.items():
            colour, marker = look[label]
            x = np.linspace(*front.band, STEPS)
            line = {"color": colour, "width": 2.5}
            curve = front.curve(metric, x).tolist()
            name = {"name": shown(label), "legendgroup": label}
            figure.add_trace(
                go.Scatter(x=x.tolist(), y=curve, line=line, mode="lines", hoverinfo="skip", showlegend=False, **name),
                1,
                col,
            )
            known = [one for one in rows[label] if _known(one, INTERACTIVITY, metric)]
            figure.add_trace(
                _points(known, INTERACTIVITY, metric, label, colour, marker, "markers", legend=col == 1), 1, col
            )
        read = [one for one in readings if _known(one, INTERACTIVITY, metric)]
        figure.add_trace(_readings(read, metric, legend=col == 1), 1, col)
        figure.update_xaxes(title_text=axis_label(INTERACTIVITY), row=1, col=col)
        figure.update_yaxes(title_text=axis_label(metric), rangemode="tozero", row=1, col=col)
    return styled(figure, title)


def _known(row: Mapping[str, Any], *columns: str) -> bool:
    return all(row.get(column) is not None and math.isfinite(float(row[column])) for column in columns)


def _priced(front: Frontier) -> bool:
    return COST in front.columns and bool(np.isfinite(front.columns[COST]).any())


def _points(
    rows: Rows, x: str, y: str, label: str, colour: str, marker: str, mode: str = "lines+markers", *, legend: bool
) -> go.Scatter:
    return go.Scatter(
        x=[float(row[x]) for row in rows],
        y=[float(row[y]) for row in rows],
        mode=mode,
        name=shown(label),
        legendgroup=label,
        showlegend=legend,
        line={"color": colour},
        marker={"color": colour, "symbol": SYMBOLS[marker], "size": 8, "line": {"color": "white", "width": 1}},
        hovertext=[f"<b>{shown(label)}</b><br>{hover(row, HOVERED)}" for row in rows],
        hoverinfo="text",
    )


def _band(rows: Rows, x: str, y: str, colour: str) -> list[go.Scatter]:
    banded = [row for row in rows if _known(row, f"{y}_lo", f"{y}_hi")]
    if len(banded) < 2:
        return []
    xs = [float(row[x]) for row in banded]
    low, high = ([float(row[f"{y}{end}"]) for row in banded] for end in ("_lo", "_hi"))
    return [
        go.Scatter(
            x=[*xs, *reversed(xs)],
            y=[*high, *reversed(low)],
            mode="lines",
            fill="toself",
            fillcolor=faded(colour),
            line={"width": 0},
            hoverinfo="skip",
            showlegend=False,
            name="90 % interval",
        )
    ]


def _readings(rows: Rows, metric: str, *, legend: bool) -> go.Scatter:
    names = {"mtp": "MTP", "off": "Off"}
    return go.Scatter(
        x=[float(row[INTERACTIVITY]) for row in rows],
        y=[float(row[metric]) for row in rows],
        mode="markers",
        name="read at",
        legendgroup="read at",
        showlegend=legend and bool(rows),
        marker={"symbol": "cross-thin", "size": 11, "line": {"width": 2, "color": "#222222"}},
        hovertext=[f"<b>{names[row['spec']]}</b><br>{hover(row, HOVERED)}" for row in rows],
        hoverinfo="text",
    )
