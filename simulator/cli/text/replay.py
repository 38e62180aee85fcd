"""Replayed sessions as text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.cli.text.page import Column, Page, not_shown, number, with_interval
from simulator.cli.text.scope import scope_column
from simulator.cli.text.simulate import open_title
from simulator.prediction.replay import Replay
from simulator.results import words
from simulator.units import MEGA, duration_text

STATES = {
    "blocks": "",
    "chunk_ends": ", found again where a prefill pass ended",
    "branches": ", found again where a pass ended or prompts parted",
    "steps": ", found again where a step ended on a page",
    "interval": ", found again every so many tokens or where prompts parted",
}


def replay_text(result: Replay, piped: bool = False) -> str:
    """Title, table and the inputs that matter."""
    page, rows, meta = Page.of(piped), result.rows, result.meta

    def plain(head: str, unit: str, name: str, rank: int = 0, digits: int = 3) -> Column:
        return Column(head, unit, [number(row[name], digits) for row in rows], rank)

    def band(head: str, unit: str, name: str, rank: int = 0, digits: int = 3) -> Column:
        cells = [with_interval(row[name], row.get(f"{name}_lo"), row.get(f"{name}_hi"), digits) for row in rows]
        return Column(head, unit, cells, rank)

    def share(head: str, name: str, rank: int = 0) -> Column:
        return Column(head, "%", [number(None if row[name] is None else 100 * row[name], 3) for row in rows], rank)

    hosts = [share("host", "hit_rate_host", 1)] if any(row["hit_rate_host"] is not None for row in rows) else []
    body, dropped = page.table(
        [
            Column("sessions", "live", [f"{row['concurrency']}" for row in rows]),
            band("throughput", "tok/s/GPU", "total_tok_s_gpu", digits=4),
            plain("uncached", "tok/s/GPU", "uncached_tok_s_gpu", 6),
            plain("output", "tok/s/GPU", "output_tok_s_gpu", 7),
            band("p90 interactivity", "tok/s/user", "p90_interactivity_tok_s_user", 1),
            plain("TTFT", "ms", "mean_ttft_ms", 2),
            plain("p90 TTFT", "ms", "p90_ttft_ms", 8),
            plain("TPOT", "ms", "mean_tpot_ms", 2),
            share("hits", "hit_rate_gpu"),
            *hosts,
            share("ideal", "hit_rate_ideal", 3),
            share("queued", "queued_share", 5),
            plain("cost", "USD/Mtok", "cost_usd_per_mtok", 4),
            plain("per power", "tok/s/MW", "tok_s_per_mw", 9),
            *scope_column(rows),
            Column("bound by", "", [str(row["bound_by"]) for row in rows], 10, left=True),
        ]
    )
    off = [] if meta["spec_tokens"] else ["MTP off"]
    notes = [*off, *words.acceptances(meta), words.calibration(meta), words.cost(meta), f"seed {meta['seed']}"]
    notes += [words.scope(rows), *meta["notes"]]
    if meta["intervals"]:
        notes.append(f"±: {meta['intervals']} interval")
    more = f" {not_shown(dropped)}." if dropped else ""
    parts = [
        page.paragraph(open_title(meta)),
        page.paragraph(f"{sessions_line(meta)} {memory_line(meta)}"),
        page.paragraph(words.recipes(meta)),
        "",
        body,
        "",
        page.paragraph(f"{'; '.join(notes)}."),
        page.paragraph(f"Throughput counts cached input.{more} All columns: --format csv or json."),
    ]
    return "\n".join(parts)


def sessions_line(meta: Mapping[str, Any]) -> str:
    """Which sessions are played, and for how long."""
    return (
        f"{meta['recorded_sessions']} recorded sessions of {meta['recorded_requests']} requests, "
        f"{number(meta['mean_input_tokens'], 4)}/{number(meta['mean_output_tokens'])} tokens in/out in the mean; "
        f"sent for {duration_text(meta['duration_s'])}, waits up to {duration_text(meta['think_cap_s'])}."
    )


def memory_line(meta: Mapping[str, Any]) -> str:
    """What the replica keeps of prompts."""
    if meta["prefix_cache"] is None:
        return f"Prefix cache off; room for {meta['kv_tokens_capacity'] / MEGA:.2f} M tokens."
    states = "" if meta["state_slots"] is None else f" and {meta['state_slots']:,} states"
    host = "" if meta["host_tokens"] is None else f", {meta['host_tokens'] / MEGA:.2f} M tokens on the hosts"
    return (
        f"Prefix cache of {meta['kv_tokens_capacity'] / MEGA:.2f} M tokens{states}{STATES[meta['prefix_cache']]}{host}."
    )
