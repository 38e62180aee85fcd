"""Discrete events of equal replicas behind a router."""

from __future__ import annotations

import math

import numpy as np

from simulator.kernels.compiled import compiled
from simulator.kernels.heap import push
from simulator.kernels.passes import bends, routing_of, slope_of
from simulator.kernels.records import Array, Constants, Costs, Indices, Lines, Records, Requests
from simulator.kernels.replica import advance, empty_lines, lines_of, seen_at

# how the router chooses a replica
(ROUND_ROBIN, LEAST_OUTSTANDING, TWO_CHOICES) = range(3)


@compiled
def route(router: int, turn: int, choice: Indices, outstanding: Indices) -> int:
    """The replica for the next request; ``turn`` counts the requests before it."""
    if router == ROUND_ROBIN:
        return int(turn % outstanding.shape[0])
    if router == TWO_CHOICES:
        low = min(choice[0], choice[1])
        high = max(choice[0], choice[1])
        if outstanding[high] < outstanding[low]:
            return int(high)
        return int(low)
    r = 0
    for j in range(1, outstanding.shape[0]):
        if outstanding[j] < outstanding[r]:
            r = j
    return r


@compiled
def with_room(lines: Lines) -> Lines:
    """The same lines with room for twice as many arrivals."""
    replicas, room = lines.arrive_key.shape
    key = np.empty((replicas, 2 * room))
    number = np.empty((replicas, 2 * room), np.int64)
    key[:, :room] = lines.arrive_key
    number[:, :room] = lines.arrive_id
    return Lines(lines.state, key, number, lines.run_key, lines.run_id, lines.queue, lines.done_prompt)


@compiled
def serve_fleet(
    target: Array,
    draft: Array,
    c: Constants,
    cap: float,
    limit: float,
    router: int,
    choices: Indices,
    requests: Requests,
    where: Indices,
    counters: Records,
) -> None:
    """Discrete events of equal replicas behind a router, open loop; each replica does what :func:`serve` does.

    ``send`` ascends. The router sees how many requests each replica has outstanding when a request is sent; ties go to
    the lower number. ``choices``, shape (n, 2): the candidates of TWO_CHOICES, drawn outside. A request whose replica
    has ``limit`` outstanding is refused: its ``where`` is -1. The front end of a replica streams to the requests
    outstanding there. Fills ``where`` (replica), ``first`` and ``finish``; ``counters``: one record per replica.
    """
    costs = Costs(target, draft, c, routing_of(c), bends(target, draft, c))
    n = requests.send.shape[0]
    replicas = counters.shape[0]
    slots = int(min(cap, n))
    base = np.full(slots + 1, -1.0)
    slope = slope_of(costs)
    lines = empty_lines(replicas, 64, slots)
    for r in range(replicas):
        lines.state[r].unpolled = c.poll
    sent = np.zeros(replicas, np.int64)
    outstanding = np.zeros(replicas, np.int64)
    until = np.full(replicas, math.inf)
    for i in range(n + 1):
        now = math.inf
        if i < n:
            now = requests.send[i]
        for r in range(replicas):
            if until[r] < now:
                until[r] = advance(costs, slots, base, slope, now, lines_of(lines, r), requests, 0, counters[r])
                outstanding[r] = sent[r] - lines.state[r].finished
        if i == n:
            return
        r = route(router, i, choices[i], outstanding)
        if outstanding[r] >= limit:
            where[i] = -1
            continue
        where[i] = r
        sent[r] += 1
        outstanding[r] += 1
        s = lines.state[r]
        if s.arriving == lines.arrive_key.shape[1]:
            lines = with_room(lines)
        seen = seen_at(c, now, requests.prompt[i], outstanding[r])
        push(lines.arrive_key[r], lines.arrive_id[r], s.arriving, seen, i)
        s.arriving += 1
        until[r] = min(until[r], seen)
