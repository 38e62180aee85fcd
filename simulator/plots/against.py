"""A published frontier beside the predicted one: throughput, and concurrency, over interactivity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simulator.plots.labels import Label, Polyline, place_labels
from simulator.plots.matched import NAMES
from simulator.plots.style import axis_label, log_axis, looks, new_figure, plain_numbers, styled
from simulator.prediction.frontier import INTERACTIVITY, THROUGHPUT
from simulator.prediction.ties import TiedFronts

PANELS = ((THROUGHPUT, "Throughput per GPU"), ("concurrency", "Clients"))
Rows = Sequence[Mapping[str, Any]]


@styled
def against_figure(
    fronts: Sequence[TiedFronts], curves: Sequence[Mapping[str, Any]], rows: Rows, title: str = ""
) -> Figure:
    """Predicted fronts as lines, published points as hollow diamonds with the error of the prediction beside them.

    Where noise leaves open which replica size is on a front, the dashed line is the front of the other one.

    Args:
        fronts: one per curve.
        curves: what each curve is: ``spec``, and what else tells curves apart.
        rows: published points, predicted, as of :func:`simulator.fitting.against.compare_against`.
        title: headline.
    """
    figure = new_figure(title or "Published and predicted", "lines: predicted;  diamonds: published;  dashed: a tie")
    panels = figure.subplots(1, 2, squeeze=False)[0]
    names = _names(curves)
    look = looks(names)
    colours = [look[name][0] for name in names]
    of_curve = [[row for row in rows if _belongs(row, curve)] for curve in curves]
    lines: dict[str, list[Polyline]] = {metric: [] for metric, _ in PANELS}
    for axes, (metric, headline) in zip(panels, PANELS, strict=True):
        for tied, name, colour, points in zip(fronts, names, colours, of_curve, strict=True):
            lines[metric] += _curve(axes, tied, metric, colour, name)
            _published(axes, points, metric, colour)
        axes.set_xlabel(axis_label(INTERACTIVITY))
        axes.set_ylabel(axis_label(metric))
        axes.set_title(headline)
    panels[0].set_ylim(bottom=0)
    plain_numbers(panels[0], "y")
    log_axis(panels[1], "y", (1.0, 2.0, 4.0, 8.0))
    panels[0].legend(loc="upper right", fontsize=12)
    for axes, (metric, _) in zip(panels, PANELS, strict=True):
        labels = [label for points, c in zip(of_curve, colours, strict=True) for label in _errors(points, metric, c)]
        if labels:
            place_labels(axes, labels, fontsize=11, rings=(2, 8, 18, 32), lines=lines[metric])
    return figure


def _names(curves: Sequence[Mapping[str, Any]]) -> list[str]:
    """What tells the curves apart, in words."""
    apart = [k for k in curves[0] if k not in ("spec", "sweep") and len({c[k] for c in curves}) > 1]
    return [" ".join([*(str(c[k]) for k in apart), NAMES[c["spec"]]]) for c in curves]


def _belongs(row: Mapping[str, Any], curve: Mapping[str, Any]) -> bool:
    return all(row[k] == v for k, v in curve.items() if k != "sweep")


def _curve(axes: Axes, tied: TiedFronts, metric: str, colour: str, name: str) -> list[Polyline]:
    lines = []
    for front, dashed in [(tied.front, False), *((f, True) for f in tied.favouring.values())]:
        x = np.linspace(*front.band, 200)
        y = front.curve(metric, x)
        look: dict[str, Any] = {"ls": (0, (3, 2)), "lw": 1.0} if dashed else {"label": name}
        axes.plot(x, y, color=colour, zorder=2 if dashed else 3, **look)
        lines.append((x.tolist(), y.tolist()))
        if not dashed:
            at = front.columns
            axes.plot(at[INTERACTIVITY], at[metric], "o", color=colour, mec="white", ms=6, zorder=4)
    return lines


def _published(axes: Axes, rows: Rows, metric: str, colour: str) -> None:
    known = [row for row in rows if row[metric] is not None]
    x, y = [row[INTERACTIVITY] for row in known], [row[metric] for row in known]
    axes.plot(x, y, "D", color="white", mec=colour, mew=2, ms=7.5, ls="", zorder=5)


def _errors(rows: Rows, metric: str, colour: str) -> list[Label]:
    """The error of each prediction, to be written beside its published point."""
    return [
        Label(row[INTERACTIVITY], row[metric], f"{100 * error:+.1f} %".replace("-", "\N{MINUS SIGN}"), 7.0, colour)
        for row in rows
        if (error := row[f"error_{metric}"]) is not None
    ]
