"""Rows against their labels: one curve under two labels, and curves that mix what cannot be compared."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from simulator.measurements.rows import METRICS, Row
from simulator.validation.consistency.finding import CURVE, SERIES, Finding, Severity, describe, finding, group

LABELS = (*SERIES, "engine_version", "date", "source")
SAME_FIGURES = 4
"""Figures, equal to the last digit, that two curves share by copying rather than by chance."""
MIXES: tuple[tuple[str, Severity, str], ...] = (
    ("engine", "note", "engines"),
    ("engine_version", "note", "images"),
    ("checkpoint", "note", "checkpoints"),
    ("acceptance_length", "note", "acceptance lengths"),
)


def check_duplicates(rows: Iterable[Row]) -> Iterator[Finding]:
    """Findings on rows whose metrics are identical while labels differ, one per curve and the labels that differ."""
    same: defaultdict[tuple[object, ...], list[Row]] = defaultdict(list)
    for row in rows:
        figures = tuple(getattr(row, name, None) for name in METRICS)
        same[row.concurrency, *figures].append(row)
    pairs: defaultdict[tuple[object, ...], list[tuple[Row, Row]]] = defaultdict(list)
    for key, members in same.items():
        if any(figure is not None for figure in key[1:]):
            for second in members[1:]:
                names = tuple(name for name, _, _ in _differences(members[0], second))
                pairs[describe(members[0]), names].append((members[0], second))
    for found in pairs.values():
        figures_shared = sum(getattr(first, name, None) is not None for first, _ in found for name in METRICS)
        if figures_shared >= SAME_FIGURES:
            yield _duplicate(found)


def _differences(first: Row, second: Row) -> list[tuple[str, object, object]]:
    """(label, its two values) of every label in which two rows differ."""
    values = ((label, getattr(first, label, None), getattr(second, label, None)) for label in LABELS)
    return [(label, one, other) for label, one, other in values if one != other]


def _duplicate(pairs: list[tuple[Row, Row]]) -> Finding:
    first, second = pairs[0]
    differ = _differences(first, second)
    words = ", ".join(f"{label} {one} and {other}" for label, one, other in differ)
    message = (
        f"{len(pairs)} row{'s' if len(pairs) > 1 else ''} of {describe(first)} with the same figures to the last digit "
        f"under two labels: {words or 'notes or other columns only'} (lines {_lines(pairs, 0)} and {_lines(pairs, 1)})"
    )
    rows = [row for pair in pairs for row in pair]
    return finding(
        rows, "suspicious", "duplicate_curve", message, pairs=len(pairs), differ=[label for label, _, _ in differ]
    )


def _lines(pairs: list[tuple[Row, Row]], side: int) -> str:
    return ", ".join(str(pair[side].line) for pair in pairs[:8]) + (", ..." if len(pairs) > 8 else "")


def check_comparable(rows: Iterable[Row]) -> Iterator[Finding]:
    """Notes on labels (:data:`CURVE`) that hold several engines, images, checkpoints or acceptance lengths."""
    for curve in group(list(rows), CURVE).values():
        for label, severity, words in MIXES:
            values = list(dict.fromkeys(str(getattr(row, label, None) or "not published") for row in curve))
            if len(values) < 2:
                continue
            shown = ", ".join(values[:3]) + (", ..." if len(values) > 3 else "")
            message = f"{len(values)} {words} under one label are curves of their own, {describe(curve[0])}: {shown}"
            yield finding(curve, severity, f"mixed_{label}", message, values=values)
