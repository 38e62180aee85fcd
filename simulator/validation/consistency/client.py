"""A client that does not keep its concurrency: from some number of clients on, the same requests are in flight."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from simulator.measurements.rows import Row
from simulator.validation.consistency.finding import SERIES, Finding

CLIENT, POLLS = "client", "polls"
"""Extra column of a converted row, and what it says of a tool whose client does not keep its concurrency."""
SAME = 0.06
"""How near requests in flight must be to one another to be the same; Little's law of honest rows scatters by 0.02."""


def check_client(found: Iterable[tuple[Row, Finding]]) -> Iterator[tuple[Row, Finding]]:
    """Findings of Little's law read again: several concurrencies of one series with the same requests in flight.

    Args:
        found: rows, each with a finding of :func:`simulator.validation.consistency.gpu_count.check_gpus`.
    """
    pairs = [(row, _of_polling(row, finding)) for row, finding in found]
    series: defaultdict[tuple[object, ...], list[tuple[Row, Finding]]] = defaultdict(list)
    for row, finding in pairs:
        if _few(finding.data):
            series[tuple(getattr(row, name, None) for name in SERIES)].append((row, finding))
    limits = {}
    for key, members in series.items():
        flying = [float(str(f.data["in_flight"])) for _, f in members]
        if len({row.concurrency for row, _ in members}) > 1 and max(flying) <= min(flying) * (1.0 + SAME):
            limits[key] = sum(flying) / len(flying)
    for row, finding in pairs:
        limit = limits.get(tuple(getattr(row, name, None) for name in SERIES)) if _few(finding.data) else None
        yield (row, finding if limit is None else _capped(finding, limit))


def _of_polling(row: Row, finding: Finding) -> Finding:
    """Too few requests in flight of a client that is known to start them only when it looks: no fault of the row."""
    if row.extras.get(CLIENT) != POLLS or not _few(finding.data):
        return finding
    flying = float(str(finding.data["in_flight"]))
    message = (
        f"{flying:.1f} of the stated {row.concurrency} requests are in flight: the client of this tool starts requests "
        "when it looks, and does not keep its concurrency"
    )
    return replace(finding, severity="note", kind="client_polls", message=message)


def _few(data: Mapping[str, object]) -> bool:
    ratio, low = data.get("ratio"), data.get("band_low")
    return isinstance(ratio, float) and isinstance(low, float) and ratio < low


def _capped(finding: Finding, limit: float) -> Finding:
    message = (
        f"the client keeps {limit:.0f} requests in flight whatever the concurrency: a limit of its connections, or too "
        f"few requests. {finding.message}"
    )
    data = {**finding.data, "candidates": ["client_limit", *_names(finding.data)]}
    return replace(finding, kind="client_limit", message=message, data=data)


def _names(data: Mapping[str, object]) -> list[str]:
    found = data.get("candidates")
    return [str(one) for one in found] if isinstance(found, list) else []
