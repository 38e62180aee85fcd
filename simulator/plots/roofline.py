"""The roofline picture of an account, with the time of each operator beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from simulator.plots.labels import Label, place_labels
from simulator.plots.style import BOUND_COLOURS, GRID, INK, MUTED, log_axis, new_figure, plain, styled
from simulator.roofline import Account, OperatorCost, ridge
from simulator.roofline.cost import BOUNDS
from simulator.specs import Hardware
from simulator.units import GIGA, MILLI, TERA

LABELLED_SHARE = 0.02
SHOWN_SHARE = 0.001
MOST_BARS = 16


@styled
def roofline_figure(account: Account, hardware: Hardware, title: str) -> Figure:
    """Operators under the ceilings of the hardware, and the time of each.

    Left: achieved FLOP/s against FLOPs per HBM byte, marker area proportional to the share of time, colour by bound;
    the draft's operators are diamonds, its passes added up. Operators without FLOPs have no place there. Right: time
    of each operator by cause, draft passes added up likewise; a collective's rate is given beside its link's peak.

    Args:
        account: of a decode round or a prefill pass.
        hardware: the accelerator it is for.
        title: headline, such as the configuration in words.
    """
    figure = new_figure(title, _summary(account, hardware))
    left, right = figure.subplots(1, 2, width_ratios=(1.25, 1.0))
    rows = account.merged()
    _bars(right, rows, hardware)
    _legend(left, rows)
    _roof(left, rows, hardware)
    return figure


def _summary(account: Account, hardware: Hardware) -> str:
    peaks = {peak: name.upper() for name, peak in _peaks(hardware).items()}
    parts = [f"{account.kind} of {account.seconds / MILLI:.3g} ms", f"bound by {account.bound_by}"]
    if account.mfu is not None and account.peak_flops is not None:
        name = peaks.get(account.peak_flops, "")
        parts.append(f"MFU {100 * account.mfu:.2g} % of the {name} peak")
    parts.append(f"MBU {100 * account.mbu:.2g} % of {hardware.hbm_bandwidth / TERA:g} TB/s")
    return ",  ".join(parts) + "  (per GPU)"


def _peaks(hardware: Hardware) -> dict[str, float]:
    """Dense peaks by format, FLOP/s; only those the hardware has."""
    return {name: value for name, value in hardware.peak_flops.model_dump().items() if value is not None}


def _roof(axes: Axes, rows: Sequence[OperatorCost], hardware: Hardware) -> None:
    shown = [row for row in rows if row.intensity and row.achieved_flops > 0.0 and row.share >= SHOWN_SHARE]
    peaks, bandwidth = _peaks(hardware), hardware.hbm_bandwidth
    top = max(peaks.values())
    x = [row.intensity or 1.0 for row in shown]
    y = [row.achieved_flops / TERA for row in shown]
    low, high = min([0.5, *x]) / 2, 3 * max([*x, 4 * ridge(top, bandwidth)])
    log_axis(axes, "x", (1.0,))
    log_axis(axes, "y", (1.0,))
    axes.set_xlim(low, high)
    axes.set_ylim(min([1.0, *y]) / 4, 3.0 * top / TERA)
    axes.plot([low, ridge(top, bandwidth)], [low * bandwidth / TERA, top / TERA], color=INK, lw=1.8, zorder=2)
    for name, peak in peaks.items():
        start = ridge(peak, bandwidth)
        axes.plot([start, high], [peak / TERA, peak / TERA], color=INK, lw=1.8 if peak == top else 1.1, zorder=2)
        axes.plot([start], [peak / TERA], "o", color="white", mec=INK, ms=5, zorder=3)
        text = f"{name.upper()} {plain(peak / TERA)} TFLOP/s, ridge {plain(start)}"
        axes.annotate(text, (high, peak / TERA), xytext=(-2, 2), textcoords="offset points", ha="right", fontsize=9)
    areas = [max(12.0, 2600.0 * row.share) for row in shown]
    for row, a, b, area in zip(shown, x, y, areas, strict=True):
        marker = "D" if row.group == "draft" else "o"
        axes.scatter(
            [a],
            [b],
            s=[area * (0.7 if marker == "D" else 1.0)],
            marker=marker,
            color=BOUND_COLOURS[row.bound],
            alpha=0.85,
            edgecolors="white",
            linewidths=0.8,
            zorder=5,
        )
    axes.set_xlabel("Arithmetic intensity (FLOP per HBM byte)")
    axes.set_ylabel("Achieved TFLOP/s")
    axes.set_title("Roofline")
    labels = [
        Label(a, b, _name(row) if row.share >= LABELLED_SHARE else "", math.sqrt(area / math.pi))
        for row, a, b, area in zip(shown, x, y, areas, strict=True)
    ]
    place_labels(axes, labels)
    _name_the_slope(axes, bandwidth, low, ridge(top, bandwidth))


def _name_the_slope(axes: Axes, bandwidth: float, low: float, high: float) -> None:
    """Write the bandwidth along its roof, in the upper part of it."""
    at = math.exp(0.45 * math.log(low) + 0.55 * math.log(high))
    a, b = (axes.transData.transform((x, x * bandwidth / TERA)) for x in (low, high))
    angle = math.degrees(math.atan2(b[1] - a[1], b[0] - a[0]))
    axes.annotate(
        f"HBM {bandwidth / TERA:g} TB/s",
        (at, at * bandwidth / TERA),
        xytext=(-6 * math.sin(math.radians(angle)), 6 * math.cos(math.radians(angle))),
        textcoords="offset points",
        rotation=angle,
        rotation_mode="anchor",
        ha="center",
        fontsize=9.5,
    )


def _legend(axes: Axes, rows: Sequence[OperatorCost]) -> None:
    causes = {bound for row in rows for bound, seconds in row.parts().items() if seconds > 0.0}
    handles: list[Patch | Line2D] = [
        Patch(color=BOUND_COLOURS[bound], label=bound) for bound in BOUNDS if bound in causes
    ]
    if any(row.group == "draft" for row in rows):
        handles.append(Line2D([], [], marker="D", ls="", color=MUTED, label="draft"))
    axes.legend(handles=handles, loc="lower right", fontsize=10, title="bound by", alignment="left")


def _bars(axes: Axes, rows: Sequence[OperatorCost], hardware: Hardware) -> None:
    shown = list(rows[:MOST_BARS])
    rest = rows[MOST_BARS:]
    longest = max(row.seconds for row in rows) / MILLI
    for place, row in enumerate(shown):
        left = 0.0
        for bound, seconds in row.parts().items():
            axes.barh(place, seconds / MILLI, left=left, color=BOUND_COLOURS[bound], height=0.72)
            left += seconds / MILLI
        axes.text(left + 0.012 * longest, place, _bar_text(row, hardware), va="center", fontsize=9.5)
    names = [_name(row) for row in shown]
    if rest:
        seconds = sum(row.seconds for row in rest) / MILLI
        share = sum(row.share for row in rest)
        axes.barh(len(shown), seconds, color=GRID, height=0.72)
        axes.text(
            seconds + 0.012 * longest, len(shown), f"{seconds:.3g} ms, {100 * share:.1f} %", va="center", fontsize=9.5
        )
        names.append(f"{len(rest)} others")
    axes.set_yticks(range(len(names)), names, fontsize=10)
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.42 * longest)
    axes.set_xlabel("Time (ms)")
    axes.set_title("Time per operator, by cause")
    axes.grid(axis="y", visible=False)


def _bar_text(row: OperatorCost, hardware: Hardware) -> str:
    text = f"{row.seconds / MILLI:.3g} ms, {100 * row.share:.1f} %"
    if row.message_bytes > 0.0:
        text += f"; {row.achieved_bytes / GIGA:.3g} of {hardware.scale_up.bandwidth / GIGA:g} GB/s"
    return text


def _name(row: OperatorCost) -> str:
    return f"draft: {row.name.removeprefix('draft ')}" if row.group == "draft" else row.name
