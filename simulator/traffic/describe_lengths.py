"""Lengths of requests in numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def length_figures(what: str, tokens: NDArray[np.int64] | None) -> dict[str, float | int | None]:
    """Mean, median, 95th percentile and maximum, under the names of the columns.

    Args:
        what: ``input`` or ``output``.
        tokens: of all requests; None: not known.
    """
    names = [f"{start}_{what}_tokens" for start in ("mean", "median", "p95", "max")]
    if tokens is None:
        return dict.fromkeys(names)
    middle, high = np.percentile(tokens, [50, 95])
    return dict(zip(names, (float(tokens.mean()), float(middle), float(high), int(tokens.max())), strict=True))
