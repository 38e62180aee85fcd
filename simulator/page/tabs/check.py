"""The tab Check: a user's measured rows with verdicts, each linked to its point."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from simulator import api
from simulator.measurements.importing.known import from_options
from simulator.measurements.rows import Row
from simulator.page.state import State
from simulator.page.work import PLAIN, Work
from simulator.results.printable import printable
from simulator.results.table import clean
from simulator.units import KILO

POINT = (
    "interactivity_tok_s_user",
    "total_tok_s_gpu",
    "output_tok_s_gpu",
    "cost_usd_per_mtok",
    "tok_s_per_mw",
    "mean_tpot_ms",
    "median_tpot_ms",
    "mean_ttft_ms",
    "median_ttft_ms",
    "p99_ttft_ms",
    "concurrency",
)
MOST_ROWS = 500
"""Most rows that one check judges."""
LONGEST_NAME = 80


def answer(state: State, work: Work = PLAIN) -> dict[str, Any]:
    """The verdicts on the rows that came with the page, or nothing.

    Raises:
        InputError: too many rows.
    """
    return check(work.measured, work) if work.measured else {}


def read(text: str, name: str, known: str = "") -> tuple[Row, ...]:
    """Rows of a result file that was dropped or pasted on the page, of our CSV or as a tool wrote it.

    Args:
        text: of the file.
        name: that is only ever shown.
        known: what the file does not hold, in words such as ``hardware=h200 tp=4``.

    Raises:
        InputError: not what the schema expects; all faults at once.
    """
    stated = from_options(_words(known))
    return api.parse_measurements(text, printable(name)[-LONGEST_NAME:] or "measurements", known=stated)


def _words(known: str) -> list[str]:
    return known.replace(",", " ").split()


def check(rows: Sequence[Row], work: Work = PLAIN, known: str = "") -> dict[str, Any]:
    """The verdict on measured rows.

    Args:
        rows: as read.
        work: whom to tell of progress.
        known: what was stated beside the file, for the equivalent command.

    Returns:
        ``verdict``, ``sentence``, ``counts``, ``rows`` (file, line, curve, spec, spec_tokens, hardware, tp,
        concurrency, verdict, reasons, expected, scope, and the measured metrics by their columns), ``findings``,
        ``equivalent`` and ``provenance``.

    Raises:
        InputError: more than :data:`MOST_ROWS` rows.
    """
    if len(rows) > MOST_ROWS:
        raise api.InputError(f"expected at most {MOST_ROWS} rows, found {len(rows)}: there is mtpsim validate")
    work.tell(f"{len(rows)} rows", None)
    report = api.validate(rows)
    names = list(dict.fromkeys(_shown(row.file) for row in rows))
    options = [f"--set {shlex.quote(word)}" for word in _words(known)]
    stated = dict(word.split("=", 1) for word in _words(known) if "=" in word)
    argument = f", known={stated!r}" if stated else ""
    payload: dict[str, Any] = clean(
        {
            "verdict": report.verdict,
            "sentence": _sentence(report, names),
            "counts": report.counts,
            "rows": [
                {
                    "file": _shown(one.row.file),
                    "line": one.row.line,
                    "curve": one.curve,
                    "hardware": one.row.hardware.lower(),
                    "spec": one.row.spec,
                    "tp": getattr(one.row, "tp", None),
                    "concurrency": one.row.concurrency,
                    "verdict": one.verdict,
                    "spec_tokens": one.row.spec_tokens,
                    "isl": one.row.isl,
                    "osl": one.row.osl,
                    "reasons": [reason.message for reason in one.reasons],
                    "expected": {metric: e.as_dict() for metric, e in one.expected.items()},
                    "scope": one.scope.scope,
                    **{name: _value(one.row, name) for name in POINT},
                }
                for one in report.rows
            ],
            "findings": [
                {
                    "severity": reason.severity,
                    "kind": reason.kind,
                    "message": reason.message,
                    "places": [{"file": _shown(file), "line": line} for file, line in reason.places],
                }
                for reason in report.findings
            ],
            "equivalent": {
                "command": " ".join(["mtpsim validate", *map(shlex.quote, names), *options]),
                "python": f"from simulator import validate\n\nreport = validate({names!r}{argument})",
            },
            "provenance": {
                "version": report.meta["versions"]["mtpsim"],
                "calibration": ", ".join(dict.fromkeys(one["name"] for one in report.meta["calibration"].values())),
                "calibration_id": None,
            },
        }
    )
    return payload


def _shown(file: str) -> str:
    """The name of a file without the folders that it is in."""
    return PurePath(file).name or file


def _sentence(report: api.Report, names: Sequence[str]) -> str:
    counts = ", ".join(f"{count} {verdict}" for verdict, count in report.counts.items() if count)
    return f"{report.verdict}: {len(report.rows)} rows of {', '.join(names)}: {counts}"


def _value(row: Row, name: str) -> float | None:
    value: float | None = getattr(row, name, None)
    tpot: float | None = getattr(row, "median_tpot_ms", None)
    return KILO / tpot if value is None and name == "interactivity_tok_s_user" and tpot else value
