"""What memory for prompts is worth, as a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.cli.text.cache_sizes import amount
from simulator.cli.text.page import Column, number
from simulator.cli.text.scope import scope_column
from simulator.results import words
from simulator.units import duration_text
from simulator.what_if import Study
from simulator.what_if.cache_words import PLACE, name_of


def cache_study_table(study: Study) -> list[Column]:
    """A row per replica, memory and number of sessions."""
    rows = study.tables["points"]

    def share(head: str, name: str, rank: int = 0) -> Column:
        return Column(head, "%", [number(None if row[name] is None else 100 * row[name], 3) for row in rows], rank)

    several = len({tuple(row[name] for name in PLACE) for row in rows}) > 1
    return [
        *([Column("", "", [name_of(row, rows) for row in rows], left=True)] if several else []),
        Column("sessions", "live", [f"{row['concurrency']}" for row in rows]),
        Column("pool", "x", [f"{row['pool_scale']:g}" for row in rows]),
        Column("on GPUs", "tokens", [amount(row["kv_tokens_capacity"]) for row in rows], 3),
        Column("host", "ratio", [f"{row['host_cache_ratio']:g}" for row in rows]),
        Column("throughput", "tok/s/GPU", [number(row["total_tok_s_gpu"], 4) for row in rows]),
        Column("p90 interactivity", "tok/s/user", [number(row["p90_interactivity_tok_s_user"], 3) for row in rows], 1),
        share("hits", "hit_rate_gpu"),
        share("host hits", "hit_rate_host"),
        share("ideal", "hit_rate_ideal", 2),
        Column("TTFT", "ms", [number(row["mean_ttft_ms"]) for row in rows], 5),
        share("queued", "queued_share", 6),
        Column("cost", "USD/Mtok", [number(row["cost_usd_per_mtok"]) for row in rows], 4),
        *scope_column(rows),
    ]


def cache_title(meta: Mapping[str, Any]) -> str:
    """Which sessions, for how long, on what."""
    several = [f"TP{tp}" for tp in words.values(meta, "tp")]
    models, hardware = (" and ".join(map(str, words.values(meta, name))) for name in ("model", "hardware"))
    return (
        f"{models} on {hardware}, {' and '.join(several)}: {meta['sessions']}, "
        f"sent for {duration_text(meta['duration_s'])}, waits up to {duration_text(meta['think_cap_s'])}"
    )
