"""Session trees in the hands of their lanes: what of a play is over, what can be sent next, and when."""

from __future__ import annotations

from typing import NamedTuple

from simulator.kernels.compiled import compiled
from simulator.kernels.prefix_cache import Paths
from simulator.kernels.records import Array, Indices


class Recorded(NamedTuple):
    """Recorded sessions, one after the other.

    ``begins``: session i is requests ``begins[i]`` to before ``begins[i + 1]``, with ``blocks[i]`` different blocks.
    Per request: tokens, decode rounds after the first token, its stream in the session, and ``at``, the seconds after
    the beginning of the session at which it was sent. Those that wait for the end of request i stand, with the seconds
    that they then wait, at ``after_of[i]:after_of[i + 1]``; ``waits``: for how many it waits itself.
    """

    begins: Indices
    blocks: Indices
    prompt: Array
    output: Array
    rounds: Array
    stream: Indices
    at: Array
    waits: Indices
    after_of: Indices
    after: Indices
    delay: Array
    paths: Paths


class Lanes(NamedTuple):
    """What each lane plays: the session, its place in the cache, the number of the play and of requests left
    (below 0 while none of them has been sent).

    ``missing``, ``ready``: per request of its session, for how many ends it waits, and when it could go; shape (lanes,
    most requests of a session). ``missing`` is -1 of a request that is over or was sent.
    """

    session: Indices
    place: Indices
    play: Indices
    left: Indices
    missing: Indices
    ready: Array


@compiled
def begin(lanes: Lanes, recorded: Recorded, lane: int, session: int, past: float) -> None:
    """A lane begins a session ``past`` seconds after its start: what was sent earlier is over."""
    low, high = recorded.begins[session], recorded.begins[session + 1]
    lanes.session[lane] = session
    left = 0
    for i in range(low, high):
        lanes.missing[lane, i - low] = recorded.waits[i]
        lanes.ready[lane, i - low] = recorded.at[i] - past
    for i in range(low, high):
        if recorded.at[i] >= past:
            left += 1
            continue
        for k in range(recorded.after_of[i], recorded.after_of[i + 1]):
            lanes.missing[lane, recorded.after[k] - low] -= 1
    for i in range(low, high):
        if recorded.at[i] < past:
            lanes.missing[lane, i - low] = -1
        elif lanes.missing[lane, i - low] > 0:
            lanes.ready[lane, i - low] = 0.0
    lanes.left[lane] = -left


@compiled
def is_last_before(recorded: Recorded, session: int, request: int, past: float) -> bool:
    """Whether a request is the last of its stream that was sent before ``past``, and the stream goes on after it."""
    if recorded.at[request] >= past:
        return False
    goes_on = False
    for i in range(request + 1, recorded.begins[session + 1]):
        if recorded.stream[i] == recorded.stream[request]:
            if recorded.at[i] < past:
                return False
            goes_on = True
    return goes_on


@compiled
def last_start(recorded: Recorded, session: int) -> float:
    """When the last request of a session was sent, seconds after its start."""
    latest = 0.0
    for i in range(recorded.begins[session], recorded.begins[session + 1]):
        latest = max(latest, recorded.at[i])
    return latest
