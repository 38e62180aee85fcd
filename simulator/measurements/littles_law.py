"""Little's law between concurrency, throughput, TTFT and TPOT: N = X (TTFT + (n - 1) TPOT).

N is the mean number of requests in flight, X the requests per second of the replica, n the mean output length. A closed
loop keeps N at the concurrency except while it ramps and drains.
"""

from __future__ import annotations

from simulator.measurements.rows import LOWEST, MeasuredPoint, Run
from simulator.units import KILO, MILLI

LENGTH_RATIO = 0.9
"""Mean over nominal length: lengths are uniform in [0.8 L, L] (``simulator/measurements/published/README.md``)."""
TYPICAL_RATIO = 0.976
"""Median of N / concurrency over the 482 shipped rows with latencies (0.954 to 0.990)."""
HONEST_BAND = (0.90, 1.03)
"""N / concurrency of an honest row: 0.954 to 0.990 in the shipped rows, with a margin of 0.05 below (fewer requests
per client, a longer drain) and 0.04 above (mean TPOT weighs requests, not tokens)."""
MEDIAN_SLACK = 0.10
"""Widening of the band, each side, for rows that publish medians only."""


def mean_length(nominal: int, ratio: float = LOWEST) -> float:
    """Mean tokens of lengths uniform in [ratio x L, L]: ``mean_length(1024) == 921.6``."""
    return LENGTH_RATIO * nominal if ratio == LOWEST else 0.5 * (1.0 + ratio) * nominal


def latencies_ms(row: Run) -> tuple[float, float, bool] | None:
    """(TTFT ms, TPOT ms, are they means) of a row, or None unless both are published; means go before medians."""
    if row.mean_ttft_ms is not None and row.mean_tpot_ms is not None:
        return row.mean_ttft_ms, row.mean_tpot_ms, True
    median_tpot = row.median_tpot_ms
    if median_tpot is None and row.interactivity_tok_s_user is not None:
        median_tpot = KILO / row.interactivity_tok_s_user
    ttft = row.median_ttft_ms if row.median_ttft_ms is not None else row.mean_ttft_ms
    tpot = median_tpot if median_tpot is not None else row.mean_tpot_ms
    return None if ttft is None or tpot is None else (ttft, tpot, False)


def honest_band(row: MeasuredPoint) -> tuple[float, float]:
    """The band of :func:`little_ratio` that an honest row keeps to; wider where only medians are published."""
    found = latencies_ms(row)
    slack = 0.0 if found is None or found[2] else MEDIAN_SLACK
    return HONEST_BAND[0] - slack, HONEST_BAND[1] + slack


def output_throughput(row: Run) -> float | None:
    """Output tok/s/GPU: as published, or the output share ``osl / (isl + osl)`` of the total."""
    if row.output_tok_s_gpu is not None:
        return row.output_tok_s_gpu
    return None if row.total_tok_s_gpu is None else row.total_tok_s_gpu * row.osl / (row.isl + row.osl)


def in_flight(output_tok_s: float, ttft_ms: float, tpot_ms: float, osl: int, ratio: float = LOWEST) -> float:
    """Mean requests in flight by Little's law.

    Args:
        output_tok_s: output tokens per second of the replica (or per GPU, then the answer is per GPU).
        ttft_ms: mean time to first token.
        tpot_ms: mean time per output token.
        osl: nominal output length in tokens.
        ratio: shortest over nominal length.
    """
    length = mean_length(osl, ratio)
    return output_tok_s / length * MILLI * (ttft_ms + (length - 1.0) * tpot_ms)


def little_ratio(row: MeasuredPoint, output_tok_s_gpu: float | None = None) -> float | None:
    """N / concurrency of a row with its stated TP, or None where throughput, TTFT or TPOT are not published.

    Args:
        row: the measured point.
        output_tok_s_gpu: output tok/s/GPU to use instead of the published figure.
    """
    output = output_throughput(row) if output_tok_s_gpu is None else output_tok_s_gpu
    found = latencies_ms(row)
    if output is None or found is None:
        return None
    return row.all_gpus * in_flight(output, found[0], found[1], row.osl, row.ratio) / row.concurrency


def implied_gpus(
    concurrency: float, interactivity_tok_s_user: float, isl: int, osl: int, total_tok_s_gpu: float
) -> float:
    """GPUs of the replica that the figures imply when TTFT is not published (it reads a few percent high).

    Example:
        >>> round(implied_gpus(25, 64.0, 1024, 1024, 1572.7), 2)
        2.03
    """
    return concurrency * interactivity_tok_s_user * (isl + osl) / osl / total_tok_s_gpu
