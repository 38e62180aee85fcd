"""The answer of a validation: a verdict per row, findings on curves, implied acceptance, and what went in."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simulator.measurements import MeasuredPoint, OpenLoopPoint, Row
from simulator.results.table import Result, clean
from simulator.serving.scope import Reason as ScopeReason
from simulator.serving.scope import Verdict as Scope
from simulator.validation.expectation import Expected
from simulator.validation.pairs import Pair, Pooled
from simulator.validation.reason import RANK, VERDICTS, Place, Reason, Verdict
from simulator.validation.roofs import Roofs, limits_of

UNKNOWN = Scope((ScopeReason("calibration", "unmeasured", "nothing is expected of it", 0.0),))
"""Of a row that no calibration says anything about."""


@dataclass(frozen=True)
class RowVerdict:
    """One row, judged.

    Attributes:
        row: as read.
        curve: the curve it belongs to, in words.
        verdict: the worst of its reasons.
        reasons: its own, and those of its curve that are more than a note.
        expected: metric -> measured, expected and interval; empty without physics.
        roofs: of its curve; None without physics.
        scope: where it stands to what the calibration behind the expectation was fitted to.
    """

    row: Row
    curve: str
    verdict: Verdict
    reasons: tuple[Reason, ...]
    expected: Mapping[str, Expected]
    roofs: Roofs | None = None
    scope: Scope = UNKNOWN

    @property
    def limits(self) -> Mapping[str, Mapping[str, float]]:
        """Metric -> resource -> the greatest throughput or the least latency that is possible."""
        if self.roofs is None or not isinstance(self.row, MeasuredPoint):
            return {}
        return limits_of(self.row, self.roofs)

    @property
    def place(self) -> Place:
        """File and line."""
        return self.row.file, self.row.line

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "file": self.row.file,
            "line": self.row.line,
            "curve": self.curve,
            "concurrency": self.row.concurrency,
            **_rate(self.row),
            "verdict": self.verdict,
            "reasons": [reason.as_dict(self.place) for reason in self.reasons],
            "expected": {metric: e.as_dict() for metric, e in self.expected.items()},
            "roofs": {metric: dict(limits) for metric, limits in self.limits.items()},
            **self.scope.as_row(),
        }


@dataclass(frozen=True)
class Report(Result):
    """The validation of a set of rows.

    Attributes:
        rows: in the order given.
        findings: every reason once, the worst first.
        pairs: implied acceptance lengths per concurrency.
        pooled: implied acceptance lengths per curve.
        roofs: label of a curve -> its roofs.
        meta: inputs, calibrations by curve, thresholds and versions.
    """

    rows: tuple[RowVerdict, ...]
    findings: tuple[Reason, ...]
    pairs: tuple[Pair, ...]
    pooled: tuple[Pooled, ...]
    roofs: Mapping[str, Roofs]
    meta: Mapping[str, Any]

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of any row or curve."""
        found: list[Verdict] = [row.verdict for row in self.rows]
        found += [reason.severity for reason in self.findings]
        return max(found, key=lambda verdict: RANK[verdict], default="clean")

    @property
    def clean(self) -> bool:
        """Whether every row was checked and nothing is worse than a note."""
        return RANK[self.verdict] <= RANK["note"]

    @property
    def suspect(self) -> bool:
        """Whether something is suspicious or impossible."""
        return RANK[self.verdict] > RANK["unchecked"]

    @property
    def unchecked(self) -> int:
        """Rows that no profile describes and in which nothing was found."""
        return self.counts["unchecked"]

    @property
    def counts(self) -> dict[str, int]:
        """Rows by verdict."""
        found = Counter(row.verdict for row in self.rows)
        return {str(verdict): found[verdict] for verdict in VERDICTS}

    @property
    def coverage(self) -> dict[str, float]:
        """By metric, the part of the measured values inside their 90 % interval."""
        inside: dict[str, list[bool]] = {}
        for row in self.rows:
            for metric, expected in row.expected.items():
                inside.setdefault(metric, []).append(expected.inside)
        return {metric: sum(found) / len(found) for metric, found in inside.items()}

    def records(self) -> list[dict[str, Any]]:
        """One row per measured row: place, curve, verdict and the worst reason."""
        return [
            {
                "file": row.row.file,
                "line": row.row.line,
                "curve": row.curve,
                "concurrency": row.row.concurrency,
                **_rate(row.row),
                "verdict": row.verdict,
                "reason": row.reasons[0].message if row.reasons else None,
                **row.scope.as_row(),
            }
            for row in self.rows
        ]

    def to_json(self) -> str:
        """:meth:`document` as strict JSON, a row or a finding a line, none held as an object."""
        lists: dict[str, Sequence[Any]] = {"rows": self.rows, "findings": self.findings}
        parts = [f'"{name}": {_line(value)}' for name, value in self._summary().items()]
        for name, values in lists.items():
            parts.append(f'"{name}": [\n' + ",\n".join(_line(one.as_dict()) for one in values) + "\n]")
        return "{\n" + ",\n".join(parts) + "\n}"

    def document(self) -> Mapping[str, Any]:
        """``meta``, ``verdict``, ``counts``, ``coverage90``, ``rows``, ``findings``, ``pairs``, ``pooled``."""
        return {
            **self._summary(),
            "rows": [row.as_dict() for row in self.rows],
            "findings": [reason.as_dict() for reason in self.findings],
        }

    def _summary(self) -> dict[str, Any]:
        return {
            "meta": self.meta,
            "verdict": self.verdict,
            "counts": self.counts,
            "coverage90": self.coverage,
            "pairs": [pair.as_dict() for pair in self.pairs],
            "pooled": [one.as_dict() for one in self.pooled],
        }


def _rate(row: Row) -> dict[str, float]:
    """The rate of an open-loop row; of any other nothing."""
    return {"request_rate_per_s": row.request_rate_per_s} if isinstance(row, OpenLoopPoint) else {}


def _line(value: Any) -> str:
    return json.dumps(clean(value), allow_nan=False)
