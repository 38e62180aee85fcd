"""The roofline picture of an account, with the time of each operator beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text

from simulator.cost.account import Account
from simulator.cost.bounds import BOUNDS, OperatorCost, ridge
from simulator.facts.hardware import Hardware
from simulator.plots.labels import Label, Polyline, freeze, place_labels
from simulator.plots.style import BOUND_COLOURS, GRID, INK, MUTED, log_axis, new_figure, plain, styled
from simulator.units import GIGA, MILLI, TERA

LABELLED_SHARE = 0.02
SHOWN_SHARE = 0.001
MOST_BARS = 16
LEGEND = {"floor": "floor (latency)"}


@styled
def roofline_figure(account: Account, hardware: Hardware, title: str) -> Figure:
    """Operators under the ceilings of the hardware, and the time of each.

    Left: achieved FLOP/s against FLOPs per HBM byte, marker area proportional to the share of time, colour by bound;
    the draft's operators are diamonds, its passes added up. Operators without FLOPs have no place there. Right: time
    of each operator by cause, draft passes added up likewise.

    Args:
        account: of a decode round or a prefill pass.
        hardware: the accelerator it is for.
        title: headline, such as the configuration in words.
    """
    figure = new_figure(title, _summary(account, hardware))
    left, right = figure.subplots(1, 2, width_ratios=(1.25, 1.0))
    rows = account.merged()
    _bars(right, rows)
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
    messages = max(account.rows, key=lambda row: row.message_bytes)
    if messages.message_bytes > 0.0:
        rate, peak = messages.achieved_bytes / GIGA, hardware.scale_up.bandwidth / GIGA
        parts.append(f"{messages.name} {rate:.2g} of {peak:g} GB/s")
    return ",  ".join(parts) + "  (per GPU)"


def _peaks(hardware: Hardware) -> dict[str, float]:
    """Dense peaks by format, FLOP/s; only those the hardware has."""
    return {name: value for name, value in hardware.peak_flops.model_dump().items() if value is not None}


def _roof(axes: Axes, rows: Sequence[OperatorCost], hardware: Hardware) -> None:
    shown = [row for row in rows if row.intensity and row.achieved_flops > 0.0 and row.share >= SHOWN_SHARE]
    top, bandwidth = max(_peaks(hardware).values()), hardware.hbm_bandwidth
    x = [row.intensity or 1.0 for row in shown]
    y = [row.achieved_flops / TERA for row in shown]
    log_axis(axes, "x", (1.0,))
    log_axis(axes, "y", (1.0,))
    axes.set_xlim(min([0.5, *x]) / 2, 3 * max([*x, 12 * ridge(top, bandwidth)]))
    axes.set_ylim(min([1.0, *y]) / 4, 3.0 * top / TERA)
    axes.set_xlabel("Arithmetic intensity (FLOP per HBM byte)")
    axes.set_ylabel("Achieved TFLOP/s")
    axes.set_title("Roofline")
    areas = [max(12.0, 2600.0 * row.share) for row in shown]
    for row, a, b, area in zip(shown, x, y, areas, strict=True):
        marker, size = ("D", 0.7 * area) if row.group == "draft" else ("o", area)
        colour = BOUND_COLOURS[row.bound]
        axes.scatter([a], [b], s=[size], marker=marker, color=colour, alpha=0.85, edgecolors="white", lw=0.8, zorder=5)
    lines, texts = _ceilings(axes, hardware)
    labels = [
        Label(a, b, _name(row) if row.share >= LABELLED_SHARE else "", math.sqrt(area / math.pi))
        for row, a, b, area in zip(shown, x, y, areas, strict=True)
    ]
    texts.append(_name_the_slope(axes, hardware, labels))
    place_labels(axes, labels, lines=lines, artists=texts)


def _ceilings(axes: Axes, hardware: Hardware) -> tuple[list[Polyline], list[Text]]:
    """Draw the bandwidth roof and the peaks with their ridge points, and name the peaks."""
    peaks, bandwidth = _peaks(hardware), hardware.hbm_bandwidth
    top = max(peaks.values())
    low, high = axes.get_xlim()
    lines: list[Polyline] = [([low, ridge(top, bandwidth)], [low * bandwidth / TERA, top / TERA])]
    texts: list[Text] = []
    for name, peak in peaks.items():
        start = ridge(peak, bandwidth)
        lines.append(([start, high], [peak / TERA, peak / TERA]))
        axes.plot([start], [peak / TERA], "o", color="white", mec=INK, ms=5, zorder=3)
        for text, at, offset in (
            (f"{name.upper()} {plain(peak / TERA)} TFLOP/s", high, (-2, 2)),
            (f"ridge {plain(start)}", start, (-7, -2)),
        ):
            place = (at, peak / TERA)
            texts.append(axes.annotate(text, place, xytext=offset, textcoords="offset points", ha="right", fontsize=9))
    for xs, ys in lines:
        axes.plot(xs, ys, color=INK, lw=1.4, zorder=2)
    return lines, texts


def _name_the_slope(axes: Axes, hardware: Hardware, points: Sequence[Label]) -> Text:
    """Write the bandwidth along its roof, where the points are far."""
    bandwidth = hardware.hbm_bandwidth / TERA
    low, high = axes.get_xlim()[0], ridge(hardware.peak_flops.bf16, hardware.hbm_bandwidth)
    scale = freeze(axes)
    marks = [(*axes.transData.transform((point.x, point.y)), point.radius * scale) for point in points]

    def clearance(x: float) -> float:
        a, b = axes.transData.transform((x, x * bandwidth))
        return min((math.hypot(a - p, b - q) - r for p, q, r in marks), default=0.0)

    steps = (low * (high / low) ** f for f in (0.45, 0.35, 0.55, 0.25, 0.65, 0.75))
    at = max(steps, key=clearance)
    (x0, y0), (x1, y1) = (axes.transData.transform((x, x * bandwidth)) for x in (low, high))
    angle = math.atan2(y1 - y0, x1 - x0)
    return axes.annotate(
        f"HBM {bandwidth:g} TB/s",
        (at, at * bandwidth),
        xytext=(-6 * math.sin(angle), 6 * math.cos(angle)),
        textcoords="offset points",
        rotation=math.degrees(angle),
        rotation_mode="anchor",
        ha="center",
        fontsize=9.5,
    )


def _legend(axes: Axes, rows: Sequence[OperatorCost]) -> None:
    causes = {bound for row in rows for bound, seconds in row.parts().items() if seconds > 0.0}
    handles: list[Patch | Line2D] = [
        Patch(color=BOUND_COLOURS[bound], label=LEGEND.get(bound, bound)) for bound in BOUNDS if bound in causes
    ]
    if any(row.group == "draft" for row in rows):
        handles.append(Line2D([], [], marker="D", ls="", color=MUTED, label="draft"))
    axes.legend(handles=handles, loc="lower right", fontsize=10, title="bound by", title_fontsize=10, alignment="left")


def _bars(axes: Axes, rows: Sequence[OperatorCost]) -> None:
    shown = list(rows[:MOST_BARS])
    rest = rows[MOST_BARS:]
    longest = max(row.seconds for row in rows) / MILLI
    for place, row in enumerate(shown):
        left = 0.0
        for bound, seconds in row.parts().items():
            axes.barh(place, seconds / MILLI, left=left, color=BOUND_COLOURS[bound], height=0.72)
            left += seconds / MILLI
        axes.text(left + 0.012 * longest, place, _bar_text(row.seconds, row.share), va="center", fontsize=9.5)
    names = [_name(row) for row in shown]
    if rest:
        seconds, share = sum(row.seconds for row in rest), sum(row.share for row in rest)
        axes.barh(len(shown), seconds / MILLI, color=GRID, height=0.72)
        axes.text(seconds / MILLI + 0.012 * longest, len(shown), _bar_text(seconds, share), va="center", fontsize=9.5)
        names.append(f"{len(rest)} others")
    axes.set_yticks(range(len(names)), names, fontsize=10)
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.5 * longest)
    axes.set_xlabel("Time (ms)")
    axes.set_title("Time per operator, by cause")
    axes.grid(axis="y", visible=False)


def _bar_text(seconds: float, share: float) -> str:
    return f"{seconds / MILLI:.3g} ms, {100 * share:.1f} %"


def _name(row: OperatorCost) -> str:
    return f"draft: {row.name.removeprefix('draft ')}" if row.group == "draft" else row.name
