"""One look for all figures: palette, fonts, axis labels."""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Callable, Iterable
from typing import Any, ParamSpec

import matplotlib
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from simulator.results.printable import printable

P = ParamSpec("P")

INK, MUTED, GRID = "#222222", "#666666", "#e4e4e4"
MTP_COLOUR, OFF_COLOUR = "#0072B2", "#CC7A00"
"""Runs with drafts and runs without, in every picture; nothing else has these colours."""
SPEC_COLOURS = {"mtp": MTP_COLOUR, "off": OFF_COLOUR}
RED = "#C00000"
"""Findings, and nothing else."""
GREEN, PINK, VIOLET, OLIVE, BROWN, GREY = "#009E73", "#CC79A7", "#5E4FA2", "#8A8B2A", "#7F5539", "#999999"
SERIES = (GREEN, PINK, VIOLET, OLIVE, BROWN, GREY)
"""What is neither: kinds of cases and of quantities. Blue, green and pink are Okabe and Ito's, told apart with any
colour vision (https://jfly.uni-koeln.de/color)."""
MARKERS = ("o", "s", "D", "^", "v", "P")
"""Filled: predicted. Hollow, of the same shape: measured."""
BOUND_COLOURS = {"memory": VIOLET, "compute": PINK, "communication": GREEN, "floor": GREY, "host": BROWN}
PROMISE: Any = {"color": INK, "ls": (0, (4, 2))}
"""Line of a promised limit."""
FOOT = 0.24
"""Inches below every figure, for a line on what was measured."""
SLIDE = (13.33, 7.5)
"""Inches of a 16:9 slide."""

AXIS_LABELS = {
    "interactivity_tok_s_user": "Interactivity (tok/s/user)",
    "total_tok_s_gpu": "Throughput, input + output (tok/s/GPU)",
    "output_tok_s_gpu": "Output throughput (tok/s/GPU)",
    "concurrency": "Concurrency (clients)",
    "mean_tpot_ms": "Mean TPOT (ms)",
    "median_tpot_ms": "Median TPOT (ms)",
    "mean_ttft_ms": "Mean TTFT (ms)",
    "median_ttft_ms": "Median TTFT (ms)",
    "p99_ttft_ms": "p99 TTFT (ms)",
    "cost_usd_per_mtok": "Cost ($ per million tokens)",
}
RC: Any = {
    "font.family": ["DejaVu Sans"],
    "font.size": 12,
    "axes.titlesize": 13,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "lines.linewidth": 2.0,
}


_SPEC = re.compile(r"\b(mtp|off)\b", re.IGNORECASE)


def looks(labels: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Colour and marker by label: the colour is that of MTP or Off where a label names one of them.

    Several labels of one of them differ in shade and marker.

    Example:
        >>> looks(["TP2 MTP 3", "Off", "measured"])
        {'TP2 MTP 3': ('#0072B2', 'o'), 'Off': ('#CC7A00', 's'), 'measured': ('#009E73', 'D')}
    """
    names = list(dict.fromkeys(labels))
    kinds = {name: found[-1].lower() if (found := _SPEC.findall(name)) else "" for name in names}
    colours: dict[str, str] = {}
    for kind in dict.fromkeys(kinds.values()):
        own = [name for name in names if kinds[name] == kind]
        if kind:
            colours |= dict(zip(own, shades(SPEC_COLOURS[kind], len(own)), strict=True))
        else:
            colours |= {name: SERIES[i % len(SERIES)] for i, name in enumerate(own)}
    return {
        name: (
            colours[name],
            MARKERS[(i + i // len(MARKERS)) % len(MARKERS)] if len(names) > len(MARKERS) else MARKERS[i],
        )
        for i, name in enumerate(names)
    }


def shades(colour: str, count: int) -> list[str]:
    """So many shades of a colour, itself first and then towards black and white in turn."""
    steps = [0.0, *(sign * i / max(1, count // 2) for i in range(1, count) for sign in (-0.5, 0.55))][:count]
    return [_mixed(colour, "#ffffff" if step > 0 else "#000000", abs(step)) for step in steps]


def ladder(count: int) -> list[str]:
    """Colours of an ordered quantity, from pale to dark."""
    ends = ("#8fd6c0", "#002b20")
    return [_mixed(*ends, i / max(1, count - 1)) if count > 1 else GREEN for i in range(count)]


def pale(colour: str) -> str:
    """A paler shade, for what is less sure."""
    return _mixed(colour, "#ffffff", 0.55)


def _mixed(one: str, other: str, part: float) -> str:
    if not part:
        return one
    red, green, blue = ((1 - part) * a + part * b for a, b in zip(to_rgb(one), to_rgb(other), strict=True))
    return to_hex((red, green, blue))


def styled(build: Callable[P, Figure]) -> Callable[P, Figure]:
    """Build a figure under the common style, leaving matplotlib's global settings as they were.

    Names from files are shown as they are: not as mathematics, and with control characters spelt out.
    """

    @functools.wraps(build)
    def under_style(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with matplotlib.rc_context(RC), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing from font")
            figure = build(*args, **kwargs)
            for text in figure.findobj(Text):
                text.set_text(printable(text.get_text()))
            return figure

    return under_style


def new_figure(title: str = "", subtitle: str = "", size: tuple[float, float] = SLIDE) -> Figure:
    """An empty figure with room for a title and a line below it."""
    room = 1.0 - (FOOT + (0.34 if subtitle else 0.0)) / size[1]
    rect = (0.0, FOOT / size[1], 1.0, room)
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.08, rect=rect))
    if title or subtitle:
        figure.suptitle(title, x=0.012, ha="left", fontsize=17, fontweight="bold")
    if subtitle:
        lines = 0.36 * (title.count("\n") + 1)
        figure.text(0.012, 1 - (0.12 + lines) / size[1], subtitle, ha="left", va="top", fontsize=12, color=MUTED)
    return figure


def axis_label(name: str) -> str:
    """The label of a column, with its unit; an unknown column is its own label."""
    return AXIS_LABELS.get(name, name)


def plain(value: float, _position: int | None = None) -> str:
    """A number as people write it: 12,000, 350, 2.5."""
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"


def plain_numbers(axes: Axes, which: str) -> None:
    """Write the major ticks of the axis ``x`` or ``y`` without powers of ten."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_formatter(FuncFormatter(plain))


def log_axis(axes: Axes, which: str, subs: tuple[float, ...] = (1.0, 2.0, 5.0)) -> None:
    """A logarithmic axis ``x`` or ``y`` with plain numbers at the multiples ``subs`` of powers of ten."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    axis.set_major_locator(LogLocator(base=10.0, subs=subs))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())
    plain_numbers(axes, which)


def concurrency_axis(axes: Axes, values: list[float]) -> None:
    """A log2 axis ``x`` with a tick at each concurrency, or at each power of two if there are more than ten."""
    axes.set_xscale("log", base=2)
    ticks = sorted({*values})
    if len(ticks) > 10:
        ticks = [value for value in ticks if value == int(value) and int(value) & (int(value) - 1) == 0] or ticks
    axes.set_xticks(ticks)
    axes.xaxis.set_minor_locator(NullLocator())
    plain_numbers(axes, "x")
    axes.set_xlabel(axis_label("concurrency"))
