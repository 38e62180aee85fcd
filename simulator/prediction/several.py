"""Several scenarios over the same concurrencies, as one result table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from simulator.errors import InputError
from simulator.facts.deployment import check_deployment
from simulator.files.limits import within
from simulator.prediction.pools import PrefillPool
from simulator.prediction.predict import check_concurrencies, predict_one
from simulator.prediction.predict_pools import predict_pools
from simulator.results.table import ResultTable
from simulator.results.words import replica_name
from simulator.serving.pools import bytes_per_second
from simulator.serving.scenario import Scenario, make_scenario
from simulator.traffic.sweeps import Grid, parse_grid

CONCURRENCIES = (4, 8, 16, 32, 64, 128, 256)
"""Concurrencies swept when none are named."""

BYTES_OF_POINT = 5000
"""Memory that a row takes with its intervals, an estimate."""


def predict(
    scenarios: Scenario | Sequence[Scenario] | None = None,
    concurrencies: Sequence[int] | None = None,
    *,
    sweep: Grid | str | Sequence[str] = (),
    method: str = "des",
    seed: int = 0,
    cost_basis: str = "hyperscaler",
    intervals: bool = True,
    over_memory: str = "refuse",
    prefill_tp: int | None = None,
    prefill_replicas: int = 1,
    kv_bandwidth_gb_s: float = 50.0,
) -> ResultTable:
    """What one or several scenarios deliver at each concurrency: one row each, and every input beside them.

    Memory is checked for all of them before anything is computed. The meta block holds the inputs that all share,
    ``scenarios`` those in which they differ, one entry per scenario in the order of the rows, and ``left_out`` what was
    skipped.

    Args:
        scenarios: one or several, see :func:`~simulator.make_scenario`; None: the default one.
        concurrencies: closed-loop clients, each at least 1; None: those of 4, 8, ... 256 that fit in memory.
        sweep: instead of concurrencies and of the scenarios' own TP: ``["2:4..256", "4:4,8,16"]`` is TP2 at 4 to 256
            clients in powers of two and TP4 at 4, 8 and 16, each for every scenario.
        method: ``des`` (discrete events) or ``closed-form``.
        seed: of lengths and accepted drafts.
        cost_basis: ``hyperscaler``, ``neocloud`` or ``rental``.
        intervals: add ``*_lo`` and ``*_hi``, the ends of 90 % intervals.
        over_memory: ``refuse`` a concurrency whose caches do not fit, ``leave-out`` it, or ``queue`` what does not.
        prefill_tp: TP of a pool that only prefills; the scenario's replica then only decodes, and every figure per GPU
            counts the GPUs of both.
        prefill_replicas: replicas of that pool.
        kv_bandwidth_gb_s: per GPU between the pools, one way, GB/s.

    Raises:
        InputError: no scenario, bad arguments, or what does not fit in memory (with the arithmetic).

    Example:
        >>> from simulator import make_scenario, predict
        >>> table = predict(make_scenario(tp=2, mtp=3, acceptance_length=2.8), [16, 64])
        >>> table.column("concurrency")
        [16, 64]
    """
    if scenarios is None:
        scenarios = make_scenario()
    if isinstance(scenarios, Scenario):
        scenarios = [scenarios]
    if not scenarios:
        raise InputError("expected at least one scenario, found none")
    if sweep:
        loads = swept(scenarios, as_grid(sweep), concurrencies)
    else:
        if concurrencies is None:
            concurrencies, over_memory = CONCURRENCIES, "leave-out"
        check_concurrencies(concurrencies)
        loads = [(scenario, list(concurrencies)) for scenario in scenarios]
    within("points", sum(len(clients) for _, clients in loads), "configurations to predict", bytes_each=BYTES_OF_POINT)
    left_out: list[str] = []
    if over_memory == "leave-out":
        asked = loads
        loads = [(scenario, [c for c in clients if scenario.memory.fits(c)]) for scenario, clients in asked]
        notes = [
            left_out_note(scenario, clients, fits) for (scenario, clients), (_, fits) in zip(asked, loads, strict=True)
        ]
        left_out = [note for note in notes if note]
        loads = [(scenario, fits) for scenario, fits in loads if fits]
        if not loads:
            asked[0][0].check_memory(min(asked[0][1]))
    elif over_memory == "refuse":
        for scenario, clients in loads:
            scenario.check_memory(max(clients))
    same: dict[str, Any] = {"seed": seed, "cost_basis": cost_basis, "intervals": intervals}
    if prefill_tp is not None:
        prefill = PrefillPool(prefill_tp, prefill_replicas, bytes_per_second(kv_bandwidth_gb_s))
        if method != "des":
            raise InputError("--method: pools that prefill are simulated by discrete events (des) alone")
        tables = [predict_pools(scenario, fits, prefill, **same) for scenario, fits in loads]
    else:
        over = "queue" if over_memory == "queue" else "refuse"
        tables = [predict_one(scenario, fits, method=method, over_memory=over, **same) for scenario, fits in loads]
    table = merge([with_parallelism(t, s) for t, (s, _) in zip(tables, loads, strict=True)])
    return ResultTable({**table.meta, "left_out": left_out}, table.rows)


def as_grid(sweep: Grid | str | Sequence[str]) -> Grid:
    """A sweep as the arguments of the public functions state it.

    Raises:
        InputError: not a sweep.
    """
    return sweep if isinstance(sweep, Grid) else parse_grid("--sweep", sweep)


def swept(
    scenarios: Sequence[Scenario], grid: Grid, concurrencies: Sequence[int] | None = None
) -> list[tuple[Scenario, list[int]]]:
    """Every scenario on every replica size of a sweep, with the clients to run it at.

    Raises:
        InputError: concurrencies beside a sweep, or a shape that cannot be divided like that.
    """
    if concurrencies is not None:
        raise InputError("--sweep states the concurrencies of each TP: expected no --concurrency beside it")
    return [(with_tp(scenario, tp), list(clients)) for tp, clients in grid.sizes for scenario in scenarios]


def with_tp(scenario: Scenario, tp: int) -> Scenario:
    """The same scenario on another number of GPUs.

    Raises:
        InputError: the shape cannot be divided like that.
    """
    if isinstance(tp, bool) or not isinstance(tp, int) or tp < 1:
        raise InputError(f"--tp: expected a whole number of at least 1, found {tp!r}")
    deployment = scenario.deployment.model_copy(update={"tp": tp})
    check_deployment(deployment)
    return replace(scenario, deployment=deployment)


def left_out_note(scenario: Scenario, concurrencies: Sequence[int], fits: Sequence[int]) -> str:
    """Which concurrencies a scenario has no memory for, in words; empty if none."""
    missing = [c for c in concurrencies if c not in fits]
    if not missing:
        return ""
    k = scenario.speculation.tokens
    name = replica_name(scenario.deployment.tp, k)
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
        "max_running": d.engine.max_running,
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
