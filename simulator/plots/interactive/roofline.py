"""The operators of a pass under the roofs of the accelerator, and the time of each by cause."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from simulator.cost.account import Account
from simulator.cost.bounds import BOUNDS, OperatorCost, ridge
from simulator.facts.hardware import Hardware
from simulator.plots.interactive.style import shown, styled
from simulator.plots.roofline import LEGEND, MOST_BARS, SHOWN_SHARE
from simulator.plots.style import BOUND_COLOURS, INK, MUTED
from simulator.units import MILLI, TERA


def roofline_figure(account: Account, hardware: Hardware, title: str) -> go.Figure:
    """Left achieved FLOP/s over arithmetic intensity, area by share of time; right the time of each operator by cause.

    Args:
        account: of a decode round or a prefill pass.
        hardware: the accelerator it is for.
        title: headline.
    """
    figure = make_subplots(rows=1, cols=2, column_widths=[0.5, 0.5], horizontal_spacing=0.22)
    rows = account.merged()
    _roof(figure, rows, hardware)
    _bars(figure, rows)
    figure.update_layout(barmode="stack")
    return styled(figure, title)


def _roof(figure: go.Figure, rows: Sequence[OperatorCost], hardware: Hardware) -> None:
    peaks = {name: value for name, value in hardware.peak_flops.model_dump().items() if value is not None}
    bandwidth, top = hardware.hbm_bandwidth, max(peaks.values())
    known = [row for row in rows if row.intensity and row.achieved_flops > 0.0 and row.share >= SHOWN_SHARE]
    low = min([0.5, *(row.intensity or 1.0 for row in known)]) / 2
    high = 3 * max([12 * ridge(top, bandwidth), *(row.intensity or 1.0 for row in known)])
    line = {"color": INK, "width": 1.5}
    slope = go.Scatter(
        x=[low, ridge(top, bandwidth)],
        y=[low * bandwidth / TERA, top / TERA],
        mode="lines",
        line=line,
        name=f"HBM {bandwidth / TERA:g} TB/s",
        showlegend=False,
    )
    figure.add_trace(slope, 1, 1)
    for name, peak in peaks.items():
        flat = go.Scatter(
            x=[ridge(peak, bandwidth), high],
            y=[peak / TERA, peak / TERA],
            mode="lines+text",
            line=line,
            text=["", f"{name.upper()} {peak / TERA:,.0f}"],
            textposition="top left",
            name=f"{name.upper()} {peak / TERA:,.0f} TFLOP/s",
            showlegend=False,
        )
        figure.add_trace(flat, 1, 1)
    dots = go.Scatter(
        x=[row.intensity for row in known],
        y=[row.achieved_flops / TERA for row in known],
        mode="markers",
        showlegend=False,
        name="operators",
        marker={
            "color": [BOUND_COLOURS[row.bound] for row in known],
            "size": [7 + 44 * math.sqrt(row.share) for row in known],
            "symbol": ["diamond" if row.group == "draft" else "circle" for row in known],
            "opacity": 0.85,
        },
        hovertext=[
            f"<b>{_name(row)}</b><br>{100 * row.share:.1f} % of the time, bound by {row.bound}" for row in known
        ],
        hovertemplate="%{hovertext}<br>%{x:.3g} FLOP/B, %{y:.3g} TFLOP/s<extra></extra>",
    )
    figure.add_trace(dots, 1, 1)
    figure.update_xaxes(type="log", title_text="Arithmetic intensity (FLOP per HBM byte)", dtick=1, row=1, col=1)
    figure.update_yaxes(type="log", title_text="Achieved TFLOP/s", dtick=1, row=1, col=1)


def _bars(figure: go.Figure, rows: Sequence[OperatorCost]) -> None:
    head, rest = list(rows[:MOST_BARS]), rows[MOST_BARS:]
    names = [_name(row) for row in head]
    parts = [row.parts() for row in head]
    for bound in BOUNDS:
        seconds = [float(one.get(bound, 0.0)) for one in parts]
        if any(seconds):
            figure.add_trace(_bar(names, seconds, LEGEND.get(bound, bound), BOUND_COLOURS[bound]), 1, 2)
    if rest:
        figure.add_trace(_bar([f"{len(rest)} others"], [sum(row.seconds for row in rest)], "others", MUTED), 1, 2)
    figure.update_xaxes(title_text="Time (ms)", row=1, col=2)
    figure.update_yaxes(autorange="reversed", row=1, col=2)


def _bar(names: Sequence[str], seconds: Sequence[float], label: str, colour: str) -> go.Bar:
    look: dict[str, Any] = {"marker": {"color": colour}, "name": label, "orientation": "h"}
    return go.Bar(
        x=[s / MILLI for s in seconds], y=list(names), hovertemplate="%{y}: %{x:.3g} ms<extra></extra>", **look
    )


def _name(row: OperatorCost) -> str:
    return shown(f"draft: {row.name.removeprefix('draft ')}" if row.group == "draft" else row.name)
