"""Labels beside points without overlaps: greedy placement on rings around each point, in the best of several orders."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from simulator.plots.style import INK, MUTED

Boxes = NDArray[np.float64]
"""Boxes in pixels, shape (n, 4): left, bottom, right, top."""
Polyline = tuple[Sequence[float], Sequence[float]]

SIDES = (0, 180, 30, 150, 330, 210, 90, 270, 60, 120, 300, 240)
"""Degrees around a point, the preferred side first."""
UPPER_RIGHT = (35, 0, 90, 60, 330, 180, 150, 210, 270)
RINGS = (4, 14, 28, 46, 70, 100)
BLOCKED = 1e3
LEADER_FROM = 9.0
"""Typographic points from the marker from which a label gets a leader line."""


@dataclass(frozen=True)
class Label:
    """Text for the point (x, y), in data coordinates, whose marker has a ``radius`` in typographic points.

    Without text it is only a marker to keep clear of.
    """

    x: float
    y: float
    text: str
    radius: float = 3.0
    colour: str = INK


@dataclass(frozen=True)
class _Place:
    """Where a label goes: what that costs, its box, and the boxes along its leader line (none: no line)."""

    cost: float
    box: Boxes
    leader: Boxes


@dataclass(frozen=True)
class _Mark:
    """A point in pixels with the size of its text."""

    x: float
    y: float
    radius: float
    width: float
    height: float


def place_labels(
    axes: Axes,
    labels: Sequence[Label],
    *,
    fontsize: float = 9.5,
    sides: Sequence[int] = SIDES,
    rings: Sequence[float] = RINGS,
    keep_all: bool = True,
    lines: Sequence[Polyline] = (),
    artists: Sequence[Text] = (),
) -> None:
    """Write labels where they cover nothing, near to their points and to no other; far ones get a leader line.

    Freezes the figure's layout, since the places hold only for it.

    Args:
        axes: with final limits and scales.
        labels: in order of importance.
        fontsize: typographic points.
        sides: directions to try, degrees, the preferred one first.
        rings: distances from the marker's edge to try, typographic points.
        keep_all: False leaves out a label that would cover something.
        lines: curves to keep clear of, in data coordinates.
        artists: texts to keep clear of; a legend is kept clear of anyway.
    """
    scale = freeze(axes)
    named = [label for label in labels if label.text]
    texts = [_write(axes, label, fontsize) for label in named]
    sizes = [text.get_window_extent() for text in texts]
    marks = [
        _Mark(*_pixels(axes, label.x, label.y), label.radius * scale, size.width, size.height)
        for label, size in zip(named, sizes, strict=True)
    ]
    others = [label for label in labels if not label.text]
    points = [(mark.x, mark.y, mark.radius) for mark in marks]
    points += [(*_pixels(axes, label.x, label.y), label.radius * scale) for label in others]
    dots = np.array([(x - 0.9 * r, y - 0.9 * r, x + 0.9 * r, y + 0.9 * r) for x, y, r in points]).reshape(-1, 4)
    fixed = [
        dots,
        *(_along(axes, line, 2.0 * scale) for line in lines),
        *(_box(a.get_window_extent()) for a in artists),
    ]
    legend = axes.get_legend()
    if legend is not None:
        fixed.append(_box(legend.get_window_extent()))
    frame = _box(axes.get_window_extent())
    steps = [ring * scale for ring in rings]
    orders = [
        list(range(len(marks))),
        *(
            sorted(range(len(marks)), key=key)
            for key in (lambda i: marks[i].y, lambda i: -marks[i].y, lambda i: marks[i].x, lambda i: -marks[i].x)
        ),
    ]
    tried = [_arrange(marks, order, np.concatenate(fixed), dots, frame, sides, steps, scale) for order in orders]
    best = min(tried, key=lambda places: sum(place.cost for place in places.values()))
    for i, (label, text) in enumerate(zip(named, texts, strict=True)):
        place, mark = best[i], marks[i]
        if place.cost >= BLOCKED and not keep_all:
            text.remove()
            continue
        left, bottom, right, top = place.box[0]
        text.set_position((((left + right) / 2 - mark.x) / scale, ((bottom + top) / 2 - mark.y) / scale))
        if place.leader.size:
            end = _nearest(place.box[0], mark)
            axes.annotate(
                "",
                (label.x, label.y),
                xytext=((end[0] - mark.x) / scale, (end[1] - mark.y) / scale),
                textcoords="offset points",
                arrowprops={"arrowstyle": "-", "color": MUTED, "lw": 0.7, "shrinkA": 0, "shrinkB": 0.6 * label.radius},
                zorder=5.5,
            )


def freeze(axes: Axes) -> float:
    """Lay the figure out once and for all; returns its pixels per typographic point."""
    figure = axes.figure
    assert isinstance(figure, Figure)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    return figure.dpi / 72.0


def _write(axes: Axes, label: Label, fontsize: float) -> Text:
    return axes.annotate(
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


def _arrange(
    marks: Sequence[_Mark],
    order: Sequence[int],
    fixed: Boxes,
    dots: Boxes,
    frame: Boxes,
    sides: Sequence[int],
    rings: Sequence[float],
    scale: float,
) -> dict[int, _Place]:
    """Place one label after the other, each where it costs least."""
    taken, found = fixed, {}
    for i in order:
        mark = marks[i]
        rest = np.delete(dots, i, axis=0)
        places = (
            _place(mark, side, ring, 0.1 * rank, taken, rest, frame, ring > LEADER_FROM * scale)
            for ring in rings
            for rank, side in enumerate(sides)
        )
        found[i] = min(places, key=lambda place: place.cost)
        taken = np.concatenate([taken, found[i].box, found[i].leader])
    return found


def _place(
    mark: _Mark, side: float, ring: float, preference: float, taken: Boxes, rest: Boxes, frame: Boxes, leads: bool
) -> _Place:
    dx, dy = math.cos(math.radians(side)), math.sin(math.radians(side))
    x = mark.x + dx * (mark.radius + ring + mark.width / 2)
    y = mark.y + dy * (mark.radius + ring + mark.height / 2)
    box = np.array([[x - mark.width / 2, y - mark.height / 2, x + mark.width / 2, y + mark.height / 2]])
    covered = float(_overlaps(box[0], taken).sum())
    outside = mark.width * mark.height - float(_overlaps(box[0], frame).sum())
    cost = ring + preference
    if covered + outside > 1.0:
        cost += BLOCKED + 10.0 * covered + 30.0 * outside
    end = _nearest(box[0], mark)
    own = math.hypot(end[0] - mark.x, end[1] - mark.y)
    middle = (rest[:, :2] + rest[:, 2:]) / 2
    nearest = np.clip(middle, box[0, :2], box[0, 2:])
    cost += 12.0 * float((np.hypot(*(nearest - middle).T) < 0.9 * own).sum())
    leader = np.empty((0, 4))
    if leads:
        parts = np.linspace(min(1.0, mark.radius / own), 1.0, max(2, math.ceil(own / 4.0)))[:, None]
        middles = np.array([mark.x, mark.y]) * (1 - parts) + np.array(end) * parts
        leader = np.hstack([middles - 1.0, middles + 1.0])
        cost += 30.0 * sum(bool(_overlaps(one, taken).any()) for one in leader)
    return _Place(cost, box, leader)


def _nearest(box: NDArray[np.float64], mark: _Mark) -> tuple[float, float]:
    """The point of a box nearest to a mark."""
    return float(min(max(mark.x, box[0]), box[2])), float(min(max(mark.y, box[1]), box[3]))


def _overlaps(box: NDArray[np.float64], others: Boxes) -> NDArray[np.float64]:
    """Area in pixels that a box shares with each of the others."""
    width = np.minimum(box[2], others[:, 2]) - np.maximum(box[0], others[:, 0])
    height = np.minimum(box[3], others[:, 3]) - np.maximum(box[1], others[:, 1])
    shared: NDArray[np.float64] = np.maximum(width, 0.0) * np.maximum(height, 0.0)
    return shared


def _pixels(axes: Axes, x: float, y: float) -> tuple[float, float]:
    a, b = axes.transData.transform((x, y))
    return float(a), float(b)


def _box(extent: Bbox) -> Boxes:
    return np.array([[extent.x0, extent.y0, extent.x1, extent.y1]])


def _along(axes: Axes, line: Polyline, radius: float) -> Boxes:
    """Boxes along a curve, close enough that no label slips between them."""
    corners = axes.transData.transform(np.column_stack(line))
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(corners, axis=0).T))])
    at = np.linspace(0.0, length[-1], max(2, math.ceil(length[-1] / (2.0 * radius))))
    middles = np.column_stack([np.interp(at, length, corners[:, 0]), np.interp(at, length, corners[:, 1])])
    return np.hstack([middles - radius, middles + radius])
