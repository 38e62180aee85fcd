"""A published frontier under a curve: its points, and what ``compare --against`` reads there."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from simulator import api
from simulator.measurements import FrontierPoint
from simulator.page.choices import NO_CALIBRATION
from simulator.page.series import PRIORS
from simulator.page.state import State
from simulator.results import words
from simulator.results.table import ResultTable

PUBLISHED_BASIS = "hyperscaler"
"""Whose prices the published costs have."""
PUBLISHED_DEPTH = 3
COLUMNS = ("interactivity_tok_s_user", "total_tok_s_gpu", "cost_usd_per_mtok", "tok_s_per_mw", "concurrency")


@functools.cache
def frontier_points(name: str) -> tuple[FrontierPoint, ...]:
    """The published points that a shipped calibration was fitted to."""
    files = [source.file for source in api.load_calibration(name).data]
    rows = api.read_measurements([api.shipped_measurements(file) for file in files])
    return tuple(row for row in rows if isinstance(row, FrontierPoint))


@functools.lru_cache(maxsize=16)
def read_against(name: str, calibration: str, engine: str, intervals: bool) -> api.Against:
    """What ``mtpsim compare --against NAME`` gives, on the cost basis of the published figures.

    Raises:
        InputError: as of :func:`simulator.compare_against`.
    """
    chosen = PRIORS if calibration == NO_CALIBRATION else calibration or None
    return api.compare_against(name, chosen, engine=engine, intervals=intervals)


def points_of(state: State, precision: str) -> list[FrontierPoint]:
    """The published points of what a state shows, at a precision of the weights."""
    if not state.against:
        return []
    return [
        point
        for point in frontier_points(state.against)
        if point.hardware.lower() in state.hardware
        and (point.model.lower(), point.precision.lower()) == (state.model, precision)
        and (point.isl, point.osl) == (state.isl, state.osl)
    ]


def published_points(state: State, found: Sequence[tuple[str, ResultTable]]) -> list[dict[str, Any]]:
    """The published points of each series of a page, as rows of named columns."""
    out = []
    for name, table in found:
        hardware, _, depth = name.partition("/")
        spec = "off" if depth == "0" else "mtp"
        known = points_of(state, words.values(table.meta, "precision")[0])
        points = [point for point in known if (point.hardware.lower(), _depth(point)) == (hardware, int(depth))]
        if points:
            out.append(
                {
                    "series": name,
                    "label": f"{hardware.upper()} {'Off' if spec == 'off' else 'MTP'}, published",
                    "hardware": hardware,
                    "spec": spec,
                    "source": points[0].source,
                    "columns": list(COLUMNS),
                    "rows": [[_value(point, column, state.cost_basis) for column in COLUMNS] for point in points],
                }
            )
    return out


def _value(point: FrontierPoint, column: str, basis: str) -> float | None:
    value: float | None = getattr(point, column)
    return None if column == "cost_usd_per_mtok" and basis != PUBLISHED_BASIS else value


def _depth(point: FrontierPoint) -> int:
    """The draft depth behind a point; a published one that states none drafts three tokens."""
    return 0 if point.spec == "off" else point.spec_tokens or PUBLISHED_DEPTH


def against_readings(
    state: State, name: str, table: ResultTable, front: Sequence[Mapping[str, Any]], intervals: bool
) -> dict[float, Mapping[str, Any]]:
    """Interactivity -> the row of ``compare --against``, where its front is the front of a series of the page.

    Args:
        state: of the page.
        name: of the series.
        table: its points.
        front: those of them on its front.
        intervals: with 90 % intervals.
    """
    hardware, _, depth = name.partition("/")
    spec = "off" if depth == "0" else "mtp"
    if not any(point.spec == spec for point in points_of(state, words.values(table.meta, "precision")[0])):
        return {}
    try:
        found = read_against(state.against, state.calibration, state.engine, intervals)
    except api.InputError:
        return {}
    curves = zip(found.curves, found.swept, strict=True)
    same = any(c["spec"] == spec and c["hardware"].lower() == hardware and _runs(f) == _runs(front) for c, f in curves)
    rows = [row for row in found.rows if row["spec"] == spec] if same else []
    return {row["interactivity_tok_s_user"]: _priced(row, hardware, state.cost_basis) for row in rows}


def _priced(row: Mapping[str, Any], hardware: str, basis: str) -> Mapping[str, Any]:
    """The row on another cost basis than the published one, whose cost then says nothing."""
    prices = api.load_hardware(hardware).price
    if basis == PUBLISHED_BASIS or prices is None:
        return row
    factor = getattr(prices, basis) / getattr(prices, PUBLISHED_BASIS)
    costs = [name for name in row if name.removeprefix("predicted_").startswith("cost_usd_per_mtok")]
    scaled = {name: None if row[name] is None else factor * row[name] for name in costs}
    return {**row, **scaled, "cost_usd_per_mtok": None, "error_cost_usd_per_mtok": None}


def _runs(rows: Sequence[Mapping[str, Any]]) -> set[tuple[Any, ...]]:
    return {(row["tp"], row["concurrency"], row["total_tok_s_gpu"], row["median_tpot_ms"]) for row in rows}
