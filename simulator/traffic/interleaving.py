"""The order in which sessions ask a server that answers as fast as the recorded one: so many at a time."""

from __future__ import annotations

import heapq

import numpy as np

from simulator.traffic.sessions import Sessions

UNKNOWN_SERVICE = 5.0
"""Seconds of a request whose time is not recorded."""
LONGEST_PAUSE = 10.0
"""Seconds; recorded delays are cut there, as AgentX does."""


def interleaved(sessions: Sessions, lanes: int) -> list[tuple[int, int]]:
    """Session and request, in the order in which the requests begin.

    Each lane plays one session at a time, from its first request on, and takes the next one of the file when every
    request of it has ended; all lanes begin at once. A request begins when all that it waits for have ended and the
    delays are over; it takes as long as was recorded.

    Args:
        sessions: all are played once.
        lanes: sessions at a time.

    Example:
        >>> from simulator.traffic.session_files import shipped_sessions
        >>> interleaved(shipped_sessions(), 2)[:3]
        [(0, 0), (1, 0), (0, 1)]
    """
    waiting: list[np.ndarray] = []
    followers: list[list[list[tuple[int, float]]]] = []
    for one in sessions.items:
        waiting.append(np.diff(one.waits_of).copy())
        after: list[list[tuple[int, float]]] = [[] for _ in range(one.count)]
        for i in range(one.count):
            for before, delay in one.waits(i):
                after[before].append((i, min(delay, LONGEST_PAUSE)))
        followers.append(after)
    ready = [np.zeros(one.count) for one in sessions.items]
    left = [one.count for one in sessions.items]
    out: list[tuple[int, int]] = []
    heap: list[tuple[float, int, int, int]] = []
    taken = 0

    def take(now: float) -> None:
        nonlocal taken
        if taken < len(sessions.items):
            for i in np.flatnonzero(waiting[taken] == 0).tolist():
                heapq.heappush(heap, (now, 1, taken, i))
            taken += 1

    for _ in range(lanes):
        take(0.0)
    while heap:
        now, begins, s, i = heapq.heappop(heap)
        if begins:
            out.append((s, i))
            service = float(sessions.items[s].service[i])
            heapq.heappush(heap, (now + (UNKNOWN_SERVICE if np.isnan(service) else service), 0, s, i))
            continue
        for following, delay in followers[s][i]:
            ready[s][following] = max(ready[s][following], now + delay)
            waiting[s][following] -= 1
            if waiting[s][following] == 0:
                heapq.heappush(heap, (float(ready[s][following]), 1, s, following))
        left[s] -= 1
        if left[s] == 0:
            take(now)
    return out
