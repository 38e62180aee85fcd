"""Throughput and TPOT that fall together: requests spend more of their time outside decode.

In a closed loop a request takes ``concurrency / X`` seconds, X requests per second, of which ``(n - 1) TPOT`` are spent
decoding. The rest is waiting, prefill and the client.
"""

from __future__ import annotations

from simulator.measurements.littles_law import mean_length, output_throughput
from simulator.measurements.rows import MeasuredPoint
from simulator.units import MILLI
from simulator.validation.consistency.finding import Finding, describe, finding


def tpot_ms(row: MeasuredPoint) -> float | None:
    """Mean TPOT, else the median, in ms."""
    return row.mean_tpot_ms if row.mean_tpot_ms is not None else row.median_tpot_ms


def outside_decode(row: MeasuredPoint) -> float | None:
    """Share of a request's time outside decode, 0 to 1; None where throughput or TPOT are not published.

    Example:
        >>> row = MeasuredPoint(hardware="h", model="m", precision="FP8", engine="e", spec="off", isl=3500, osl=1500,
        ...                     tp=1, concurrency=979, output_tok_s_gpu=16240, mean_tpot_ms=48.5)
        >>> round(100 * outside_decode(row), 1)
        19.6
    """
    output, tpot = output_throughput(row), tpot_ms(row)
    if output is None or tpot is None:
        return None
    length = mean_length(row.osl, row.ratio)
    seconds = row.concurrency * length / (output * row.all_gpus)
    return 1.0 - (length - 1.0) * tpot * MILLI / seconds


def grew_outside(row: MeasuredPoint, before: MeasuredPoint) -> Finding | None:
    """A finding where a row has less throughput and a lower TPOT than one that it should not be below."""
    now, then = outside_decode(row), outside_decode(before)
    here, there = tpot_ms(row), tpot_ms(before)
    if now is None or then is None or here is None or there is None or here >= there or now <= then:
        return None
    output, earlier = output_throughput(row) or 0.0, output_throughput(before) or 1.0
    message = (
        f"time outside decode grew from {100 * then:.1f} % to {100 * now:.1f} % of a request: TPOT fell from "
        f"{there:g} to {here:g} ms and throughput too, by {100 * (1 - output / earlier):.1f} %, from concurrency "
        f"{before.concurrency} to {row.concurrency} of {describe(row)}. Not noise: waiting before the first token, "
        "prefill, or a client that sends late"
    )
    return finding(
        [row], "suspicious", "outside_decode", message, share=now, share_before=then, tpot_ms=here, tpot_before_ms=there
    )
