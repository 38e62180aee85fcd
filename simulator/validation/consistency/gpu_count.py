"""Little's law read as a number of GPUs: the figures imply a replica size, the row states one.

``stated / implied = X (TTFT + (n - 1) TPOT) / concurrency``, with X from per-GPU throughput times the stated TP. When
it leaves the band of honest rows, the factor says what was mislabelled: TP multiplied by EP, a replica's figure
labelled per GPU, output tokens labelled total, another power of two.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from simulator.measurements.littles_law import (
    TYPICAL_RATIO,
    honest_band,
    implied_gpus,
    in_flight,
    little_ratio,
    mean_length,
)
from simulator.measurements.rows import FrontierPoint, MeasuredPoint, OpenLoopPoint, Row
from simulator.units import KILO
from simulator.validation.consistency.explanations import explanations, says_pools
from simulator.validation.consistency.finding import Finding, Severity, finding
from simulator.validation.consistency.wrong_lengths import check_lengths

TOKEN_RATIO_TOLERANCE = 0.05
"""Of total / output against (isl + osl) / osl. The shipped rows keep within 0.012: lengths are drawn."""
NO_TTFT_LOW = 0.65
"""Lower end of the band where TTFT is not published and counts as zero; it is 1 to 11 % of the shipped latencies."""
HOPELESS = 0.75
"""Below this ratio clients idle for a quarter of the run, which no ramp and drain explains."""
ONE_COLUMN = ("output_as_total", "total_as_output", "per_replica", "per_decode_gpu")
"""Readings that explain one throughput column beside a sound one."""
FRONTIER_MATCH = 0.20
"""How far from a power of two a frontier point may imply; the shipped ones imply 1.93 to 2.10 and 4.18."""


def check_gpus(row: Row) -> Iterator[Finding]:
    """Findings on the replica size and on the tokens counted in one row."""
    if isinstance(row, FrontierPoint):
        yield from _check_frontier(row)
        return
    if isinstance(row, OpenLoopPoint):
        return
    yield from _check_interactivity(row)
    total, output = row.total_tok_s_gpu, row.output_tok_s_gpu
    ratio = (row.isl + row.osl) / row.osl
    if total is None or output is None:
        yield from _check_column(row, "total_tok_s_gpu" if output is None else "output_tok_s_gpu", agree=False)
        return
    if abs(total / output / ratio - 1.0) <= TOKEN_RATIO_TOLERANCE:
        yield from _check_column(row, "output_tok_s_gpu", agree=True)
        return
    columns = [
        *_check_column(row, "total_tok_s_gpu", agree=False),
        *_check_column(row, "output_tok_s_gpu", agree=False),
    ]
    explained = [f for f in columns if f.kind in ONE_COLUMN]
    lengths = [] if explained else list(check_lengths(row, total, output))
    yield from lengths or explained or columns or [_token_ratio(row, total, output, ratio)]


def _token_ratio(row: MeasuredPoint, total: float, output: float, ratio: float) -> Finding:
    severity: Severity = "impossible" if total <= output * (1.0 + TOKEN_RATIO_TOLERANCE) else "suspicious"
    same = "; the output tokens are labelled total" if severity == "impossible" else ""
    message = f"total / output = {total / output:.3f}, expected (isl + osl) / osl = {ratio:.3f}{same}"
    kind = "output_as_total" if severity == "impossible" else "token_ratio"
    return finding([row], severity, kind, message, total_over_output=total / output, expected=ratio)


def _check_column(row: MeasuredPoint, column: str, *, agree: bool) -> Iterator[Finding]:
    """Little's law with one throughput column. ``agree``: total and output stand in the right ratio to one another."""
    share = row.osl / (row.isl + row.osl) if column == "total_tok_s_gpu" else 1.0
    published: float | None = getattr(row, column)
    if published is None:
        return
    output = published * share
    ratio = little_ratio(row, output)
    low, high = honest_band(row)
    without_ttft = ratio is None
    if ratio is None:
        tpot = _tpot_ms(row)
        if tpot is None:
            return
        ratio = row.all_gpus * in_flight(output, 0.0, tpot, row.osl, row.ratio) / row.concurrency
        low = NO_TTFT_LOW
    if low <= ratio <= high:
        return
    implied = row.all_gpus * TYPICAL_RATIO / ratio
    pools = says_pools(row) or (not agree and column == "output_tok_s_gpu" and _total_holds(row))
    explained = explanations(row, implied / row.all_gpus, None if agree else column, pools=pools)
    waiting = without_ttft and ratio < low
    sure = ratio > high or (not without_ttft and (bool(explained) or ratio < HOPELESS))
    if waiting:
        kind, reading = "ttft_absent", _waiting(row, ratio, output)
    else:
        kind = explained[0].kind if explained else "littles_law"
        reading = f"the figures imply {implied:.2f} GPUs{f': {explained[0].words}' if explained else ''}"
    others = [one.words for one in (explained if waiting else explained[1:])]
    if ratio < low and not without_ttft:
        others.append(f"the client kept {ratio * row.concurrency:.0f} of its {row.concurrency} requests in flight")
    name = "throughput" if agree else column
    rest = f" (else: {'; '.join(others)})" if others else ""
    message = (
        f"{name} x latency keeps {ratio * row.concurrency:.1f} requests in flight on the stated {row.all_gpus} GPUs; "
        f"concurrency is {row.concurrency} (ratio {ratio:.3f}, honest {low:.2f} to {high:.2f}). "
        f"{reading[0].upper()}{reading[1:]}{rest}"
    )
    yield finding(
        [row],
        "impossible" if sure else "suspicious",
        kind,
        message,
        ratio=ratio,
        band_low=low,
        band_high=high,
        implied_gpus=implied,
        stated_gpus=row.all_gpus,
        column=column,
        in_flight=ratio * row.concurrency,
        candidates=[*([kind] if waiting else []), *(one.kind for one in explained)],
    )


def _total_holds(row: MeasuredPoint) -> bool:
    """Whether Little's law holds with the total throughput of a row."""
    if row.total_tok_s_gpu is None:
        return False
    ratio = little_ratio(row, row.total_tok_s_gpu * row.osl / (row.isl + row.osl))
    low, high = honest_band(row)
    return ratio is not None and low <= ratio <= high


def _waiting(row: MeasuredPoint, ratio: float, output: float) -> str:
    """What Little's law says where no TTFT is published: who was decoding, and which wait explains the others."""
    length = mean_length(row.osl, row.ratio)
    each = TYPICAL_RATIO * row.concurrency * length / (output * row.all_gpus)
    wait = (1.0 - ratio / TYPICAL_RATIO) * each
    decoding = ratio * row.concurrency
    return (
        f"TTFT is not published: {decoding:.0f} of {row.concurrency} were decoding, and a wait of {wait:.2f} s "
        f"before the first token would explain the rest: no sign of other GPUs by itself"
    )


def _tpot_ms(row: MeasuredPoint) -> float | None:
    if row.mean_tpot_ms is not None:
        return row.mean_tpot_ms
    if row.median_tpot_ms is not None:
        return row.median_tpot_ms
    return KILO / row.interactivity_tok_s_user if row.interactivity_tok_s_user is not None else None


def _check_interactivity(row: MeasuredPoint) -> Iterator[Finding]:
    if row.interactivity_tok_s_user is None or row.median_tpot_ms is None:
        return
    expected = KILO / row.median_tpot_ms
    if abs(row.interactivity_tok_s_user / expected - 1.0) > TOKEN_RATIO_TOLERANCE:
        message = f"interactivity {row.interactivity_tok_s_user:g} tok/s/user, but 1000 / median TPOT is {expected:.2f}"
        yield finding([row], "impossible", "interactivity", message, expected_tok_s_user=expected)


def _check_frontier(row: FrontierPoint) -> Iterator[Finding]:
    if row.concurrency is None:
        return
    implied = implied_gpus(row.concurrency, row.interactivity_tok_s_user, row.isl, row.osl, row.total_tok_s_gpu)
    nearest = 2.0 ** round(math.log2(implied))
    odd = abs(implied / nearest - 1.0) > FRONTIER_MATCH
    message = f"implies {implied:.2f} GPUs (TTFT not counted); the nearest power of two is {nearest:g}"
    yield finding(
        [row],
        "suspicious" if odd else "note",
        "gpu_count" if odd else "implied_gpus",
        message,
        implied_gpus=implied,
        nearest_gpus=nearest,
    )
