"""Hit rates by size of a prefix cache as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from simulator.cli.text.page import Column
from simulator.units import GIGA, KILO, MEGA

Rows = Sequence[Mapping[str, Any]]


def cache_table(rows: Rows) -> list[Column]:
    """A row per capacity, a column per number of sessions at a time."""
    sizes = list(dict.fromkeys(row["capacity_tokens"] for row in rows))
    lanes = list(dict.fromkeys(row["lanes"] for row in rows))
    rates = {(row["lanes"], row["capacity_tokens"]): row["hit_rate_tokens"] for row in rows}
    columns = [Column("cache", "tokens", [amount(size) for size in sizes])]
    for rank, one in enumerate(lanes):
        title = "hits" if one is None else f"{one} at a time"
        columns.append(Column(title, "% of input", [f"{100 * rates[one, size]:.1f}" for size in sizes], rank=rank))
    return columns


def amount(tokens: float) -> str:
    """Tokens as people say them.

    Example:
        >>> amount(500), amount(20_000), amount(1_500_000)
        ('500', '20k', '1.5M')
    """
    for size, letter in ((GIGA, "G"), (MEGA, "M"), (KILO, "k")):
        if tokens >= size:
            return f"{tokens / size:.3g}{letter}"
    return f"{tokens:.3g}"
