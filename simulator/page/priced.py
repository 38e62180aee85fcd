"""The same points on another cost basis: nothing else of a prediction or of a replay depends on a price."""

from __future__ import annotations

from simulator import api
from simulator.prediction.predict import derived
from simulator.results.table import ResultTable

COST = ("cost_usd_per_mtok", "cost_usd_per_mtok_lo", "cost_usd_per_mtok_hi")


def priced(table: ResultTable, basis: str) -> ResultTable:
    """A result on one accelerator as :func:`simulator.predict` or :func:`simulator.replay` gives it on a cost basis.

    Args:
        table: on any basis.
        basis: ``hyperscaler``, ``neocloud`` or ``rental``.
    """
    if table.meta["cost_basis"] == basis:
        return table
    prices = api.load_hardware(table.meta["hardware"]).price
    price = None if prices is None else float(getattr(prices, basis))
    rows = tuple(
        {name: costs.get(name) if name in COST else value for name, value in row.items()}
        for row in table.rows
        for costs in [derived(dict(row), dict(row), price, None) if row["total_tok_s_gpu"] else {}]
    )
    return ResultTable({**table.meta, "cost_basis": basis, "usd_per_gpu_hour": price}, rows)
