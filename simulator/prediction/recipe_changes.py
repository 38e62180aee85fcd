"""What another recipe buys: two recipes side by side at each concurrency, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.errors import InputError
from simulator.results.table import ResultTable
from simulator.results.words import replica_name

SAME = ("tp", "ep", "dp", "spec_tokens", "isl", "osl", "concurrency")
"""What rows that are compared have in common."""

COMPARED = {"total_tok_s_gpu": "throughput", "mean_tpot_ms": "TPOT", "mean_ttft_ms": "TTFT"}


def recipe_changes(table: ResultTable) -> list[str]:
    """One sentence per configuration and concurrency: by how many per cent the second recipe moves each metric.

    Args:
        table: as :func:`~simulator.predict` returns it for scenarios of two recipes.

    Raises:
        InputError: not two recipes, or no configuration that both have.

    Example:
        >>> from simulator import make_scenario, predict
        >>> both = [make_scenario(recipe=name) for name in ("sglang-default", "sglang-mi355x-fp4-2026-08")]
        >>> recipe_changes(predict(both, [64], method="closed-form"))[0].split(":")[0]
        'TP2 Off, 64 clients'
    """
    names = list(dict.fromkeys(row["recipe"] for row in table.rows))
    if len(names) != 2:
        raise InputError(f"--compare-recipes: expected rows of two recipes, found {', '.join(names) or 'none'}")
    before, after = names
    known = {_key(row): row for row in table.rows if row["recipe"] == before}
    pairs = [(known[_key(row)], row) for row in table.rows if row["recipe"] == after and _key(row) in known]
    if not pairs:
        raise InputError(f"--compare-recipes: {before} and {after} have no configuration in common that fits in memory")
    return [f"{_name(new)}: {after} instead of {before} changes {_changes(old, new)}" for old, new in pairs]


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row.get(name) for name in SAME)


def _name(row: Mapping[str, Any]) -> str:
    return f"{replica_name(row['tp'], row['spec_tokens'], row['ep'])}, {row['concurrency']} clients"


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    both = [(word, old.get(metric), new.get(metric)) for metric, word in COMPARED.items()]
    return ", ".join(f"{word} by {100 * (b / a - 1):+.1f} %" for word, a, b in both if a and b)
