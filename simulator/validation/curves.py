"""Rows as configurations, and the curves and sweeps they belong to."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass, replace

from simulator.measurements import MeasuredPoint, OpenLoopPoint
from simulator.measurements.configuration import Configuration
from simulator.measurements.rows import Run


@dataclass(frozen=True)
class Known:
    """A measured row that the profiles know; ``index`` is its position among all rows of the report."""

    index: int
    row: MeasuredPoint
    configuration: Configuration

    @functools.cached_property
    def curve(self) -> Configuration:
        """The configuration without its concurrency, which is 0."""
        return _curve(self.configuration)

    @property
    def sweep(self) -> tuple[object, ...]:
        """The rows that were measured together: one curve, day, image and file."""
        return (self.curve, self.row.date, self.row.engine_version, self.row.source, self.row.file)


@functools.cache
def _curve(configuration: Configuration) -> Configuration:
    return replace(configuration, concurrency=0)


def label(row: Run, extra_names: tuple[str, ...] = ()) -> str:
    """A curve in words: ``ATOM MI355X FP8 8192/1024 TP4 MTP 3``.

    Args:
        row: of the curve.
        extra_names: columns to add, such as ``model``.
    """
    named = "".join(f" {getattr(row, name)}" for name in extra_names if getattr(row, name, None))
    extra = f" EP{row.ep}" if row.ep and row.ep > 1 else ""
    extra += " DP" if row.dp_attention else ""
    spec = "Off" if row.spec == "off" else f"MTP {row.spec_tokens}" if row.spec_tokens else "MTP"
    stated = f" AL {row.acceptance_length:g}" if row.acceptance_length is not None else ""
    return f"{row.engine} {row.hardware}{named} {row.precision} {row.isl}/{row.osl} TP{row.tp}{extra} {spec}{stated}"


def open_label(row: OpenLoopPoint, extra_names: tuple[str, ...] = ()) -> str:
    """The same of an open loop, whose rows are a curve over the rate."""
    return f"{label(row, extra_names)} open loop"


TELLING = ("model", "checkpoint", "kv_cache_dtype")
"""Columns that make curves of their own but are named only where rows differ in them."""


def telling(rows: Iterable[object]) -> tuple[str, ...]:
    """The columns of :data:`TELLING` in which rows that share the rest of their label differ."""
    values: dict[str, dict[str, set[object]]] = {name: {} for name in TELLING}
    for row in rows:
        if isinstance(row, Run):
            base = label(row)
            for name in TELLING:
                values[name].setdefault(base, set()).add(getattr(row, name))
    return tuple(name for name in TELLING if any(len(found) > 1 for found in values[name].values()))
