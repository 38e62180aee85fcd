"""A conversion as text: which field became which column, in which unit, by which definition."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from simulator.cli.text.page import Column, Page
from simulator.validation.conversion import Conversion

DIGITS = 6
LONGEST = 16
"""Characters of a value that are shown."""


def explanation_text(found: Conversion, piped: bool = False) -> str:
    """A table for every kind of record of every file: the first record's values, and how many more are alike."""
    page = Page.of(piped)
    records: dict[tuple[str, int], list[Mapping[str, Any]]] = defaultdict(list)
    for taken in found.explanation():
        records[taken["source_file"], taken["source_record"]].append(taken)
    alike: dict[tuple[Any, ...], list[tuple[str, int]]] = defaultdict(list)
    for place, rows in records.items():
        alike[place[0], *((row["column"], row["field"]) for row in rows)].append(place)
    tools = {record.file: record.tool for record in found.table.records}
    parts: list[str] = []
    for places in alike.values():
        file, first = places[0]
        more = f" and {len(places) - 1} more like it" if len(places) > 1 else ""
        parts += [page.paragraph(f"{file}, {tools[file]}: record {first}{more}"), _table(page, records[places[0]]), ""]
    return "\n".join(parts)


def _table(page: Page, rows: Sequence[Mapping[str, Any]]) -> str:
    return page.told(
        [
            Column("column", "", [row["column"] for row in rows], left=True, wraps=page.narrow),
            Column("value", "", [_value(row["value"]) for row in rows], left=True, wraps=page.narrow),
            Column("field (unit)", "", [_field(row) for row in rows], left=True, wraps=True),
            Column("definition", "", [row["definition"] for row in rows], left=True, wraps=True),
        ]
    )


def _field(row: Mapping[str, Any]) -> str:
    return f"{row['field']} ({row['field_unit']})" if row["field_unit"] else row["field"]


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return ("no", "yes")[value]
    text = f"{value:.{DIGITS}g}" if isinstance(value, float) else str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
