"""The map of gain over Off by concurrency and acceptance length, with the break-even line."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from simulator.plots.interactive.style import styled
from simulator.plots.style import INK, MTP_COLOUR, OFF_COLOUR, axis_label

Rows = Sequence[Mapping[str, Any]]
LENGTH = "Acceptance length (tokens per round)"
SHADE = "rgba(34,34,34,0.13)"


def acceptance_figure(points: Rows, break_even: Rows, measured: Rows, title: str) -> go.Figure:
    """Gain over Off as colours, the break-even line with its 90 % interval, measured pairs with theirs.

    Args:
        points: of :func:`simulator.what_if.what_if_acceptance`.
        break_even: the same.
        measured: ``concurrency``, ``acceptance_length``, ``lo``, ``hi`` of measured pairs.
        title: headline.
    """
    counts = sorted({int(row["concurrency"]) for row in points})
    lengths = sorted({float(row["acceptance_length"]) for row in points})
    gain = {(int(row["concurrency"]), float(row["acceptance_length"])): float(row["gain_over_off"]) for row in points}
    table = [[gain[count, length] for count in counts] for length in lengths]
    figure = go.Figure(_map(counts, lengths, table))
    for trace in _line(break_even, lengths):
        figure.add_trace(trace)
    if measured:
        figure.add_trace(_marks(measured))
    places = [math.log2(count) for count in counts]
    figure.update_xaxes(title_text=axis_label("concurrency"), tickvals=places, ticktext=[str(c) for c in counts])
    figure.update_xaxes(range=[places[0], places[-1]])
    figure.update_yaxes(title_text=LENGTH, range=[lengths[0], lengths[-1]])
    return styled(figure, title)


def _map(counts: Sequence[int], lengths: Sequence[float], table: Sequence[Sequence[float]]) -> go.Heatmap:
    flat = [value for row in table for value in row]
    worst, best = min(-0.01, *flat), max(0.01, *flat)
    return go.Heatmap(
        x=[math.log2(count) for count in counts],
        y=list(lengths),
        z=table,
        zmin=worst,
        zmax=best,
        zsmooth="best",
        colorscale=[[0.0, OFF_COLOUR], [-worst / (best - worst), "#ffffff"], [1.0, MTP_COLOUR]],
        colorbar={"tickformat": "+.0%", "title": {"text": "Gain over Off"}},
        customdata=[list(counts)] * len(lengths),
        hovertemplate="%{customdata} clients, %{y:.2f} tokens per round: %{z:+.1%}<extra></extra>",
    )


def _line(break_even: Rows, lengths: Sequence[float]) -> list[go.Scatter]:
    """The line with its interval; where it leaves the map, it runs along the edge."""
    rows = sorted(break_even, key=lambda row: float(row["concurrency"]))
    x = [math.log2(float(row["concurrency"])) for row in rows]

    def ends(end: str) -> list[float]:
        edge = {True: lengths[0], False: lengths[-1]}
        values = [(row[f"acceptance_length{end}"], row["mtp_pays"] == "always") for row in rows]
        return [float(value) if value is not None else edge[always] for value, always in values]

    thin: dict[str, Any] = {"color": INK, "width": 1, "dash": "dash"}
    low = go.Scatter(x=x, y=ends("_lo"), mode="lines", line=thin, hoverinfo="skip", showlegend=False)
    high = go.Scatter(
        x=x,
        y=ends("_hi"),
        mode="lines",
        line=thin,
        fill="tonexty",
        fillcolor=SHADE,
        hoverinfo="skip",
        name="90 % interval",
    )
    line = go.Scatter(
        x=x,
        y=ends(""),
        mode="lines+markers",
        line={"color": INK, "width": 3},
        name="break-even",
        customdata=[row["concurrency"] for row in rows],
        hovertemplate="%{customdata} clients: pays above %{y:.2f} tokens per round<extra></extra>",
    )
    return [low, high, line]


def _marks(measured: Rows) -> go.Scatter:
    y = [float(row["acceptance_length"]) for row in measured]
    return go.Scatter(
        x=[math.log2(float(row["concurrency"])) for row in measured],
        y=y,
        mode="markers",
        name="measured pair (implied length, 90 %)",
        marker={"color": "white", "size": 10, "line": {"color": INK, "width": 2}},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [float(row["hi"]) - at for row, at in zip(measured, y, strict=True)],
            "arrayminus": [at - float(row["lo"]) for row, at in zip(measured, y, strict=True)],
            "color": INK,
        },
    )
