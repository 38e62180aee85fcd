"""Profiles as text: sources are numbered and listed once, below."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from simulator.cli.text.page import Column, Page, number

CONVENTIONS = (
    "sd: standard deviation of the prior, of the logarithm where the scale is log, else in the unit itself. "
    "A calibration replaces some of these values."
)


LAYERS = (
    "layer: accelerator, from kernel tables of its own; vendor, as another of the vendor with a wider sd; generic, no "
    "table shows it. sd as in mtpsim profiles parameters."
)


def catalogue_text(rows: Sequence[Mapping[str, Any]], piped: bool = False) -> str:
    """The list of profiles, one profile, or the table of parameters."""
    page = Page.of(piped)
    if "summary" in rows[0]:
        return _entries(page, rows)
    if "layer" in rows[0]:
        return _priors(page, rows)
    if "scale" in rows[0]:
        return f"{_numbered(page, rows, ('name', 'value', 'unit', 'sd', 'scale', 'low', 'high'))}\n\n" + page.paragraph(
            CONVENTIONS
        )
    head = [f"{row['value']}\n\n" for row in rows if row.get("field") == "name"]
    return "".join(head) + _numbered(page, rows, ("field", "value", "unit"))


def _priors(page: Page, rows: Sequence[Mapping[str, Any]]) -> str:
    told = [
        {
            **row,
            "value": number(row["value"], 4),
            "sd": number(row["sd"], 2),
            "layer": f"vendor: {row['kernels']}" if row["layer"] == "vendor" else row["layer"],
        }
        for row in rows
    ]
    body = _numbered(page, told, ("name", "value", "unit", "sd", "layer"), {"unit": 1})
    return f"{body}\n\n{page.paragraph(LAYERS)}"


def _entries(page: Page, rows: Sequence[Mapping[str, Any]]) -> str:
    kinds = [row["kind"] for row in rows]
    first = [kind if i == 0 or kinds[i - 1] != kind else "" for i, kind in enumerate(kinds)]
    body = page.told(
        [
            Column("kind", "", first, left=True),
            Column("name", "", [row["name"] for row in rows], left=True),
            Column("summary", "", [_summary(row) for row in rows], 1, left=True, wraps=True),
        ]
    )
    how = "One of them: mtpsim profiles KIND NAME. The path of your own YAML is a name too."
    return f"{body}\n\n{page.paragraph(how)}"


def _summary(row: Mapping[str, Any]) -> str:
    return f"{row['summary']}; launch: {row['launch']}" if row.get("launch") else str(row["summary"])


RANKS = {"sd": 2, "scale": 2, "low": 3, "high": 4}


def _numbered(
    page: Page, rows: Sequence[Mapping[str, Any]], names: Sequence[str], ranks: Mapping[str, int] = RANKS
) -> str:
    sources = list(dict.fromkeys(row["source"] for row in rows if row["source"]))
    marks = [f"[{sources.index(row['source']) + 1}]" if row["source"] else "" for row in rows]
    lefts = ("name", "layer")
    columns = []
    for name in names:
        text = name in ("field", "name", "unit", "value") and "field" in names
        cells = [_text(row[name]) for row in rows]
        wraps = name == "value" or (name == "field" and page.narrow)
        columns.append(Column(name, "", cells, ranks.get(name, 0), left=text or name in lefts, wraps=wraps))
    meanings = [" - ".join(filter(None, (row["meaning"], row.get("note", "")))) for row in rows]
    columns += [Column("source", "", marks)] if any(marks) else []
    columns.append(Column("meaning", "", meanings, 1, left=True, wraps=True))
    body = page.told(columns if any(meanings) else columns[:-1])
    lines = [
        textwrap.fill(f"[{i}] {source}", min(page.width, 100), subsequent_indent="    ")
        for i, source in enumerate(sources, start=1)
    ]
    return "\n".join([body, "", *lines])


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
