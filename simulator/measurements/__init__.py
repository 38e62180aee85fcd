"""Measured points: schema, strict reader, selection, writer.

A *points* file holds runs (:class:`MeasuredPoint`, :class:`OpenLoopPoint`), a *frontier* file points read off an
interpolated Pareto frontier (:class:`FrontierPoint`). The schema, and what each number means, is that of
``simulator/measurements/published/README.md``.
"""

from simulator.measurements.littles_law import HONEST_BAND, TYPICAL_RATIO, implied_gpus, little_ratio, mean_length
from simulator.measurements.reading import Table, read_csv
from simulator.measurements.rows import (
    FRONTIER_COLUMNS,
    METRICS,
    POINT_COLUMNS,
    FrontierPoint,
    MeasuredPoint,
    OpenLoopPoint,
    Row,
)
from simulator.measurements.selection import select
from simulator.measurements.writing import write_csv

__all__ = [
    "FRONTIER_COLUMNS",
    "HONEST_BAND",
    "METRICS",
    "POINT_COLUMNS",
    "TYPICAL_RATIO",
    "FrontierPoint",
    "MeasuredPoint",
    "OpenLoopPoint",
    "Row",
    "Table",
    "implied_gpus",
    "little_ratio",
    "mean_length",
    "read_csv",
    "select",
    "write_csv",
]
