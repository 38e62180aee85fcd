"""Recorded sessions with one thing changed: hit rates with the cliff, throughput, the fronts, and MTP over Off."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from simulator.plots.acceptance import per_cent
from simulator.plots.style import (
    GREY,
    INK,
    MTP_COLOUR,
    MUTED,
    OFF_COLOUR,
    RED,
    VIOLET,
    concurrency_axis,
    log_axis,
    new_figure,
    plain_numbers,
    styled,
)
from simulator.prediction.cliff import Cliff
from simulator.prediction.frontier import INTERACTIVITY, THROUGHPUT, Frontier

Rows = Sequence[Mapping[str, Any]]
P90 = "p90_interactivity_tok_s_user"
LOOKS: dict[str, dict[str, Any]] = {
    "base": {"color": MTP_COLOUR, "marker": "o"},
    "off": {"color": OFF_COLOUR, "marker": "s"},
    "no_cache": {"color": GREY, "marker": "^"},
    "host": {"color": VIOLET, "marker": "D", "ls": "--"},
}


@styled
def agentic_figure(
    rows: Rows, fronts: Mapping[Any, Frontier], cliff: Cliff, names: Mapping[str, str], title: str = ""
) -> Figure:
    """Four panels; the sentence on the cliff is the line below the title.

    Args:
        rows: of :func:`simulator.compare_agentic`, per arm and concurrency.
        fronts: arm -> front of throughput over P90 interactivity.
        cliff: where the working set leaves the cache.
        names: arm -> its label.
        title: headline.
    """
    figure = new_figure(title, f"{cliff.sentence[:1].upper()}{cliff.sentence[1:]}.")
    (hits, ratio), (throughput, front) = figure.subplots(2, 2)
    arms = {arm: [row for row in rows if row["arm"] == arm] for arm in names}
    arms = {arm: some for arm, some in arms.items() if some}
    looks = LOOKS if "off" in arms else LOOKS | {"base": LOOKS["off"]}
    _over_sessions(hits, arms, names, looks, _found)
    ideal = [(row["concurrency"], row["hit_rate_ideal"]) for row in arms["base"] if row["hit_rate_ideal"] is not None]
    if ideal:
        hits.plot(*zip(*ideal, strict=True), color=MUTED, ls=":", lw=1.5, label="an endless cache")
    hits.set_title("Input tokens found")
    hits.set_ylim(-0.02, 1.05)
    hits.yaxis.set_major_formatter(PercentFormatter(1.0))
    _over_sessions(throughput, arms, names, looks, lambda row: row[THROUGHPUT])
    throughput.set_title("Throughput, cached input counted (tok/s/GPU)")
    throughput.set_ylim(bottom=0.0)
    plain_numbers(throughput, "y")
    throughput.legend(loc="upper left", fontsize=11)
    _fronts(front, fronts, looks)
    _over_off(ratio, arms)
    for axes in (hits, throughput, ratio):
        concurrency_axis(axes, [float(row["concurrency"]) for row in arms["base"]])
        axes.set_xlabel("Live sessions")
        if cliff.concurrency is not None and cliff.sessions_held:
            axes.axvline(cliff.sessions_held, color=RED, lw=1.2, ls=(0, (4, 2)), zorder=1)
    if cliff.concurrency is not None and cliff.sessions_held:
        hits.annotate(
            f"the pool holds {cliff.sessions_held}",
            (cliff.sessions_held, 0.5),
            xytext=(-5, 0),
            textcoords="offset points",
            ha="right",
            fontsize=11,
            color=RED,
        )
    hits.legend(loc="center left", fontsize=11)
    return figure


def _found(row: Mapping[str, Any]) -> float | None:
    return None if row["hit_rate_gpu"] is None else row["hit_rate_gpu"] + (row["hit_rate_host"] or 0.0)


def _over_sessions(
    axes: Axes,
    arms: Mapping[str, Rows],
    names: Mapping[str, str],
    looks: Mapping[str, Mapping[str, Any]],
    value: Callable[[Mapping[str, Any]], float | None],
) -> None:
    for arm, some in arms.items():
        points = [(row["concurrency"], y) for row in some if (y := value(row)) is not None]
        if points:
            axes.plot(*zip(*points, strict=True), label=names[arm], **looks[arm])


def _fronts(axes: Axes, fronts: Mapping[Any, Frontier], looks: Mapping[str, Mapping[str, Any]]) -> None:
    for arm, one in fronts.items():
        look = looks[arm]
        x = np.linspace(*one.band, 200)
        axes.plot(x, one.curve(THROUGHPUT, x), color=look["color"], ls=look.get("ls", "-"))
        at = one.columns
        axes.plot(at[INTERACTIVITY], at[THROUGHPUT], look["marker"], color=look["color"], mec="white", ms=7)
    axes.set_title("Fronts (tok/s/GPU)")
    axes.set_xlabel("P90 interactivity (tok/s/user)")
    log_axis(axes, "x")
    axes.set_ylim(bottom=0.0)
    plain_numbers(axes, "y")


def _over_off(axes: Axes, arms: Mapping[str, Rows]) -> None:
    """MTP over Off at the same number of sessions."""
    axes.set_title("MTP over Off at the same sessions")
    axes.axhline(0.0, color=INK, lw=1.2)
    axes.yaxis.set_major_formatter(FuncFormatter(per_cent))
    off = {row["concurrency"]: row for row in arms.get("off", ())}
    for name, label, ls in ((THROUGHPUT, "throughput", "-"), (P90, "P90 interactivity", "--")):
        points = [
            (row["concurrency"], row[name] / off[row["concurrency"]][name] - 1.0)
            for row in arms["base"]
            if row["concurrency"] in off and row.get(name) and off[row["concurrency"]].get(name)
        ]
        if points:
            axes.plot(*zip(*points, strict=True), ls, marker="o", color=MTP_COLOUR, label=label)
    if not off:
        axes.text(0.5, 0.6, "no drafts", transform=axes.transAxes, ha="center", color=MUTED)
        return
    axes.legend(loc="lower left", fontsize=11)
