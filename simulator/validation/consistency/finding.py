"""A finding, and the groups of rows that are compared with one another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from simulator.measurements.rows import MeasuredPoint, Row

Severity = Literal["impossible", "suspicious", "note"]
Value = str | float | int | None | list[str] | list[int]
R = TypeVar("R", MeasuredPoint, Row)

CURVE = ("hardware", "model", "precision", "spec", "isl", "osl", "tp")
"""The labels of one curve over concurrency."""
SERIES = (*CURVE, "ep", "dp_attention", "engine", "checkpoint", "kv_cache_dtype", "spec_tokens", "acceptance_length")
"""The labels of runs that repeat one another up to noise: everything but the date and the image."""


@dataclass(frozen=True)
class Finding:
    """Something that does not add up.

    Attributes:
        file: the file the rows are from.
        lines: the lines it concerns; of one row, or of a whole curve.
        severity: ``impossible`` (arithmetic forbids it), ``suspicious`` (honest rows rarely look so) or ``note``.
        kind: a stable name of the check, such as ``tp_times_ep``.
        message: the reason, with the numbers.
        data: the numbers, by name with the unit in the name.
    """

    file: str
    lines: tuple[int, ...]
    severity: Severity
    kind: str
    message: str
    data: Mapping[str, Value] = field(default_factory=dict, hash=False)

    @property
    def line(self) -> int:
        """The first line it concerns."""
        return self.lines[0]


def finding(rows: Iterable[Row], severity: Severity, kind: str, message: str, **data: Value) -> Finding:
    """A finding on rows (of one file, or on the first file among several)."""
    found = list(rows)
    return Finding(found[0].file, tuple(row.line for row in found), severity, kind, message, data)


def group(rows: Iterable[R], labels: tuple[str, ...]) -> dict[tuple[object, ...], list[R]]:
    """Rows by the values of these labels, in order of appearance; a label that a row lacks is None."""
    groups: defaultdict[tuple[object, ...], list[R]] = defaultdict(list)
    for row in rows:
        groups[tuple(getattr(row, label, None) for label in labels)].append(row)
    return dict(groups)


def describe(row: Row) -> str:
    """The curve of a row, in words: ``MI355X FP8 1024/1024 TP4 spec=off``."""
    tp = f" TP{row.tp}" if isinstance(row, MeasuredPoint) else ""
    return f"{row.hardware} {row.precision} {row.isl}/{row.osl}{tp} spec={row.spec}"
