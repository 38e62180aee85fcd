"""The acceptance length that a stream shows by itself: inter-token latency over time per output token."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from simulator.measurements import MeasuredPoint
from simulator.measurements.configuration import DEFAULT_DEPTH


def itl_over_tpot(row: MeasuredPoint) -> float | None:
    """Tokens per round that a stream shows by itself: the time between its messages over the time per token.

    None where either is not there (``mean_itl_ms`` or ``median_itl_ms`` among further columns), and where the ratio is
    no acceptance length: engines that hold back tokens, or send one at a time.

    Example:
        >>> row = MeasuredPoint(
        ...     hardware="h", model="m", precision="FP4", engine="e", spec="mtp", spec_tokens=3, isl=1024, osl=1024,
        ...     tp=1, concurrency=4, mean_tpot_ms=5.0, extras={"mean_itl_ms": "13.5"},
        ... )
        >>> itl_over_tpot(row)
        2.7
    """
    for statistic in ("mean", "median"):
        tpot: float | None = getattr(row, f"{statistic}_tpot_ms")
        try:
            itl = float(row.extras.get(f"{statistic}_itl_ms", ""))
        except ValueError:
            continue
        if tpot and 1.0 < itl / tpot <= (row.spec_tokens or DEFAULT_DEPTH) + 1.0:
            return itl / tpot
    return None


def streamed_sentences(rows: Sequence[MeasuredPoint]) -> list[str]:
    """What the streams of the MTP rows say of the acceptance, without an Off curve and without a model."""
    found = [value for row in rows if (value := itl_over_tpot(row)) is not None]
    if not found:
        return []
    middle = median(found)
    rows_word = "row" if len(found) == 1 else "rows"
    return [
        f"ITL / TPOT of {len(found)} MTP {rows_word} says {middle:.2f} tokens per round ({min(found):.2f} to "
        f"{max(found):.2f}), without an Off curve and without a model, if each round is one message"
    ]
