"""Discrete events of one open-loop replica that keeps prompts: those of :mod:`simulator.kernels.replica`, but that a
request is let in when there is memory for it, and that its prompt begins where what is kept of it ends."""

from __future__ import annotations

import math
from typing import NamedTuple

from simulator.kernels.admission import Rules, give_back, publish, settle
from simulator.kernels.compiled import compiled
from simulator.kernels.heap import pop
from simulator.kernels.prefix_cache import Cache, Paths, short_of_touches, with_more_touches
from simulator.kernels.records import Array, Costs, Counters, Indices, State
from simulator.kernels.replay import Table, let_in, touches_ahead, with_loads
from simulator.kernels.replica import end_prefill, end_rounds, join, leave, look, move_up, plan_prefill, plan_rounds


class Kept(NamedTuple):
    """What a replica keeps, and its memory besides.

    ``tally``: blocks that running requests have to themselves, and how many requests run. ``since``: from when on
    requests have waited for memory or a slot, infinite: none does; shape (1,).
    """

    cache: Cache
    tally: Indices
    since: Array


@compiled
def advance_caching(
    costs: Costs,
    rules: Rules,
    paths: Paths,
    base: Array,
    slope: float,
    until: float,
    kept: Kept,
    table: Table,
    counters: Counters,
) -> tuple[Kept, float]:
    """What :func:`simulator.kernels.replica.advance` does, with a prefix cache: returns what is kept then, which may
    have moved, and when the step in progress ends."""
    c, lines, requests = costs.constants, table.lines, table.requests
    s: State = lines.state[0]
    cache, tally = kept.cache, kept.tally
    steps, step = 0.0, 0.0
    while True:
        if s.pending == 0.0:
            while short_of_touches(cache, touches_ahead(cache, c, rules)):
                cache = with_more_touches(cache)
            settle(cache, paths, rules, tally)
            look(s, c)
            kept.since[0], full = let_in(s, cache, paths, rules, tally, table, kept.since[0])
            s.ready = 0
            if s.queued > 0:
                s.pending = 1.0
                plan_prefill(costs, s, lines, requests)
                with_loads(s, rules, table)
            elif s.running > 0:
                watching = s.arriving > 0 and s.running < rules.slots and not full
                steps, step = plan_rounds(costs, base, slope, s, lines, watching)
            elif s.arriving > 0 and not full:
                s.span = max(0.0, lines.arrive_key[0] - s.now)
            else:
                s.span = math.inf
        if s.now + s.span >= until:
            break

        s.now += s.span
        if s.pending > 0.0:
            end_prefill(s, c, counters)
            for j in range(int(s.prompts)):
                i = lines.queue[j]
                publish(cache, paths, rules, tally, table.entries[i], requests.prompt[i], lines.done_prompt[j])
        elif s.running > 0:
            end_rounds(s, steps, step, counters)
        else:
            s.last = 0.0
            s.accel = 0.0
            s.unpolled = c.poll
            continue

        while s.running > 0 and lines.run_key[0] <= s.turn:
            i = pop(lines.run_key, lines.run_id, s.running)
            leave(s, i, requests)
            give_back(cache, paths, rules, tally, table.entries[i])
            s.finished += 1
        for j in range(s.ready):
            i = lines.queue[j]
            requests.first[i] = s.now
            if requests.rounds[i] >= 1.0:
                join(s, i, lines, requests)
            else:
                requests.finish[i] = s.now
                give_back(cache, paths, rules, tally, table.entries[i])
                s.finished += 1
        if s.ready > 0:
            move_up(s, lines)
        if s.running == 0:
            s.context = 0.0
            s.growth = 0.0
    return Kept(cache, tally, kept.since), s.now + s.span
