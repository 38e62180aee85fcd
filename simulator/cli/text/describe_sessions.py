"""A file of sessions as text: how many, how long, what their prompts share, and the cache that it takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.cli.text.cache_sizes import amount, cache_table
from simulator.cli.text.length_table import length_table
from simulator.cli.text.page import Page
from simulator.traffic.describe_sessions import SessionsSummary
from simulator.units import duration_text


def sessions_text(found: SessionsSummary, piped: bool = False) -> str:
    """What the file is, its lengths and hit rates as tables, and a sentence on each of the other properties."""
    page, row = Page.of(piped), found.figures
    notes = [note[0].upper() + note[1:] for note in found.meta["notes"]]
    lines = [_counts(row), *notes, *_pauses(row), _output(row), *_prefixes(row), *_needs(found)]
    parts = [page.paragraph(f"{found.meta['file']}: {found.meta['format']}."), "", page.told(length_table(row)), ""]
    parts += [page.paragraph(f"{line}.", "  ") for line in lines]
    if found.lru:
        rule = (
            "Hits in a cache that drops what was used longest ago, by sessions at a time (each from its first request "
            "on, as fast as recorded, pauses cut at 10 s):"
        )
        parts += ["", page.paragraph(rule), "", page.told(cache_table(found.lru))]
    return "\n".join(parts)


def _counts(row: Mapping[str, Any]) -> str:
    text = f"{_many(row['sessions'], 'session')} of {_many(row['requests'], 'request')}"
    if row["subagents"]:
        text += f", {_many(row['subagents'], 'subagent')}"
    if row["sessions"] > 1:
        text += (
            f"; {row['mean_requests_per_session']:.3g} requests in the mean, {row['max_requests_per_session']} at most"
        )
    return text


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _pauses(row: Mapping[str, Any]) -> list[str]:
    if row["median_think_s"] is None:
        return []
    return [
        f"Think times: {duration_text(row['median_think_s'])} in the median, {duration_text(row['p90_think_s'])} at P90"
    ]


def _output(row: Mapping[str, Any]) -> str:
    return f"Output is {100 * row['output_share']:.2g} % of all tokens"


def _prefixes(row: Mapping[str, Any]) -> list[str]:
    tokens, requests = row["ideal_hit_rate_tokens"], row["ideal_hit_rate_requests"]
    if tokens is None:
        return ["The file does not say which prompts are alike"]
    return [
        f"Shared prefixes: an endless prefix cache would hold {100 * tokens:.1f} % of all input tokens, "
        f"{100 * requests:.1f} % in the mean over requests; nothing is shared between sessions"
    ]


def _needs(found: SessionsSummary) -> list[str]:
    rows = found.working_set
    if not rows:
        return []
    middle = max(row["median_working_set_tokens"] for row in rows)
    high = max(row["p90_working_set_tokens"] for row in rows)
    if len(found.sessions.items) == 1:
        return [f"Working set: at most {amount(middle)} tokens that the request at hand or a later one asks for"]
    return [
        f"Working set of a session, tokens that the request at hand or a later one asks for: up to {amount(middle)} in "
        f"the median, {amount(high)} at P90"
    ]
