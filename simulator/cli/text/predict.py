"""A prediction as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.cli.text.page import Column, Page, not_shown, number, with_interval
from simulator.cli.text.scope import scope_column
from simulator.results import words
from simulator.results.table import ResultTable
from simulator.serving.trusted import CLOSED_FORM, EVENTS
from simulator.units import KILO


def prediction_text(table: ResultTable, piped: bool = False) -> str:
    """Title, table and the inputs that matter."""
    page, rows, meta = Page.of(piped), table.rows, table.meta
    compared = [("recipe", "recipe", "")] if "recipe_changes" in meta else []
    several = [
        Column(head, unit, [f"{row[name]}" for row in rows], left=name == "recipe")
        for name, head, unit in (*compared, ("tp", "TP", "GPUs"), ("spec_tokens", "MTP", "depth"))
        if len({row[name] for row in rows}) > 1
    ]

    def plain(head: str, unit: str, name: str, rank: int = 0, digits: int = 3, scale: float = 1.0) -> Column:
        return Column(head, unit, [_scaled(row.get(name), scale, digits) for row in rows], rank)

    body, dropped = page.table(
        [
            *several,
            Column("clients", "", [f"{row['concurrency']}" for row in rows]),
            Column("throughput", "tok/s/GPU", [_band(row, "total_tok_s_gpu", 4) for row in rows]),
            plain("output", "tok/s/GPU", "output_tok_s_gpu", 9, 4),
            Column("interactivity", "tok/s/user", [_band(row, "interactivity_tok_s_user", 3) for row in rows], 1),
            plain("TPOT", "ms", "mean_tpot_ms"),
            plain("TTFT", "ms", "mean_ttft_ms", 2),
            plain("p99 TTFT", "ms", "p99_ttft_ms", 5),
            plain("E2E", "s", "mean_e2e_ms", 7, scale=1 / KILO),
            plain("rate", "req/s", "requests_per_s", 8),
            plain("cost", "USD/Mtok", "cost_usd_per_mtok"),
            plain("per power", "tok/s/MW", "tok_s_per_mw", 4),
            plain("HBM", "GB/GPU", "hbm_used_gb", 6),
            *scope_column(rows),
            Column("bound by", "", [str(row["bound_by"]) for row in rows], 3, left=True),
        ]
    )
    off = [] if any(words.values(meta, "spec_tokens")) else ["MTP off"]
    notes = [
        *off,
        *words.acceptances(meta),
        *words.hit_rates(meta),
        words.calibration(meta),
        words.cost(meta),
        words.method(meta),
    ]
    notes.append(words.scope(rows))
    if fallen := [f"{row['concurrency']}" for row in rows if row["method"] not in (EVENTS, CLOSED_FORM)]:
        notes.append(f"by discrete events, since the closed form is not valid there: {', '.join(fallen)} clients")
    if meta.get("intervals"):
        notes.append(f"±: {meta['intervals']} interval")
    notes += [*words.limits(meta, rows), *meta["left_out"]]
    means = "Means, except interactivity = 1000 / median TPOT in ms."
    more = f" {not_shown(dropped)}." if dropped else ""
    pool = f", {words.pool(meta)}" if "prefill_tp" in meta else ""
    parts = [page.paragraph(words.header(meta) + pool), page.paragraph(words.recipes(meta)), "", body, ""]
    parts += [f"{page.paragraph(line)}" for line in meta.get("recipe_changes", [])]
    parts += [""] if "recipe_changes" in meta else []
    parts.append(page.paragraph(f"{'; '.join(notes)}."))
    parts.append(page.paragraph(f"{means}{more} All columns: --format csv or json."))
    return "\n".join(parts)


def _band(row: Mapping[str, Any], name: str, digits: int) -> str:
    return with_interval(row[name], row.get(f"{name}_lo"), row.get(f"{name}_hi"), digits)


def _scaled(value: float | None, scale: float, digits: int) -> str:
    return number(None if value is None else value * scale, digits)
