"""Several scenarios over the same concurrencies, as one result table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from simulator.errors import InputError
from simulator.prediction.predict import check_concurrencies, predict
from simulator.results.table import ResultTable
from simulator.serving.scenario import Scenario

CONCURRENCIES = (4, 8, 16, 32, 64, 128, 256)
"""Concurrencies swept when none are named."""


def sweep(
    scenarios: Sequence[Scenario],
    concurrencies: Sequence[int] | None = None,
    *,
    method: str = "des",
    seed: int = 0,
    cost_basis: str = "hyperscaler",
    intervals: bool = True,
    over_memory: str = "refuse",
) -> ResultTable:
    """Predict every scenario at every concurrency; arguments as of :func:`simulator.prediction.predict.predict`.

    Memory is checked for all of them before anything is computed. ``over_memory="leave-out"`` skips what does not fit;
    so does a sweep without ``concurrencies``, over :data:`CONCURRENCIES`. The meta block holds the inputs that all
    share, ``scenarios`` those in which they differ, one entry per scenario in the order of the rows, and ``left_out``
    what was skipped.

    Raises:
        InputError: no scenario, what :func:`~simulator.prediction.predict.predict` refuses, or nothing fits in memory.
    """
    if not scenarios:
        raise InputError("expected at least one scenario, found none")
    if concurrencies is None:
        concurrencies, over_memory = CONCURRENCIES, "leave-out"
    check_concurrencies(concurrencies)
    loads = [(scenario, list(concurrencies)) for scenario in scenarios]
    left_out: list[str] = []
    if over_memory == "leave-out":
        loads = [(scenario, [c for c in concurrencies if scenario.memory.fits(c)]) for scenario in scenarios]
        left_out = [note for scenario, fits in loads if (note := _left_out(scenario, concurrencies, fits))]
        loads = [(scenario, fits) for scenario, fits in loads if fits]
        if not loads:
            scenarios[0].check_memory(min(concurrencies))
    elif over_memory == "refuse":
        for scenario in scenarios:
            scenario.check_memory(max(concurrencies))
    tables = [
        predict(
            scenario,
            fits,
            method=method,
            seed=seed,
            cost_basis=cost_basis,
            intervals=intervals,
            over_memory="queue" if over_memory == "queue" else "refuse",
        )
        for scenario, fits in loads
    ]
    table = merge([with_parallelism(t, s) for t, (s, _) in zip(tables, loads, strict=True)])
    return ResultTable({**table.meta, "left_out": left_out}, table.rows)


def _left_out(scenario: Scenario, concurrencies: Sequence[int], fits: Sequence[int]) -> str:
    missing = [c for c in concurrencies if c not in fits]
    if not missing:
        return ""
    k = scenario.speculation.tokens
    name = f"TP{scenario.deployment.tp} {f'MTP {k}' if k else 'Off'}"
    return (
        f"{name}: concurrency {', '.join(map(str, missing))} left out, since at most {scenario.max_concurrency} "
        "requests fit in memory"
    )


def with_parallelism(table: ResultTable, scenario: Scenario) -> ResultTable:
    """The table with parallelism, speculation and the largest concurrency that fits in its meta block too."""
    d, s = scenario.deployment, scenario.speculation
    own = {
        "tp": d.tp,
        "ep": d.ep,
        "dp": d.dp,
        "spec_tokens": s.tokens,
        "acceptance_length": s.acceptance_length,
        "max_concurrency": scenario.max_concurrency,
    }
    return ResultTable({**own, **table.meta}, table.rows)


def merge(tables: Sequence[ResultTable]) -> ResultTable:
    """One table of all rows; see :func:`sweep` for its meta block. A single table is returned as it is."""
    if len(tables) == 1:
        return tables[0]
    shared, own = split_meta([table.meta for table in tables])
    return ResultTable({**shared, "scenarios": own}, tuple(row for table in tables for row in table.rows))


def split_meta(metas: Sequence[Mapping[str, Any]]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What all share, and per entry what is left.

    Example:
        >>> split_meta([{"isl": 1024, "tp": 2}, {"isl": 1024, "tp": 4}])
        ({'isl': 1024}, [{'tp': 2}, {'tp': 4}])
    """
    first = metas[0]
    shared = {k: v for k, v in first.items() if all(k in meta and meta[k] == v for meta in metas)}
    return shared, [{k: v for k, v in meta.items() if k not in shared} for meta in metas]
