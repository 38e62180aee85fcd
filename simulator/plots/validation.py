"""A validation as a picture: measured points, what was expected of them, what is impossible, and what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text

from simulator.measurements import FrontierPoint, MeasuredPoint
from simulator.plots.labels import Label, place_labels
from simulator.plots.style import (
    INK,
    MUTED,
    RED,
    axis_label,
    concurrency_axis,
    log_axis,
    looks,
    new_figure,
    plain,
    styled,
)
from simulator.units import KILO
from simulator.validation import Report, RowVerdict

ROOF = "#ded6d0"
BAD = ("suspicious", "impossible")
WORDS = {
    "above_roof": "above the roof",
    "slower_than_expected": "slow",
    "faster_than_expected": "fast",
    "throughput_outlier": "throughput outlier",
    "ttft_outlier": "TTFT outlier",
    "ttft_bimodal": "TTFT bimodal",
    "tp_times_ep": "TP x EP",
    "per_replica": "per replica",
    "output_as_total": "output as total",
    "not_monotone": "not monotone",
    "interpolated": "interpolated",
    "duplicate_curve": "duplicate",
    "mixed_engine": "mixed engines",
    "gpu_count": "GPU count",
    "littles_law": "Little's law",
    "wrong_lengths": "lengths",
    "ttft_absent": "no TTFT",
    "itl_of_chunks": "ITL as TPOT",
    "per_decode_gpu": "per decode GPU",
    "client_limit": "client limit",
    "mtp_as_off": "MTP as Off",
    "narrower_weights": "narrower weights",
    "dp_as_one_gpu": "DP as one GPU",
    "cached_tokens": "cached tokens",
}
"""Kind of a finding -> the label beside its point; other kinds are written out."""
MOST_LABELS = 14
FAR = 2.0
"""A least latency this many times below the picture is written, not drawn: it would squeeze the points."""
HEADROOM = 1.8
"""The picture reaches at most this many times above its points to show a roof."""
COUNTED = {"note": "with a note"}
PANELS = {"tpot": ("mean_tpot_ms", "median_tpot_ms"), "ttft": ("mean_ttft_ms", "median_ttft_ms")}


@styled
def validation_figure(report: Report, title: str = "") -> Figure:
    """Throughput against interactivity, TPOT and TTFT against concurrency, all logarithmic.

    Lines and bands: expected, with 90 % intervals. Hollow markers: measured and clean; red: findings, with the
    kind of the worst. Shaded: what no software can do at any acceptance (of the curve that could do most).

    Args:
        report: of :func:`simulator.validation.validate`.
        title: headline; by default the verdict.
    """
    counts = ", ".join(f"{count} {COUNTED.get(verdict, verdict)}" for verdict, count in report.counts.items() if count)
    title = title or f"{len(report.rows)} rows: {counts}"
    figure = new_figure(title, _subtitle(report))
    panels = figure.subplot_mosaic([["front", "tpot"], ["front", "ttft"]], width_ratios=(1.45, 1.0))
    curves = list(dict.fromkeys(row.curve for row in report.rows))
    look = looks(curves)
    for curve in curves:
        rows = [row for row in report.rows if row.curve == curve]
        _front(panels["front"], rows, look[curve])
        for name, metrics in PANELS.items():
            _latency(panels[name], rows, metrics, look[curve])
    _scales(panels, report)
    below, words = _roof_front(panels["front"], report)
    for name, metrics in PANELS.items():
        _roof_latency(panels[name], report, metrics)
    panels["front"].set_title("Throughput against interactivity")
    panels["tpot"].set_title("Time per output token")
    panels["ttft"].set_title("Time to first token")
    _legend(panels["front"], look, report, below)
    _labels(panels["front"], report, words)
    return figure


def _subtitle(report: Report) -> str:
    used = dict.fromkeys(one["name"] for one in report.meta["calibration"].values())
    if not used:
        return "measured alone: no profile, so no expectation and no roof;  red: suspicious or impossible"
    return f"lines and bands: expected by {', '.join(used)}, 90 %;  markers: measured;  red: suspicious or impossible"


def _point(row: RowVerdict) -> tuple[float, float] | None:
    """(interactivity, throughput) of a row; the mean TPOT stands in for the median."""
    r = row.row
    tpot = getattr(r, "median_tpot_ms", None) or getattr(r, "mean_tpot_ms", None)
    x = r.interactivity_tok_s_user or (KILO / tpot if tpot else None)
    y = r.total_tok_s_gpu
    if y is None and isinstance(r, MeasuredPoint) and r.output_tok_s_gpu is not None:
        y = r.output_tok_s_gpu * (r.isl + r.osl) / r.osl
    return (x, y) if x and y else None


def _front(axes: Axes, rows: Sequence[RowVerdict], look: tuple[str, str]) -> None:
    expected: dict[float, tuple[float, ...]] = {}
    for row in rows:
        tpot = next((row.expected[m] for m in ("median_tpot_ms", "mean_tpot_ms") if m in row.expected), None)
        total = row.expected.get("total_tok_s_gpu")
        if tpot is not None and total is not None:
            line = KILO / tpot.predicted, total.predicted, KILO / tpot.high, total.low, KILO / tpot.low, total.high
            expected[float(row.row.concurrency or 0)] = line
    if expected:
        x, y, xl, yl, xh, yh = np.array([expected[c] for c in sorted(expected)]).T
        axes.plot(x, y, color=look[0], lw=1.6, zorder=3)
        band = np.concatenate([xl, xh[::-1]]), np.concatenate([yl, yh[::-1]])
        axes.fill(*band, color=look[0], alpha=0.14, lw=0, zorder=2)
    points = [(row, point) for row in rows if (point := _point(row)) is not None]
    _markers(axes, points, look, {id(row) for row in rows if row.verdict in BAD})


def _latency(axes: Axes, rows: Sequence[RowVerdict], metrics: tuple[str, str], look: tuple[str, str]) -> None:
    bands: dict[float, tuple[float, float, float]] = {}
    points: list[tuple[RowVerdict, tuple[float, float]]] = []
    for row in rows:
        count = row.row.concurrency
        metric = next((m for m in metrics if getattr(row.row, m, None) is not None), None)
        if metric is None or count is None:
            continue
        points.append((row, (float(count), float(getattr(row.row, metric)))))
        if metric in row.expected:
            e = row.expected[metric]
            bands[float(count)] = e.predicted, e.low, e.high
    if bands:
        counts = sorted(bands)
        middle, low, high = np.array([bands[c] for c in counts]).T
        axes.plot(counts, middle, color=look[0], lw=1.6, zorder=3)
        axes.fill_between(counts, low, high, color=look[0], alpha=0.14, lw=0, zorder=2)
    _markers(axes, points, look, {id(row) for row in rows if _concerns(row, metrics)})


def _concerns(row: RowVerdict, metrics: tuple[str, str]) -> bool:
    """Whether a finding of a row concerns one of these latencies, or no metric in particular."""
    for reason in row.reasons:
        named = {str(reason.data.get("metric")), str(reason.data.get("column")), *reason.data}
        if reason.kind.startswith("ttft_"):
            named = {"mean_ttft_ms", "median_ttft_ms"}
        elif reason.kind not in ("slower_than_expected", "faster_than_expected", "above_roof", "not_monotone"):
            named = set(metrics)
        if reason.severity != "note" and named & set(metrics):
            return True
    return False


def _markers(
    axes: Axes,
    points: Sequence[tuple[RowVerdict, tuple[float, float]]],
    look: tuple[str, str],
    marked: set[int],
) -> None:
    clean = [point for row, point in points if id(row) not in marked]
    bad = [point for row, point in points if id(row) in marked]
    colour, marker = look
    if clean:
        axes.plot(*np.array(clean).T, marker, ls="", mfc="none", mec=colour, mew=1.3, ms=6.5, zorder=4)
    if bad:
        axes.plot(*np.array(bad).T, marker, ls="", mfc=RED, mec="white", mew=0.8, ms=8, zorder=6)


def _scales(panels: Mapping[str, Axes], report: Report) -> None:
    front = panels["front"]
    log_axis(front, "x")
    log_axis(front, "y")
    front.set_xlabel(axis_label("interactivity_tok_s_user"))
    front.set_ylabel(axis_label("total_tok_s_gpu"))
    counts = [float(row.row.concurrency) for row in report.rows if row.row.concurrency is not None]
    for name, metrics in PANELS.items():
        axes = panels[name]
        if axes.has_data():
            concurrency_axis(axes, counts)
            log_axis(axes, "y", (1.0, 2.0, 5.0))
        else:
            axes.text(0.5, 0.5, "not published", transform=axes.transAxes, ha="center", color=MUTED)
            axes.set_xticks([])
            axes.set_yticks([])
        medians = any(getattr(row.row, metrics[1], None) for row in report.rows)
        means = any(getattr(row.row, metrics[0], None) for row in report.rows)
        axes.set_ylabel(axis_label(metrics[1] if medians and not means else metrics[0]))


def _roof_front(axes: Axes, report: Report) -> tuple[float | None, list[Text]]:
    """Shade what lies above the highest roof of all curves; its height at the left (0 to 1), and its text.

    A roof far above every point is written, not drawn: the points keep the height of the picture.
    """
    if not report.roofs or not axes.has_data():
        return None, []
    most = max((float(row.row.concurrency or 1) for row in report.rows), default=1.0)
    x_low, x_high = axes.get_xlim()
    y_low, y_high = axes.get_ylim()
    x = np.geomspace(x_low, x_high * 1.6, 300)
    roof = np.array([max(r.front(KILO / one, most) for r in report.roofs.values()) for one in x])
    axes.set_xlim(x_low, x_high * 1.6)
    if float(roof.min()) > y_high * FAR:
        axes.set_ylim(y_low, y_high * 1.15)
        words = f"impossible above {plain(float(roof.min()))} tok/s/GPU or more, far beyond this picture"
        return None, [axes.text(0.015, 0.97, words, transform=axes.transAxes, va="top", color=MUTED, fontsize=10)]
    top = y_high * min(HEADROOM, max(1.0, float(roof.max()) * 1.2 / y_high))
    axes.fill_between(x, np.clip(roof, y_low / 10, top), top, color=ROOF, lw=0, zorder=1)
    axes.plot(x, np.maximum(roof, y_low / 10), color=INK, lw=1.1, ls=(0, (4, 2)), zorder=2)
    axes.set_ylim(y_low, top)
    words = "impossible at any acceptance"
    below = float(np.log(roof[0] / y_low) / np.log(top / y_low)) if y_low < roof[0] < top else None
    height = 0.94 if below is None else below + 0.012
    return below, [axes.text(0.015, height, words, transform=axes.transAxes, color=INK, fontsize=11)]


def _roof_latency(axes: Axes, report: Report, metrics: tuple[str, str]) -> None:
    """Shade below the least latency that any curve could have at each concurrency."""
    least: dict[float, float] = {}
    for row in report.rows:
        metric = next((m for m in metrics if getattr(row.row, m, None) is not None), None)
        if metric is None or metric not in row.limits:
            continue
        count = float(row.row.concurrency or 1)
        value = max(row.limits[metric].values())
        least[count] = min(least.get(count, value), value)
    if not least:
        return
    low, high = axes.get_ylim()
    counts = sorted(least)
    floor = [least[c] for c in counts]
    if max(floor) < low / FAR:
        ends = dict.fromkeys(plain(value) for value in (min(floor), max(floor)))
        words = f"impossible below {' to '.join(ends)} ms"
        axes.text(0.985, 0.03, words, transform=axes.transAxes, ha="right", color=MUTED, fontsize=10)
        return
    bottom = min(low, min(floor) * 0.7)
    axes.fill_between(counts, floor, bottom, color=ROOF, lw=0, zorder=1)
    axes.plot(counts, floor, color=INK, lw=1.1, ls=(0, (4, 2)), zorder=2)
    axes.set_ylim(bottom, high)


def _legend(axes: Axes, look: Mapping[str, tuple[str, str]], report: Report, below: float | None) -> None:
    """In the empty part between the points and the roof, or where there is room."""
    handles: list[Line2D | Patch] = [
        Line2D([], [], color=colour, marker=marker, mfc="none", mec=colour, lw=1.6, ms=6.5, label=curve)
        for curve, (colour, marker) in look.items()
    ]
    if any(row.verdict in BAD for row in report.rows):
        handles.append(Line2D([], [], color=RED, marker="o", ls="", ms=8, label="suspicious or impossible"))
    place = {"loc": "best"} if below is None else {"loc": "upper left", "bbox_to_anchor": (0.0, below)}
    axes.legend(handles=handles, fontsize=9.5, frameon=True, framealpha=0.85, edgecolor="none", **place)


def _labels(axes: Axes, report: Report, words: Sequence[Text]) -> None:
    """The kind of the worst finding beside each red point, one per curve and concurrency, while there is room."""
    found: list[Label] = []
    rest: list[Label] = []
    order = sorted(report.rows, key=lambda row: row.verdict != "impossible")
    seen: set[tuple[str, float | None]] = set()
    for row in order:
        point = _point(row)
        if point is None:
            continue
        text = _words(row) if row.verdict in BAD else ""
        key = row.curve, row.row.concurrency
        if not text or key in seen or len(found) >= MOST_LABELS:
            rest.append(Label(*point, "", 4.0))
            continue
        seen.add(key)
        found.append(Label(*point, text, 5.0, RED))
    if found:
        place_labels(axes, [*found, *rest], fontsize=9.5, keep_all=False, artists=words)


def _words(row: RowVerdict) -> str:
    if isinstance(row.row, FrontierPoint) or not row.reasons:
        return row.reasons[0].kind.replace("_", " ") if row.reasons else ""
    kind = row.reasons[0].kind
    if kind in ("slower_than_expected", "faster_than_expected"):
        worst = max((e for e in row.expected.values()), key=lambda e: abs(e.widths))
        name = "TTFT" if "ttft" in worst.metric else "TPOT" if "tpot" in worst.metric else "throughput"
        return f"{name} {100 * (worst.ratio - 1):+.0f} %".replace("-", "\N{MINUS SIGN}")
    return WORDS.get(kind, kind.replace("_", " "))
