"""Identities of cost and tok/s/MW; a row that misses them by a few percent was interpolated, not run.

cost x throughput x 3600 / 1e6 is the price of a GPU hour, and tok/s/MW x kW / 1000 is the throughput per GPU.
Runs keep both to rounding. On an interpolated frontier each metric was splined on its own, and they drift apart:
0.258 USD/M x 1572.7 tok/s gives 1.46 USD/h, not 1.48 (``simulator/measurements/published/README.md``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from simulator.measurements.rows import FrontierPoint, Row
from simulator.units import KILO, MEGA, SECONDS_PER_HOUR
from simulator.validation.consistency.finding import Finding, finding

SPLINED = (0.005, 0.10)
"""How far off an identity is at an interpolated point: beyond it the price or the power is another one."""


def implied_price(cost_usd_per_mtok: float, total_tok_s_gpu: float) -> float:
    """USD per GPU hour.

    Example:
        >>> round(implied_price(0.258, 1572.7), 2)
        1.46
    """
    return cost_usd_per_mtok * total_tok_s_gpu * SECONDS_PER_HOUR / MEGA


def implied_throughput(tok_s_per_mw: float, all_in_kw: float) -> float:
    """Total tok/s/GPU.

    Example:
        >>> round(implied_throughput(593481, 2.65), 1)
        1572.7
    """
    return tok_s_per_mw * all_in_kw / KILO


def check_cost(row: Row, prices: Mapping[str, float], all_in_kw: float | None) -> Iterator[Finding]:
    """Findings on cost and tok/s/MW of one row.

    Args:
        row: measured or frontier point.
        prices: name of the base -> USD per GPU hour.
        all_in_kw: kW per GPU, or None.
    """
    total = row.total_tok_s_gpu
    if total is None:
        return
    off: dict[str, float] = {}
    words: list[str] = []
    if row.cost_usd_per_mtok is not None and prices:
        price = implied_price(row.cost_usd_per_mtok, total)
        base = min(prices, key=lambda name: abs(price / prices[name] - 1.0))
        off["cost"] = _beyond_rounding(price / prices[base] - 1.0, row.cost_usd_per_mtok, total)
        words.append(f"cost x throughput is {price:.4f} USD/h against {prices[base]:g} ({base})")
    if row.tok_s_per_mw is not None and all_in_kw is not None:
        throughput = implied_throughput(row.tok_s_per_mw, all_in_kw)
        off["mw"] = _beyond_rounding(throughput / total - 1.0, row.tok_s_per_mw, total)
        words.append(f"tok/s/MW x {all_in_kw:g} kW is {throughput:.1f} tok/s against {total:g}")
    yield from _judge(row, off, "; ".join(words))


def _judge(row: Row, off: Mapping[str, float], words: str) -> Iterator[Finding]:
    wrong = {name: value for name, value in off.items() if abs(value) > SPLINED[0]}
    if not wrong:
        return
    frontier = isinstance(row, FrontierPoint)
    data = {f"{name}_off": value for name, value in off.items()}
    apart = len(off) == 2 and abs(off["cost"] - off["mw"]) > SPLINED[0]
    evidence = frontier or apart or not _power_of_two(row.concurrency)
    if all(abs(value) <= SPLINED[1] for value in wrong.values()) and evidence:
        what = "interpolated, as a frontier point is" if frontier else "a splined frontier point, not a run"
        yield finding([row], "note" if frontier else "suspicious", "interpolated", f"{words}: {what}", **data)
        return
    for name in wrong:
        yield finding(
            [row], "suspicious", f"{name}_identity", f"{words}: not one of the prices or powers given", **data
        )


def _power_of_two(concurrency: float | None) -> bool:
    return concurrency is not None and concurrency == int(concurrency) and int(concurrency).bit_count() == 1


def _beyond_rounding(relative: float, *published: float) -> float:
    """The relative error, or 0 where half a unit in the last published place explains it."""
    return 0.0 if abs(relative) <= sum(_half_unit(value) / value for value in published) else relative


def _half_unit(value: float) -> float:
    exponent = Decimal(repr(value)).normalize().as_tuple().exponent
    return 0.5 * 10.0 ** min(int(exponent), 0)
