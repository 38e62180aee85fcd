"""Recorded sessions laid out flat: when each request was sent, and block ids without gaps."""

from __future__ import annotations

import math

import numpy as np

from simulator import kernels as kn
from simulator.traffic.prefixes import Prefixes
from simulator.traffic.sessions import Session, Sessions
from simulator.traffic.trace import Array, Tokens, Trace

SERVICE = 5.0
"""Seconds of the model where a recording has none."""


def packed_blocks(session: Session) -> tuple[Tokens, int]:
    """First ids of all ranges, numbered anew without gaps, and how many ids there are."""
    if not session.run_first.size:
        return session.run_first, 1
    order = np.argsort(session.run_first, kind="stable")
    first, end = session.run_first[order], (session.run_first + session.run_count)[order]
    reach = np.maximum.accumulate(end)
    opens = np.concatenate([[True], first[1:] > reach[:-1]])
    low = first[opens]
    high = reach[np.concatenate([np.flatnonzero(opens)[1:] - 1, [first.size - 1]])]
    base = np.cumsum(np.concatenate([[0], high - low]))
    part = np.searchsorted(low, session.run_first, side="right") - 1
    return base[part] + session.run_first - low[part], int(base[-1])


def started(session: Session, think_cap: float = math.inf) -> Array:
    """Seconds after the beginning of a session at which each request was sent, with no longer waits than the cap."""
    sent = np.zeros(session.count)
    service = np.where(np.isnan(session.service), SERVICE, session.service).tolist()
    for i in range(session.count):
        ends = [sent[j] + service[j] + min(wait, think_cap) for j, wait in session.waits(i)]
        sent[i] = max(ends, default=0.0)
    return sent


def trace_of_sessions(sessions: Sessions) -> tuple[Trace, Prefixes]:
    """Sessions as requests that come by themselves, each when it was recorded: all sessions begin at once.

    The requests of a session share a home, and no two sessions share a block.
    """
    items = sessions.items
    send = np.concatenate([started(one) for one in items])
    order = np.argsort(send, kind="stable")
    packed = [packed_blocks(one) for one in items]
    shift = np.cumsum([0, *(size for _, size in packed)])
    first = np.concatenate([low + base for (low, _), base in zip(packed, shift, strict=False)])
    count = np.concatenate([one.run_count for one in items])
    runs_before = np.cumsum([0, *(one.run_first.size for one in items)])
    begin = np.concatenate([one.runs_of[:-1] + low for one, low in zip(items, runs_before, strict=False)])[order]
    end = np.concatenate([one.runs_of[1:] + low for one, low in zip(items, runs_before, strict=False)])[order]
    picked = np.concatenate([np.arange(a, b) for a, b in zip(begin, end, strict=True)]).astype(np.int64)
    of = np.concatenate(([0], np.cumsum(end - begin))).astype(np.int64)
    paths = kn.Paths(of, first[picked].astype(np.int64), count[picked].astype(np.int64))
    prompt = np.concatenate([one.prompt for one in items])[order]
    output = np.concatenate([one.output for one in items])[order]
    home = np.repeat(np.arange(len(items)), [one.count for one in items])[order].astype(np.int64)
    ideal = np.minimum(_ideal_blocks(paths, int(shift[-1])) * sessions.block_tokens, prompt).astype(float)
    trace = Trace(sessions.kind, send[order], prompt, output)
    return trace, Prefixes(paths, int(shift[-1]), sessions.block_tokens, ideal, home, len(items))


def _ideal_blocks(paths: kn.Paths, blocks: int) -> Tokens:
    """Leading blocks of each prompt that an earlier one had, shape (n,)."""
    seen = np.zeros(blocks, dtype=bool)
    out = np.zeros(paths.of.size - 1, np.int64)
    for i in range(out.size):
        part = slice(paths.of[i], paths.of[i + 1])
        for low, size in zip(paths.first[part].tolist(), paths.size[part].tolist(), strict=True):
            known = seen[low : low + size]
            held = size if known.all() else int(np.argmin(known))
            out[i] += held
            if held < size:
                break
        for low, size in zip(paths.first[part].tolist(), paths.size[part].tolist(), strict=True):
            seen[low : low + size] = True
    return out
