"""A file of sessions in numbers: lengths, think times, what prompts share, and the cache that it takes to find it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from simulator.results.table import Result
from simulator.traffic.describe_lengths import length_figures
from simulator.traffic.interleaving import interleaved
from simulator.traffic.reuse import Reuse, lru_rows, reuse_of
from simulator.traffic.sessions import Session, Sessions
from simulator.traffic.trace import Array
from simulator.traffic.working_set import working_set_rows

LANES = (1, 4, 16, 32)
"""Sessions at a time for which a curve is drawn."""


@dataclass(frozen=True)
class SessionsSummary(Result):
    """One file of sessions.

    Attributes:
        meta: file, format and notes.
        figures: one row under the names of the columns; None is what the file does not hold.
        lru: hit rate by sessions at a time and size of a cache that drops what was used longest ago.
        working_set: over the progress of a session, the tokens that the request at hand or a later one asks for.
        sessions: the file itself.
    """

    meta: Mapping[str, Any]
    figures: Mapping[str, Any]
    lru: tuple[Mapping[str, Any], ...]
    working_set: tuple[Mapping[str, Any], ...]
    sessions: Sessions

    def records(self) -> Sequence[Mapping[str, Any]]:
        """The figures."""
        return [self.figures]

    def document(self) -> Mapping[str, Any]:
        """``meta``, ``figures``, ``lru``, ``working_set``."""
        return {
            "meta": self.meta,
            "figures": self.figures,
            "lru": list(self.lru),
            "working_set": list(self.working_set),
        }


def describe_sessions(path: str, sessions: Sessions) -> SessionsSummary:
    """Sessions in numbers.

    Args:
        path: of the file, as the user named it.
        sessions: what it holds.

    Raises:
        InputError: more blocks than the limits allow.
    """
    shift = np.cumsum([0, *(_blocks(one) for one in sessions.items)]).tolist()
    lanes = sorted({min(one, len(sessions.items)) for one in LANES})
    curves: dict[int | None, Reuse] = {one: _reuse(path, sessions, shift, one) for one in lanes}
    reuse = curves[lanes[0]]
    totals = sessions.totals
    counts = np.array([one.count for one in sessions.items])
    pauses = np.concatenate([think_times(one) for one in sessions.items])
    known = any(one.run_first.size for one in sessions.items)
    figures = {
        "sessions": totals.sessions,
        "requests": totals.requests,
        "subagents": totals.subagents,
        "mean_requests_per_session": float(counts.mean()),
        "max_requests_per_session": int(counts.max()),
        **length_figures("input", np.concatenate([one.prompt for one in sessions.items])),
        **length_figures("output", np.concatenate([one.output for one in sessions.items])),
        "output_share": totals.output / (totals.prompt + totals.output),
        "median_think_s": float(np.median(pauses)) if pauses.size else None,
        "p90_think_s": float(np.percentile(pauses, 90)) if pauses.size else None,
        "ideal_hit_rate_tokens": reuse.of_tokens if known else None,
        "ideal_hit_rate_requests": reuse.of_requests if known else None,
        "block_tokens": sessions.block_tokens,
    }
    rows = tuple(lru_rows(curves)) if known else ()
    meta = {"file": path, "format": sessions.kind, "notes": list(sessions.notes)}
    return SessionsSummary(meta, figures, rows, tuple(working_set_rows(sessions)) if known else (), sessions)


def think_times(session: Session) -> Array:
    """Recorded seconds from the end of a request to the beginning of the next one in its conversation."""
    waiting = np.repeat(np.arange(session.count), np.diff(session.waits_of))
    same = session.stream[waiting] == session.stream[session.waits_for]
    found: Array = session.delay[same]
    return found


def _blocks(session: Session) -> int:
    return int((session.run_first + session.run_count).max(initial=0))


def _reuse(path: str, sessions: Sessions, shift: list[int], lanes: int) -> Reuse:
    order = interleaved(sessions, lanes)
    tokens = np.array([sessions.items[s].prompt[i] for s, i in order], dtype=np.int64)
    runs = [[(first + shift[s], count) for first, count in sessions.items[s].runs(i)] for s, i in order]
    return reuse_of(tokens, runs, sessions.block_tokens, path)
