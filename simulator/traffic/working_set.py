"""What a session needs a prefix cache to hold while it runs."""

from __future__ import annotations

from typing import Any

import numpy as np

from simulator.traffic.sessions import Session, Sessions
from simulator.traffic.trace import Array

POINTS = 21
"""Of a curve from the first request of a session to its last."""


def working_set(session: Session, block_tokens: int) -> tuple[Array, Array]:
    """Tokens while each request runs, in file order.

    Returns:
        Those of blocks so far that it or a later request asks for, and those of all blocks so far, shape (n,) each.
    """
    blocks = int((session.run_first + session.run_count).max(initial=0))
    first, last = np.full(blocks, -1, np.int64), np.full(blocks, -1, np.int64)
    for i in range(session.count):
        for begins, count in session.runs(i):
            last[begins : begins + count] = i
    for i in range(session.count - 1, -1, -1):
        for begins, count in session.runs(i):
            first[begins : begins + count] = i
    used = last >= 0
    begun = np.cumsum(np.bincount(first[used], minlength=session.count))
    over = np.cumsum(np.bincount(last[used], minlength=session.count))
    over = np.concatenate(([0], over[:-1]))
    return block_tokens * (begun - over).astype(np.float64), block_tokens * begun.astype(np.float64)


def working_set_rows(sessions: Sessions) -> list[dict[str, Any]]:
    """Over the progress of a session (part of its requests done): what its cache must hold, and all that it ever held.

    Sessions of one request, which need nothing, are left out.
    """
    progress = np.round(np.linspace(0.0, 1.0, POINTS), 6)
    needed, touched = [], []
    for session in sessions.items:
        if session.count > 1:
            at = np.rint(progress * (session.count - 1)).astype(np.int64)
            now, ever = working_set(session, sessions.block_tokens)
            needed.append(now[at])
            touched.append(ever[at])
    if not needed:
        return []
    rows = []
    for part, now, ever in zip(progress, np.array(needed).T, np.array(touched).T, strict=True):
        middle, high = np.percentile(now, [50, 90])
        rows.append(
            {
                "progress": float(part),
                "mean_working_set_tokens": float(now.mean()),
                "median_working_set_tokens": float(middle),
                "p90_working_set_tokens": float(high),
                "median_touched_tokens": float(np.median(ever)),
            }
        )
    return rows
