"""A traffic file as text: its format, requests and rate, lengths, burstiness and shared prefixes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.cli.text.cache_sizes import cache_table
from simulator.cli.text.length_table import length_table
from simulator.cli.text.page import Page, number
from simulator.traffic.describe import TraceSummary
from simulator.units import duration_text


def trace_text(found: TraceSummary, piped: bool = False) -> str:
    """What the file is, its lengths as a table, and one sentence on each of the other properties."""
    page, meta, row = Page.of(piped), found.meta, found.figures
    lines = [
        _requests(row),
        *[note[0].upper() + note[1:] for note in meta["notes"]],
        *_burstiness(row),
        *_prefixes(row),
    ]
    parts = [page.paragraph(f"{meta['file']}: {meta['format']}."), ""]
    if row["mean_input_tokens"] is not None:
        parts += [page.told(length_table(row)), ""]
    parts += [page.paragraph(f"{line}.", "  ") for line in lines]
    if found.lru and row["ideal_hit_rate_tokens"]:
        rule = "Hits in a cache that drops what was used longest ago, requests in order of arrival:"
        parts += ["", page.paragraph(rule), "", page.told(cache_table(found.lru))]
    return "\n".join(parts)


def _requests(row: Mapping[str, Any]) -> str:
    count = row["requests"]
    text = f"{count:,.0f} request{'' if count == 1 else 's'}"
    if row["mean_requests_per_s"] is None:
        return f"{text}, all at once"
    text += f" in {duration_text(row['duration_s'])}" if row["duration_s"] else ""
    text += f": {number(row['mean_requests_per_s'])} per second"
    if row["window_s"] is not None and row["duration_s"]:
        text += f", at most {number(row['peak_requests_per_s'])} over {duration_text(row['window_s'])}"
    return text


def _burstiness(row: Mapping[str, Any]) -> list[str]:
    parts = []
    if row["cv_of_gaps"] is not None:
        parts.append(f"gaps between requests have a cv of {number(row['cv_of_gaps'])}")
    if row["index_of_dispersion"] is not None:
        parts.append(
            f"counts in {duration_text(row['window_s'])} vary by {number(row['index_of_dispersion'])} x their mean "
            "(index of dispersion)"
        )
    return [f"Burstiness: {'; '.join(parts)}; Poisson is 1"] if parts else []


def _prefixes(row: Mapping[str, Any]) -> list[str]:
    tokens, requests = row["ideal_hit_rate_tokens"], row["ideal_hit_rate_requests"]
    if tokens is None:
        return []
    return [
        f"Shared prefixes: an endless prefix cache would hold {100 * tokens:.1f} % of all input tokens, "
        f"{100 * requests:.1f} % in the mean over requests; what is simulated computes every prompt whole"
    ]
