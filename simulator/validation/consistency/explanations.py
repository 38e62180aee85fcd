"""What was mislabelled when Little's law fails: every reading that makes the figures agree, the most specific first.

The measured ratio of requests in flight to clients says by which factor the figures are off; each reading says which
factor it would give. A reading counts when the two agree to :data:`MATCH`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from simulator.measurements.littles_law import latencies_ms, mean_length
from simulator.measurements.rows import MeasuredPoint
from simulator.units import KILO

MATCH = 0.08
"""How near (in log) the implied factor must be to an explanation; the shipped rows scatter by 0.02."""
WHOLE = 0.04
"""How near (in log) a chunk must be to a whole number of tokens; as MATCH, and narrow enough to tell 10 from 11."""
MOST_PER_CHUNK = 64
LEAST_DRAFTED = 1.3
"""Fewest tokens per round that are told apart from one."""
POOLS = ("disagg", "prefill", "decode", "dynamo", "mooncake", "xpyd")
"""Words that a row uses of separate prefill and decode GPUs."""


class Explanation(NamedTuple):
    """A reading of a row: stable name, the factor of implied over stated GPUs that it gives, and words."""

    kind: str
    factor: float
    words: str


def explanations(row: MeasuredPoint, factor: float, column: str | None, *, pools: bool = False) -> list[Explanation]:
    """The readings that give this factor of implied over stated GPUs.

    Args:
        row: the measured point.
        factor: implied / stated GPUs.
        column: the throughput column that contradicts the other one; None: they agree, or there is one only.
        pools: prefill and decode are likely to have GPUs of their own.
    """
    tokens = (row.isl + row.osl) / row.osl
    tp, ep = row.tp, row.ep or 1
    known: list[Explanation] = []
    if ep > 1:
        known.append(Explanation("tp_times_ep", float(ep), f"TP {tp} x EP {ep} = {tp * ep}; EP lies inside TP"))
        known.append(Explanation("tp_times_ep", 1.0 / ep, f"the stated {tp} GPUs are TP multiplied by EP {ep}"))
    if column == "total_tok_s_gpu":
        known.append(Explanation("output_as_total", tokens, f"x {tokens:g} too many: output tokens labelled total"))
    if column == "output_tok_s_gpu":
        known.append(
            Explanation("total_as_output", 1.0 / tokens, f"x {tokens:g} too few: total tokens labelled output")
        )
    if pools and (pooled := _decode_gpus(row, factor)):
        known.append(pooled)
    if tp > 1:
        known.append(Explanation("per_replica", 1.0 / tp, "one: the replica's throughput is labelled per GPU"))
    exponent = round(math.log2(factor))
    if exponent:
        known.append(Explanation("gpu_count", 2.0**exponent, f"{tp * 2.0**exponent:g} rather than the stated {tp}"))
    fitting = [one for one in known if abs(math.log(factor / one.factor)) <= MATCH]
    chunks = _chunks(row, factor, column)
    return [*fitting, *([chunks] if chunks else [])]


def says_pools(row: MeasuredPoint) -> bool:
    """Whether a row says of itself that prefill and decode have GPUs of their own."""
    texts = [row.engine, row.engine_version or "", row.notes or "", row.source or ""]
    texts += [f"{name} {cell}" for name, cell in row.extras.items() if cell.lower() not in ("false", "0", "no", "1")]
    text = " ".join(texts).lower()
    return any(word in text for word in POOLS)


def _decode_gpus(row: MeasuredPoint, factor: float) -> Explanation | None:
    """Output per decode GPU of a disaggregated run: a whole number of the stated GPUs, fewer than all, more than one
    in eight of them."""
    gpus = round(row.tp * factor)
    if not 1 <= gpus < row.tp or gpus * 8 < row.tp:
        return None
    words = f"{gpus} of {row.tp}: the throughput of a disaggregated run is given per decode GPU"
    return Explanation("per_decode_gpu", gpus / row.tp, words)


def _chunks(row: MeasuredPoint, factor: float, column: str | None) -> Explanation | None:
    """Inter-token latency of a stream that sends several tokens at a time, typed as TPOT.

    With m tokens per chunk the requests in flight are X (TTFT + (n - 1) ITL / m); m is solved for from the
    concurrency, and must be whole, or an acceptance length where the row drafts.
    """
    if factor >= 1.0 or (column == "total_tok_s_gpu" and row.output_tok_s_gpu is not None):
        return None
    tokens = tokens_per_chunk(row, factor)
    whole = round(tokens) if tokens else 0
    if tokens and 2 <= whole <= MOST_PER_CHUNK and abs(math.log(tokens / whole)) <= WHOLE:
        words = f"the stated {row.tp}, and a TPOT of {whole} tokens: the inter-token latency of chunks typed as TPOT"
        return Explanation("itl_of_chunks", factor, words)
    if tokens and row.spec == "mtp" and LEAST_DRAFTED <= tokens <= (row.spec_tokens or 7) + 1:
        words = (
            f"the stated {row.tp}, and a TPOT of {tokens:.2f} tokens: the time between rounds of drafting typed as TPOT"
        )
        return Explanation("itl_of_chunks", factor, words)
    return None


def tokens_per_chunk(row: MeasuredPoint, factor: float) -> float | None:
    """Tokens per latency between tokens that keep the clients in flight; None where nothing is left for decoding.

    Args:
        row: the measured point, with a TPOT.
        factor: implied / stated GPUs.
    """
    found = latencies_ms(row)
    tpot = found[1] if found else row.mean_tpot_ms or row.median_tpot_ms
    if tpot is None:
        tpot = KILO / row.interactivity_tok_s_user if row.interactivity_tok_s_user else None
    if tpot is None:
        return None
    ttft = found[0] if found else 0.0
    decode = (mean_length(row.osl, row.ratio) - 1.0) * tpot
    # a request takes (ttft + decode) / ratio of the time that the clients allow it
    left = (ttft + decode) * factor - ttft
    return decode / left if left > 0.0 else None
