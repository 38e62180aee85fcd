"""Requests that no context holds end their conversation."""

from __future__ import annotations

import numpy as np

from simulator.traffic.session_builder import SessionBuilder
from simulator.traffic.sessions import Session


def shortened(session: Session, longest: int) -> Session | None:
    """A session up to its first request that is too long.

    Such a request and all that follow it in its conversation are left out, with the subagents that they start. Where a
    subagent ends so, its parent goes on after the last request that is left of it.

    Args:
        session: any.
        longest: input and output tokens of a request, at most.

    Returns:
        What is left; None: nothing.
    """
    if session.longest <= longest:
        return session
    left = SessionBuilder()
    number: dict[int, int] = {}
    last: dict[int, int] = {}
    begun: set[int] = set()
    streams: dict[int, int] = {0: 0}
    for i in range(session.count):
        stream = int(session.stream[i])
        first = stream not in begun
        begun.add(stream)
        lost = [one for one, _ in session.waits(i) if one not in number]
        # what begins a subagent, or precedes a request in its own conversation, cannot be replaced
        needed = [one for one in lost if first or int(session.stream[one]) == stream]
        if needed or int(session.prompt[i] + session.output[i]) > longest:
            continue
        waits = {number[one]: delay for one, delay in session.waits(i) if one in number}
        for one in lost:
            if (instead := last.get(int(session.stream[one]))) is not None:
                waits.setdefault(instead, 0.0)
        service = float(session.service[i])
        number[i] = left.add(
            int(session.prompt[i]),
            int(session.output[i]),
            None if np.isnan(service) else service,
            streams.setdefault(stream, len(streams)),
            list(waits.items()),
            session.runs(i),
        )
        last[stream] = number[i]
    return left.session(session.name) if left.count else None
