"""A plan: what each option needs, and how sure the winner's promises are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simulator.plots.style import BLUE, GREEN, INK, MUTED, VERMILLION, new_figure, plain, plain_numbers, styled

BARS = 14


@styled
def plan_figure(
    rows: Sequence[Mapping[str, Any]], title: str = "", subtitle: str = "", *, rated: bool = False
) -> Figure:
    """GPUs (or with ``rated`` the rate) of every option, the winner first, and the winner's promises with intervals."""
    figure = new_figure(title, subtitle)
    sized, sure = figure.subplots(1, 2, width_ratios=(1.45, 1.0))
    _sizes(sized, rows, rated)
    _promises(sure, rows)
    return figure


def _sizes(axes: Axes, rows: Sequence[Mapping[str, Any]], rated: bool) -> None:
    column = "rate_per_s" if rated else "gpus"
    shown = [row for row in rows if row.get(column)][:BARS]
    axes.set_title("Highest rate within the promises" if rated else "GPUs that keep the promises")
    axes.set_xlabel("Requests per second" if rated else "GPUs")
    if not shown:
        axes.text(0.5, 0.5, "no option keeps them", transform=axes.transAxes, ha="center", color=MUTED)
        return
    places = range(len(shown))
    best = "confirmed_by" in shown[0]
    colours = [
        GREEN if best and i == 0 else "#9db8cc" if r.get("method") == "closed form" else BLUE
        for i, r in enumerate(shown)
    ]
    axes.barh(places, [float(row[column]) for row in shown], color=colours, height=0.7)
    for place, row in zip(places, shown, strict=True):
        text = f" {plain(float(f'{row[column]:.3g}'))}" + (
            "" if row.get("method") != "closed form" else " (closed form)"
        )
        axes.text(float(row[column]), place, text, va="center", fontsize=11)
    axes.set_yticks(list(places), [_label(row) for row in shown])
    axes.set_xlim(0, 1.25 * max(float(row[column]) for row in shown))
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    plain_numbers(axes, "x")


def _label(row: Mapping[str, Any]) -> str:
    if "prefill_replicas" in row:
        return "\n+ ".join(f"{row[n]} x {part}" for n, part in zip(
            ("prefill_replicas", "replicas"), row["name"].split(" + "), strict=True))  # fmt: skip
    return f"{row['replicas']} x {row['name']}"


def _promises(axes: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    promises = rows[0].get("promises", ()) if rows else ()
    axes.set_title("The winner's promises, 90 % intervals")
    axes.set_xlabel("Share of the limit")
    if not promises:
        axes.text(0.5, 0.5, "no winner", transform=axes.transAxes, ha="center", color=MUTED)
        return
    right = 1.2
    white = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
    for place, row in enumerate(promises):
        limit = float(row["limit_ms"])
        low, value, high = (float(row[f"reached_ms{end}"]) / limit for end in ("_lo", "", "_hi"))
        drawn = min(high, 3.0)
        axes.plot([low, drawn], [place, place], color=BLUE, lw=5, alpha=0.35, solid_capstyle="butt")
        axes.plot([value], [place], "o", color=BLUE, ms=9)
        text = f"holds with {100 * float(row['probability']):.0f} %"
        axes.text(max(low, 0.02), place - 0.16, text, va="bottom", fontsize=11, zorder=5, bbox=white)
        right = max(right, 1.1 * drawn)
    axes.axvline(1.0, color=VERMILLION, lw=1.5, ls="--")
    axes.text(1.0, -0.62, " limit", color=VERMILLION, va="center", fontsize=11)
    axes.set_yticks(range(len(promises)), [str(row["promise"]) for row in promises], color=INK)
    axes.set_ylim(len(promises) - 0.4, -0.75)
    axes.set_xlim(0, right)
    axes.grid(axis="y", visible=False)
    plain_numbers(axes, "x")
