"""What else the figures fit: rows faster than their labels allow, predicted again under the labels they may have had.

Each reading is a configuration, or a family of them with one free number (acceptance length, share of cached input). It
is named when it puts most values of the rows where the calibration's 99.9 % interval allows them; of several the one
with the least chi-squared, a free number counting as two standard deviations.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simulator.measurements.configuration import Configuration
from simulator.prediction.intervals import Z90
from simulator.validation.causes import MANY, leaves
from simulator.validation.curves import Known, label
from simulator.validation.expectation import BEYOND, Expectations, Expected
from simulator.validation.readings import ACCEPTANCE, Reading, Repredictor, readings
from simulator.validation.reason import Place, Reason, number, quantity

ENOUGH = 0.8
"""Share of the values that a reading must explain."""
CAP = 2.0 * BEYOND
"""Half-widths beyond which a value that a reading misses counts no more: one bad run does not decide."""
PENALTY = 4.0
"""Of a free number, in chi-squared."""
MOST_CURVES = 20
"""Curves, and sweeps of one, that are read again; those with the most fast rows first."""
MOST_ROWS = 12
"""Rows of one that a reading is fitted to, spread over its concurrencies."""
GAIN = 0.5
"""A reading must leave less than this part of the chi-squared of the labels as they are."""


@dataclass(frozen=True)
class Misread:
    """Rows of one sweep that fit another reading than their labels.

    Attributes:
        rows: the rows, faster than expected.
        expected: what their labels let expect of the row that is farthest off.
        readings: that explain them, the best first.
        alone: it is one row of a sweep whose other rows are as expected, so that another cause is as likely.
    """

    rows: tuple[Known, ...]
    expected: tuple[Known, Expected]
    readings: tuple[Reading, ...]
    alone: bool = False

    @property
    def indices(self) -> frozenset[int]:
        """Of the rows."""
        return frozenset(one.index for one in self.rows)

    def reason(self, places: Mapping[int, Place], extra_names: tuple[str, ...] = ()) -> Reason:
        """The finding on these rows."""
        best, (row, worst) = self.readings[0], self.expected
        bound = worst.predicted * (worst.measured / worst.predicted) ** (BEYOND / abs(worst.widths))
        count = len(self.rows)
        message = (
            f"{best.words(self.rows)}. {'One row' if count == 1 else f'{count} rows'} of {label(row.row, extra_names)} "
            f"faster than the labels allow: at concurrency {row.row.concurrency} "
            f"{quantity(worst.metric, worst.measured)}, expected {number(worst.predicted)}, "
            f"{'at most' if worst.metric.endswith('tok_s_gpu') else 'at least'} {number(bound)} in 99.9 %"
        )
        others = [one.words(self.rows) for one in self.readings[1:]]
        message += f" (else: {'; '.join(others)})" if others else ""
        data: dict[str, Any] = {
            "causes": [one.words(self.rows) for one in self.readings],
            "candidates": [one.kind for one in self.readings],
            "metric": worst.metric,
            "concurrency": row.row.concurrency,
            worst.metric: worst.as_dict(),
            **best.data,
        }
        return Reason("suspicious", best.kind, message, tuple(places[one.index] for one in self.rows), data)


def misread(
    known: Sequence[Known],
    found: Expectations,
    broken: frozenset[int],
    calibration: str | None = None,
    force: bool = False,
    method: str = "des",
) -> list[Misread]:
    """The rows faster than expected that another reading of their labels explains, sweep by sweep.

    Args:
        known: rows that the profiles know.
        found: what is expected of them.
        broken: indices of rows that arithmetic or physics forbids.
        calibration: name or path; None: the default of each deployment.
        force: apply a calibration outside what it was fitted to.
        method: ``des`` or ``closed-form``.
    """
    curves: defaultdict[Configuration, list[Known]] = defaultdict(list)
    total: Counter[tuple[object, ...]] = Counter()
    for one in known:
        if one.index not in broken and one.index in found.rows:
            total[one.sweep] += 1
            if _fast(found.rows[one.index]):
                curves[one.curve].append(one)
    again = Repredictor(calibration, force, method)
    out = []
    for rows in sorted(curves.values(), key=len, reverse=True)[:MOST_CURVES]:
        sweeps: defaultdict[tuple[object, ...], list[Known]] = defaultdict(list)
        for one in rows:
            sweeps[one.sweep].append(one)
        together = _misread(rows, found, again, total)
        if together is not None or not 1 < len(sweeps) <= MOST_CURVES:
            out += [together] if together else []
        else:
            parts = (_misread(part, found, again, total) for part in sweeps.values())
            out += [part for part in parts if part is not None]
    return out


def _misread(
    rows: Sequence[Known], found: Expectations, again: Repredictor, total: Mapping[tuple[object, ...], int]
) -> Misread | None:
    explained = _explained(rows, found, again)
    if not explained or any(one.kind == ACCEPTANCE for one in explained):
        return None
    pairs = [(one, e) for one in rows for e in _fast(found.rows[one.index])]
    alone = len(rows) == 1 and total[rows[0].sweep] >= MANY
    return Misread(tuple(rows), max(pairs, key=lambda pair: abs(pair[1].widths)), tuple(explained), alone)


def _fast(metrics: Mapping[str, Expected]) -> list[Expected]:
    own = {metric: e.as_labelled for metric, e in metrics.items()}
    return [e for e in leaves(own, slower=False) if "ttft" not in e.metric]


def _explained(rows: Sequence[Known], found: Expectations, again: Repredictor) -> list[Reading]:
    ordered = sorted(rows, key=lambda one: one.row.concurrency)
    rows = ordered[:: -(-len(ordered) // MOST_ROWS)]
    measured = {
        (one.index, e.metric): e.measured
        for one in rows
        for e in found.rows[one.index].values()
        if "ttft" not in e.metric
    }
    stated = _chi([e.widths for one in rows for e in found.rows[one.index].values() if "ttft" not in e.metric])
    scored: list[tuple[float, Reading]] = []
    for reading in readings(rows, measured, again):
        widths = [_widths(value, reading.predicted.get(key)) for key, value in measured.items()]
        inside = sum(abs(w) <= BEYOND for w in widths) / len(widths)
        if inside >= ENOUGH and _chi(widths) < GAIN * stated:
            scored.append((_chi(widths) + PENALTY * reading.free, reading))
    if not scored:
        return []
    scored.sort(key=lambda pair: pair[0])
    near = [reading for score, reading in scored if score <= scored[0][0] + PENALTY]
    return [one for i, one in enumerate(near) if one.kind not in {other.kind for other in near[:i]}]


def _chi(widths: Sequence[float]) -> float:
    return sum((Z90 * min(abs(w), CAP)) ** 2 for w in widths)


def _widths(measured: float, predicted: tuple[float, float, float] | None) -> float:
    """Distance from a prediction (middle, low, high) in half-widths of its 90 % interval."""
    if predicted is None:
        return CAP
    middle, low, high = predicted
    return math.log(measured / middle) / (0.5 * math.log(high / low))
