"""An imported model as text: what it adds up to, where every number is from, and what was not understood."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.cli.text.page import Column, Page
from simulator.facts.importing.imported import KV_FORMAT, Imported
from simulator.units import GIGA, KILO, MEGA

CONVENTIONS = (
    "parameters: of the text model, without draft layers. active: what one token multiplies with, the lm_head "
    "included, the input embedding not."
)


def imported_text(result: Imported) -> str:
    """Figures, profile, and what is not in it."""
    page = Page.of(False)
    found, m = result.figures(), result.model
    told = [
        ("parameters", f"{found['total_parameters'] / GIGA:.2f} B"),
        ("active parameters", f"{found['active_parameters'] / GIGA:.2f} B"),
        *([("draft parameters", f"{found['draft_parameters'] / GIGA:.2f} B")] if m.draft is not None else []),
        (f"KV cache per token, {KV_FORMAT}", f"{found['kv_bytes_per_token'] / KILO:.1f} KB"),
        *_other_caches(found),
        *(
            [(f"state per sequence, {result.state_dtype}", f"{found['state_bytes_per_sequence'] / MEGA:.1f} MB")]
            if m.has_state
            else []
        ),
        *((f"weights of {name}", f"{size / GIGA:.1f} GB") for name, size in found["weight_bytes"].items()),
    ]
    figures = page.told([Column("", "", [t[0] for t in told], left=True), Column(m.name, "", [t[1] for t in told])])
    said = result.content["sources"]
    rows = [row for row in result.records() if row["field"] in said]
    numbers = page.told(
        [
            Column("field", "", [row["field"] for row in rows], left=True, wraps=page.narrow),
            Column("value", "", [_text(row["value"]) for row in rows]),
            Column("key", "", [row["source"] for row in rows], left=True, wraps=True),
        ]
    )
    parts = [figures, "", numbers, "", *_not_understood(page, result.not_understood), page.paragraph(CONVENTIONS), ""]
    return "\n".join(parts)


def _other_caches(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    beyond, index = found["kv_bytes_per_token_beyond_windows"], found["index_bytes_per_token"]
    out = [("beyond windows", beyond)] if beyond != found["kv_bytes_per_token"] else []
    out += [("keys of the index", index)] if index else []
    return [(f"  {name}", f"{size / KILO:.1f} KB") for name, size in out]


def _not_understood(page: Page, items: tuple[Mapping[str, str], ...]) -> list[str]:
    if not items:
        return [page.paragraph("Every key was understood."), ""]
    body = page.told(
        [
            Column("not in the profile", "", [item["key"] for item in items], left=True, wraps=page.narrow),
            Column("value", "", [item["value"] for item in items], 2, left=True),
            Column("why", "", [item["why"] for item in items], 1, left=True, wraps=True),
            Column("how much it can matter", "", [item["matters"] for item in items], left=True, wraps=True),
        ]
    )
    return [body, ""]


def _text(value: object) -> str:
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)
