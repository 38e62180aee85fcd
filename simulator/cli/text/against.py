"""A published frontier beside the prediction, as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.cli.text.compare import sentence
from simulator.cli.text.page import Column, Page, not_shown, number
from simulator.fitting.against import Against
from simulator.prediction.frontier import RULES
from simulator.prediction.matched import LABELS
from simulator.results import words
from simulator.units import KILO

CELLS = (
    ("throughput", "tok/s/GPU", "total_tok_s_gpu", 4, 1.0, 0),
    ("cost", "USD/Mtok", "cost_usd_per_mtok", 3, 1.0, 2),
    ("per power", "ktok/s/MW", "tok_s_per_mw", 3, KILO, 3),
    ("clients", "", "concurrency", 2, 1.0, 1),
)
"""Title, unit, metric, digits, what one of the unit is, and in which order a column goes where there is no room."""


def against_text(result: Against, piped: bool = False) -> str:
    """Title, table with published / predicted and error in each cell, sentences, and the inputs that matter."""
    page, rows, meta = Page.of(piped), result.rows, result.meta
    columns = [
        Column("at", "tok/s/user", [f"{row['interactivity_tok_s_user']:g}" for row in rows]),
        Column("", "", [f"{LABELS[row['spec']]}{' *' if row['tie'] else ''}" for row in rows], left=True),
    ]
    for title, unit, metric, digits, one, rank in CELLS:
        if any(row[metric] is not None for row in rows):
            cells = [_cell(row, metric, digits, one) for row in rows]
            columns.append(Column(title, unit, cells, rank))
    body, dropped = page.table(columns)
    head = f"{', '.join(meta['sources']) or meta['file']}: published / predicted, error"
    parts = [page.paragraph(head), "", body, ""]
    parts += [page.paragraph(sentence(text), "  ") for text in result.sentences]
    sweeps = [f"swept {LABELS[c['spec']]}: TP{c['sweep'].replace(';', ', TP')}" for c in result.curves]
    notes = [*dict.fromkeys(sweeps), *words.acceptances(meta)]
    notes += [f"calibration {name}" for name in words.values(meta, "calibration")]
    if any(words.values(meta, "forced_outside_calibration")):
        notes.append(f"FORCED outside of it: {', '.join(words.values(meta, 'forced_outside_calibration'))}")
    notes += [RULES[rule] for rule in words.values(meta, "front_rule")]
    notes.append(words.scope(rows))
    notes.append(f"cost: {meta['cost_basis']}")
    notes.append(words.method(meta))
    if any(row["tie"] for row in rows):
        notes.append("*: a tie, see above")
    if dropped:
        notes.append(not_shown(dropped))
    return "\n".join([*parts, "", page.paragraph("; ".join(notes) + ".")])


def _cell(row: Mapping[str, Any], metric: str, digits: int, one: float) -> str:
    values = [None if v is None else v / one for v in (row[metric], row[f"predicted_{metric}"])]
    text = " / ".join(number(v, digits) for v in values)
    error = row[f"error_{metric}"]
    return text if error is None else f"{text} {100.0 * error:+.1f} %"
