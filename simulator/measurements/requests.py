"""How many requests a run sent, read from its token totals.

The benchmark scripts descended from vLLM's ``benchmark_serving.py`` draw all input lengths, then all output lengths,
uniform in [0.8 L, L] by NumPy's legacy generator, from seed 0 unless told otherwise. Input over output tokens is then
one known number per count of requests. Published runs keep to it in all digits: 10 per client in the ATOM and SGLang
files shipped here, 50 (20 where outputs are 8,192 tokens) in InferenceX's runs of DeepSeek-R1 in 2025.

The count matters: the opening burst is one request per client, so it weighs one over the count in a mean, and the
count decides which request of the burst is the 99th percentile.
"""

from __future__ import annotations

import functools

import numpy as np

from simulator.measurements.rows import LOWEST, MeasuredPoint

DEFAULT_REQUESTS = 10
"""Requests per client of a row that neither states nor shows them: what the runs shipped here sent."""

COUNTS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 16, 20, 25, 30, 32, 40, 50, 60, 64, 80, 100)
"""Requests per client that are looked for."""

LENGTH_SEED = 0
LOW = 0.8
"""Shortest over nominal length."""

EXACT = 1e-7
"""Relative: how near a ratio must come to be that of a count. Figures with few digits are not that near to any; of
ratios of another seed one in a thousand is, by chance."""

DIGITS = 8
"""Figures with fewer digits are not looked at."""

MOST_REQUESTS = 200_000
"""Longer runs are not looked for: their ratios lie too close to tell from one another."""


def requests_per_client(row: MeasuredPoint) -> int:
    """Requests per client of a run: as stated, else as its requests or token totals show, else
    :data:`DEFAULT_REQUESTS`."""
    if row.requests_per_client is None and row.requests is not None:
        return max(1, round(row.requests / row.concurrency))
    return row.requests_per_client or shown_requests(row) or DEFAULT_REQUESTS


def shown_requests(row: MeasuredPoint) -> int | None:
    """Requests per client that the token totals of a row show, or None where they fit no count, or several."""
    total, output = row.total_tok_s_gpu, row.output_tok_s_gpu
    if total is None or output is None or total <= output or row.ratio != LOWEST:
        return None
    if any(float(f"{figure:.{DIGITS}g}") == figure for figure in (total, output)):
        return None
    measured = (total - output) / output
    found = [
        count
        for count in COUNTS
        if count * row.concurrency <= MOST_REQUESTS
        and abs(token_ratio(row.isl, row.osl, count * row.concurrency) / measured - 1.0) <= EXACT
    ]
    return found[0] if len(found) == 1 else None


@functools.lru_cache(maxsize=65_536)
def token_ratio(isl: int, osl: int, requests: int) -> float:
    """Input over output tokens of a run of so many requests with nominal lengths ``isl`` and ``osl``.

    Example:
        >>> round(token_ratio(8192, 1024, 80), 5)
        7.89546
    """
    rng = np.random.RandomState(LENGTH_SEED)
    tokens = [rng.randint(max(1, int(LOW * length)), length + 1, size=requests).sum() for length in (isl, osl)]
    return float(tokens[0] / tokens[1])
