"""Labels beside points without overlaps: greedy placement on rings around each point."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

from simulator.plots.style import INK, MUTED

DIRECTIONS = (0, 180, 30, 150, 330, 210, 90, 270, 60, 120, 300, 240)
"""Degrees, the preferred side first."""


@dataclass(frozen=True)
class Label:
    """Text for the point (x, y), in data coordinates, whose marker has a ``radius`` in typographic points."""

    x: float
    y: float
    text: str
    radius: float = 3.0
    colour: str = INK


def place_labels(
    axes: Axes,
    labels: Sequence[Label],
    *,
    fontsize: float = 9.5,
    rings: Sequence[float] = (4, 14, 28, 46, 70, 100),
    keep_all: bool = True,
    obstacles: Sequence[Bbox] = (),
) -> None:
    """Write the labels, the first ones first, where they cover least; far ones get a leader line.

    Freezes the figure's layout, since the places hold only for it.

    Args:
        axes: with final limits and scales.
        labels: in order of importance.
        fontsize: typographic points.
        rings: distances from the marker's edge to try, typographic points.
        keep_all: False leaves out a label that would cover something.
        obstacles: further boxes to keep clear, in display coordinates.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    scale = figure.dpi / 72.0
    taken = [*obstacles, *(_marker(axes, label, scale) for label in labels)]
    frame = axes.get_window_extent()
    for label in labels:
        text = axes.annotate(
            label.text,
            (label.x, label.y),
            xytext=(0, 0),
            textcoords="offset points",
            fontsize=fontsize,
            color=label.colour,
            ha="center",
            va="center",
            zorder=6,
        )
        extent = text.get_window_extent()
        cost, box, ring = min(
            (
                _candidate(axes, label, extent, angle, ring, taken, frame, scale)
                for ring in rings
                for angle in DIRECTIONS
            ),
            key=lambda found: found[0],
        )
        if cost >= 1e3 and not keep_all:
            text.remove()
            continue
        x, y = axes.transData.transform((label.x, label.y))
        middle = ((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2)
        text.set_position(((middle[0] - x) / scale, (middle[1] - y) / scale))
        taken.append(box)
        if ring > rings[0]:
            end = min(max(x, box.x0), box.x1), min(max(y, box.y0), box.y1)
            axes.annotate(
                "",
                xy=(label.x, label.y),
                xytext=((end[0] - x) / scale, (end[1] - y) / scale),
                textcoords="offset points",
                arrowprops={"arrowstyle": "-", "color": MUTED, "lw": 0.6, "shrinkA": 0, "shrinkB": label.radius},
                zorder=4,
            )
            taken += [_around(x + (end[0] - x) * f, y + (end[1] - y) * f, 1.0) for f in (0.2, 0.4, 0.6, 0.8, 1.0)]


def _candidate(
    axes: Axes,
    label: Label,
    extent: Bbox,
    angle: float,
    ring: float,
    taken: Sequence[Bbox],
    frame: Bbox,
    scale: float,
) -> tuple[float, Bbox, float]:
    """How bad a place is, the box of the text there, and its ring."""
    x, y = axes.transData.transform((label.x, label.y))
    distance = (label.radius + ring) * scale
    dx, dy = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    centre_x = x + dx * (distance + extent.width / 2)
    centre_y = y + dy * (distance + extent.height / 2)
    box = Bbox.from_bounds(centre_x - extent.width / 2, centre_y - extent.height / 2, extent.width, extent.height)
    covered = sum(_overlap(box, other) for other in taken)
    outside = box.width * box.height - _overlap(box, frame)
    blocked = 1e3 + 10.0 * covered + 30.0 * outside if covered + outside > 1.0 else 0.0
    return blocked + ring + 0.1 * DIRECTIONS.index(int(angle)), box, ring


def _overlap(a: Bbox, b: Bbox) -> float:
    width = min(a.x1, b.x1) - max(a.x0, b.x0)
    height = min(a.y1, b.y1) - max(a.y0, b.y0)
    return width * height if width > 0 and height > 0 else 0.0


def _marker(axes: Axes, label: Label, scale: float) -> Bbox:
    x, y = axes.transData.transform((label.x, label.y))
    return _around(x, y, 0.9 * label.radius * scale)


def _around(x: float, y: float, radius: float) -> Bbox:
    return Bbox.from_extents(x - radius, y - radius, x + radius, y + radius)
