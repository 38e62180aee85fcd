"""From the times of simulated requests to the published metrics, for one run or for many of the same size at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulator import kernels as kn
from simulator.units import KILO

Array = NDArray[np.float64]
QUANTILES = (("median", 0.5), ("p90", 0.9), ("p99", 0.99))


def reduced(
    send: Array, first: Array, finish: Array, prompt: Array, output: Array, rounds: Array, done: kn.Records, gpus: Array
) -> dict[str, Array]:
    """The published metrics of ``r`` runs of ``n`` requests, each of shape (r,).

    Latencies in ms, throughput in tok/s/GPU over the whole duration. Metrics of TPOT are missing if no run has a
    request with more than one token, and NaN for a run that has none.

    Args:
        send: seconds, shape (r, n), like ``first`` (first token) and ``finish``.
        first: see ``send``.
        finish: see ``send``.
        prompt: tokens, shape (r, n), like ``output``.
        output: see ``prompt``.
        rounds: decode rounds of each request, shape (r, n).
        done: :class:`kernels.Counters` of the runs, shape (r,).
        gpus: GPUs of each replica, shape (r,).
    """
    duration = finish.max(axis=1) - send.min(axis=1)
    tokens = output.sum(axis=1)
    out = {
        "total_tok_s_gpu": (prompt.sum(axis=1) + tokens) / duration / gpus,
        "output_tok_s_gpu": tokens / duration / gpus,
        "requests_per_s": send.shape[1] / duration,
        "decode_batch": rounds.sum(axis=1) / np.maximum(done["rounds"], 1.0),
        "prefill_share": done["prefill_time"] / (done["decode_time"] + done["prefill_time"]),
    }
    many = output > 1
    if many.all():
        out |= spread("tpot", (finish - first) * KILO / (output - 1))
    elif many.any():
        ones = [_or_nan((finish[i] - first[i])[m] * KILO / (output[i][m] - 1)) for i, m in enumerate(many)]
        out |= {name: np.concatenate([one[name] for one in ones]) for name in ones[0]}
    return out | spread("ttft", (first - send) * KILO) | spread("e2e", (finish - send) * KILO)


def _or_nan(values: Array) -> dict[str, Array]:
    return spread("tpot", (values if values.size else np.full(1, np.nan))[None, :])


def spread(name: str, values: Array) -> dict[str, Array]:
    """Mean, median and tails of each row of values in ms, which are sorted in place."""
    values.sort(axis=1)
    out = {f"mean_{name}_ms": values.mean(axis=1)}
    return out | {f"{which}_{name}_ms": quantile(values, q) for which, q in QUANTILES}


def quantile(values: Array, q: float) -> Array:
    """Quantile of ascending values along the last axis, linear between neighbours: ``np.quantile`` without its
    overhead."""
    at = q * (values.shape[-1] - 1)
    below = int(at)
    low, high = values[..., below], values[..., min(below + 1, values.shape[-1] - 1)]
    found: Array = low + (high - low) * (at - below)
    return found
