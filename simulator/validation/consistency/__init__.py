"""Can these rows be true? Checks without a model of the hardware: identities, labels, neighbours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from simulator.measurements.rows import Row
from simulator.validation.consistency.client import check_client
from simulator.validation.consistency.cost import check_cost
from simulator.validation.consistency.finding import Finding, Severity
from simulator.validation.consistency.gpu_count import check_gpus
from simulator.validation.consistency.labels import check_comparable, check_duplicates
from simulator.validation.consistency.shape import check_shape
from simulator.validation.consistency.throughput import check_throughput
from simulator.validation.consistency.ttft import check_ttft

__all__ = ["Finding", "Severity", "check_rows"]

ORDER: Mapping[Severity, int] = {"impossible": 0, "suspicious": 1, "note": 2}


def check_rows(
    rows: Sequence[Row], *, price: float | Mapping[str, float] | None = None, all_in_kw: float | None = None
) -> list[Finding]:
    """All findings on a set of rows, the worst first, then by line.

    Args:
        rows: measured or frontier points, of one or several files.
        price: USD per GPU hour, one or by name of the base; without it the cost column is not checked.
        all_in_kw: all-in kW per GPU; without it the tok/s/MW column is not checked.
    """
    prices = {"price": price} if isinstance(price, int | float) else dict(price or {})
    findings = [f for _, f in check_client((row, f) for row in rows for f in check_gpus(row))]
    findings += [f for row in rows for f in check_cost(row, prices, all_in_kw)]
    findings += [*check_shape(rows), *check_ttft(rows), *check_throughput(rows)]
    findings += [*check_duplicates(rows), *check_comparable(rows)]
    return sorted(findings, key=lambda f: (ORDER[f.severity], f.file, f.line, f.kind))
