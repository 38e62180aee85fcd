"""Predict a scenario whose prompts another pool prefills: the rows of a prediction, per GPU of both pools."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from simulator.cost.explain import explain_round
from simulator.facts.launch import NONE
from simulator.prediction.pools import PrefillPool, closed_loop_pools, pool_bounds, pool_metrics
from simulator.prediction.predict import derived, versions
from simulator.results.table import ResultTable
from simulator.serving.scenario import Scenario, cost_basis_price, describe
from simulator.serving.scope import POOLS, judge
from simulator.serving.trusted import EVENTS
from simulator.units import GIGA, KILO


def predict_pools(
    scenario: Scenario,
    concurrencies: Sequence[int],
    prefill: PrefillPool,
    *,
    seed: int = 0,
    cost_basis: str = "hyperscaler",
    intervals: bool = True,
) -> ResultTable:
    """Expected metrics of the closed-loop benchmark, one row per concurrency, with the scope of pools.

    Args:
        scenario: of the replica that decodes; its caches have been checked to fit.
        concurrencies: closed-loop clients.
        prefill: the pool before it.
        seed: of lengths, accepted drafts and routing.
        cost_basis: ``hyperscaler``, ``neocloud`` or ``rental``.
        intervals: add ``*_lo`` and ``*_hi``, the ends of 90 % intervals.

    Raises:
        InputError: bad arguments, or what does not fit in memory.
    """
    d, s, w = scenario.deployment, scenario.speculation, scenario.workload
    price = cost_basis_price(d, cost_basis)
    pools = closed_loop_pools(scenario, prefill)
    rows = []
    for c in concurrencies:
        found = pool_metrics(pools, w, c, seed)
        bounds = pool_bounds(scenario, prefill, c, seed, found) if intervals else {}
        batch = max(1.0, found["decode_batch"])
        bound_by = explain_round(d, s, scenario.calibration.values(), batch, w.mean_isl + 0.5 * w.mean_osl).bound_by
        row: dict[str, Any] = {
            "concurrency": c,
            "tp": d.tp,
            "ep": d.ep,
            "dp": d.dp,
            "prefill_tp": prefill.tp,
            "prefill_replicas": prefill.replicas,
            "gpus": pools.total_gpus,
            "spec": "mtp" if s.tokens else "off",
            "spec_tokens": s.tokens,
            "acceptance_length": s.acceptance_length,
            "isl": w.isl,
            "osl": w.osl,
            "recipe": d.launch.recipe or NONE,
            "method": EVENTS,
            **found,
            **bounds,
            **derived(found, bounds, price, d.hardware.all_in_power),
            "hbm_used_gb": scenario.memory.used(min(c, scenario.slots)) / GIGA,
            "bound_by": bound_by,
            **judge(scenario, c).also(POOLS).as_row(),
        }
        rows.append(row)
    power = d.hardware.all_in_power
    meta = describe(scenario) | {
        "acceptance_source": s.source.text,
        "acceptance_positions": list(s.probabilities),
        "method": "des",
        "seed": seed,
        "cost_basis": cost_basis,
        "usd_per_gpu_hour": price,
        "all_in_kw_per_gpu": None if power is None else power / KILO,
        "intervals": "90 %" if intervals else None,
        "versions": versions(),
    }
    return ResultTable(meta | prefill.meta(pools, w.mean_isl), tuple(rows))
