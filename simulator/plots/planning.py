"""A plan: what each option needs, and how sure the winner's promises are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from simulator.planning.answer import Answer
from simulator.planning.assurance import PromiseKept
from simulator.planning.runner_up import CLOSED_FORM
from simulator.planning.sized_fleet import SizedFleet
from simulator.planning.winner import PoolWinner, Winner, decode_name, prefill_name
from simulator.plots.style import INK, MUTED, PROMISE, SPEC_COLOURS, new_figure, pale, plain, plain_numbers, styled

BARS = 14
"""Options shown at most."""


@dataclass(frozen=True)
class Bar:
    """One option: what it is, its GPUs or rate, whether it drafts, and whether only the closed form has sized it."""

    label: str
    length: float
    drafts: bool
    closed_form: bool = False


@styled
def plan_figure(answer: Answer, title: str = "", subtitle: str = "") -> Figure:
    """GPUs (or of a plan for so many GPUs the rate) of every option, the winner first, and how sure its promises are.

    Args:
        answer: of a plan.
        title: headline.
        subtitle: line below it.
    """
    figure = new_figure(title, subtitle)
    sized, sure = figure.subplots(1, 2, width_ratios=(1.45, 1.0))
    _sizes(sized, answer)
    _promises(sure, () if answer.winner is None else answer.winner.sure.promises)
    return figure


def _sizes(axes: Axes, answer: Answer) -> None:
    rated = answer.meta["gpus"] is not None
    axes.set_title("Highest rate within the promises" if rated else "GPUs that keep the promises")
    axes.set_xlabel("Requests per second" if rated else "GPUs")
    bars = _bars(answer, rated)[:BARS]
    if not bars:
        axes.text(0.5, 0.5, "no option keeps them", transform=axes.transAxes, ha="center", color=MUTED)
        return
    places = range(len(bars))
    colours = [SPEC_COLOURS["mtp" if bar.drafts else "off"] for bar in bars]
    filled = [pale(c) if bar.closed_form else c for c, bar in zip(colours, bars, strict=True)]
    axes.barh(places, [bar.length for bar in bars], color=filled, height=0.7)
    kinds = {"MTP": True, "Off": False}
    handles = [
        Patch(color=SPEC_COLOURS[name.lower()], label=name)
        for name, drafts in kinds.items()
        if any(bar.drafts == drafts for bar in bars)
    ]
    if any(bar.closed_form for bar in bars):
        handles.append(Patch(color=pale(INK), label="pale: by the closed form alone"))
    axes.figure.legend(handles=handles, loc="outside lower left", ncols=len(handles), fontsize=11)
    for place, bar in zip(places, bars, strict=True):
        won = f" (winner, sure to {100 * answer.winner.sure.probability:.0f} %)" if place == 0 and answer.winner else ""
        text = f" {plain(float(f'{bar.length:.3g}'))}{won}"
        axes.text(bar.length, place, text, va="center", fontsize=11)
    axes.set_yticks(list(places), [bar.label for bar in bars])
    axes.set_xlim(0, 1.35 * max(bar.length for bar in bars))
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    plain_numbers(axes, "x")


def _bars(answer: Answer, rated: bool) -> list[Bar]:
    """The winner, then the runners-up that have a size."""
    bars = []
    if answer.winner is not None:
        w = answer.winner
        kind = w.decode.kind if isinstance(w, PoolWinner) else w.kind
        bars.append(Bar(_label(w), float(w.rate_per_s if rated else w.gpus), kind.spec_tokens > 0))
    for one in answer.runners_up:
        if one.fleet is not None:
            length = float(one.fleet.rate_per_s if rated else one.fleet.gpus)
            drafts = one.kind.spec_tokens > 0
            bars.append(Bar(_counted(one.fleet), length, drafts, one.method == CLOSED_FORM))
    return bars


def _label(w: Winner | PoolWinner) -> str:
    if isinstance(w, PoolWinner):
        spare = _spare(w.spare_replicas)
        prefill = f"{w.prefill.replicas}{spare} x {prefill_name(w.prefill.kind)}"
        return f"{prefill}\n+ {w.decode.replicas}{spare} x {decode_name(w.decode.kind)}"
    return _counted(w.fleet)


def _counted(fleet: SizedFleet) -> str:
    """Such as ``25 + 1 spare x TP2 MTP 3``: a bar counts the GPUs of the spares too."""
    return f"{fleet.replicas}{_spare(fleet.spare_replicas)} x {fleet.kind.name}"


def _spare(replicas: int) -> str:
    return f" + {replicas} spare" if replicas else ""


def _promises(axes: Axes, promises: Sequence[PromiseKept]) -> None:
    axes.set_title("The winner's promises, 90 % intervals")
    axes.set_xlabel("Share of the limit")
    if not promises:
        axes.text(0.5, 0.5, "no winner", transform=axes.transAxes, ha="center", color=MUTED)
        return
    right = 1.2
    white = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
    for place, one in enumerate(promises):
        low, value, high = (ms / one.limit_ms for ms in (one.reached_ms_lo, one.reached_ms, one.reached_ms_hi))
        drawn = min(high, 3.0)
        axes.plot([low, drawn], [place, place], color=INK, lw=5, alpha=0.35, solid_capstyle="butt")
        axes.plot([value], [place], "o", color=INK, ms=9)
        text = f"holds with {100 * one.probability:.0f} %"
        axes.text(max(low, 0.02), place - 0.16, text, va="bottom", fontsize=11, zorder=5, bbox=white)
        right = max(right, 1.1 * drawn)
    axes.axvline(1.0, lw=1.5, **PROMISE)
    axes.text(1.0, -0.62, " limit", color=INK, va="center", fontsize=11)
    axes.set_yticks(range(len(promises)), [one.promise for one in promises], color=INK)
    axes.set_ylim(len(promises) - 0.4, -0.75)
    axes.set_xlim(0, right)
    axes.grid(axis="y", visible=False)
    plain_numbers(axes, "x")
