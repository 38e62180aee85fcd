"""Discrete events of one replica: arrivals, prefill passes, decode rounds, completions.

Rounds between two events are summed in closed form: the batch does not change and the round time grows linearly with
the cached tokens, so the cost grows with the number of events, not with tokens. That a window fills up is an event too.
"""

from __future__ import annotations

import math

import numpy as np

from simulator.kernels.compiled import compiled
from simulator.kernels.heap import pop, push
from simulator.kernels.passes import (
    bends,
    decode_round,
    found_of,
    prefill_pass,
    riders,
    routing_of,
    slope_at,
    slope_of,
    straight,
)
from simulator.kernels.records import (
    STATE,
    Array,
    Constants,
    Costs,
    Counters,
    Lines,
    Requests,
    State,
)


@compiled
def empty_lines(replicas: int, waiting: int, slots: int) -> Lines:
    """Lines of replicas at which so many requests can wait and run."""
    return Lines(
        np.zeros(replicas, STATE),
        np.empty((replicas, waiting)),
        np.empty((replicas, waiting), np.int64),
        np.empty((replicas, slots)),
        np.empty((replicas, slots), np.int64),
        np.empty((replicas, slots), np.int64),
        np.zeros((replicas, slots)),
    )


@compiled
def lines_of(fleet: Lines, r: int) -> Lines:
    """The lines of replica ``r``, to read and to change."""
    return Lines(
        fleet.state[r : r + 1],
        fleet.arrive_key[r],
        fleet.arrive_id[r],
        fleet.run_key[r],
        fleet.run_id[r],
        fleet.queue[r],
        fleet.done_prompt[r],
    )


@compiled
def look(s: State, c: Constants) -> None:
    """Look for new requests if it is time.

    The last look was ``unpolled`` steps ago; with lookahead it saw what was there one step before.
    """
    if s.unpolled < c.poll:
        return
    s.unpolled -= c.poll * math.floor(s.unpolled / c.poll)
    back = s.unpolled
    if c.lookahead > 0.0:
        back += 1.0
    s.known = s.now - back * s.last + 0.5 * s.accel * back * (back - 1.0)


@compiled
def admit(s: State, c: Constants, lines: Lines, requests: Requests, slots: int) -> None:
    """Queue the requests that are known to have arrived while there are slots."""
    while s.arriving > 0 and s.running + s.queued < slots and lines.arrive_key[0] <= s.known:
        i = pop(lines.arrive_key, lines.arrive_id, s.arriving)
        lines.queue[s.queued] = i
        lines.done_prompt[s.queued] = math.floor(found_of(c, requests.prompt[i]))
        s.arriving -= 1
        s.queued += 1


@compiled
def fill_pass(s: State, c: Constants, lines: Lines, requests: Requests) -> None:
    """Fill a prefill pass from the queue; under a shared budget the tokens of the decode round come off it."""
    s.riders = riders(c, float(s.running))
    budget = c.chunk
    if s.riders > 0.0:
        budget = max(1.0, budget - s.riders * c.verify)
    s.tokens, s.pairs, s.again, s.prompts = 0.0, 0.0, 0.0, 0.0
    for j in range(s.queued):
        left = requests.prompt[lines.queue[j]] - lines.done_prompt[j]
        room = budget - s.tokens
        if room <= 0.0 or (left > room and s.tokens > 0.0 and c.split == 0.0):
            break
        take = min(left, room)
        s.pairs += take * (lines.done_prompt[j] + 0.5 * take)
        s.again += lines.done_prompt[j]
        s.tokens += take
        s.prompts += 1.0
        lines.done_prompt[j] += take
        if take < left:
            break
        s.ready += 1


@compiled
def rounds_until(gap: float, step: float, accel: float) -> int:
    """Least whole number m of rounds that take ``gap`` seconds: m step + accel m (m - 1) / 2 >= gap."""
    half = step - 0.5 * accel
    return math.ceil(2.0 * gap / (half + math.sqrt(half * half + 2.0 * accel * gap)))


@compiled
def rounds_to_look(s: State, c: Constants, gap: float, step: float) -> float:
    """Rounds until the first look for requests that is ``gap`` seconds away or more; the first takes ``step`` s."""
    late = rounds_until(gap, step, s.accel) + s.unpolled
    return math.ceil(late / c.poll) * c.poll - s.unpolled


@compiled
def rounds_to_bend(costs: Costs, s: State) -> float:
    """Rounds until a window fills up, from where on rounds grow more slowly."""
    _low, high = straight(costs, float(s.running), s.context)
    if s.growth <= 0.0 or high == math.inf:
        return math.inf
    return max(1.0, math.ceil((high - s.context) / s.growth))


@compiled
def end_prefill(s: State, c: Constants, counters: Counters) -> None:
    """What a prefill pass leaves behind, apart from the requests that it completes."""
    s.pending = 0.0
    if c.remote_prefill > 0.0:
        return
    s.last = s.span
    s.accel = 0.0
    s.unpolled = c.poll
    counters.prefill_time += s.span
    counters.prefills += 1.0
    counters.prefill_tokens += s.tokens
    if s.riders > 0.0:
        s.turn += 1.0
        s.context += s.growth
        counters.rounds += 1.0
        counters.batch_time += s.riders * s.span


@compiled
def end_rounds(s: State, steps: float, step: float, counters: Counters) -> None:
    """What ``steps`` rounds leave behind, of which the first took ``step`` seconds."""
    s.last = step + s.accel * (steps - 1.0)
    s.unpolled += steps
    s.turn += steps
    s.context += s.growth * steps
    counters.decode_time += s.span
    counters.rounds += steps
    counters.stretches += 1.0
    counters.batch_time += s.running * s.span


@compiled
def leave(s: State, i: int, requests: Requests) -> None:
    """Request ``i`` has had its last round."""
    s.running -= 1
    s.growth -= (requests.output[i] - 1.0) / requests.rounds[i]
    s.context -= requests.prompt[i] + requests.output[i]
    requests.finish[i] = s.now


@compiled
def join(s: State, i: int, lines: Lines, requests: Requests) -> None:
    """Request ``i`` has its first token and decodes from now on."""
    push(lines.run_key, lines.run_id, s.running, s.turn + requests.rounds[i], i)
    s.running += 1
    s.context += requests.prompt[i] + 1.0
    s.growth += (requests.output[i] - 1.0) / requests.rounds[i]


@compiled
def move_up(s: State, lines: Lines) -> None:
    """Take the requests that are ready off the queue."""
    s.queued -= s.ready
    for j in range(s.queued):
        lines.queue[j] = lines.queue[j + s.ready]
        lines.done_prompt[j] = lines.done_prompt[j + s.ready]
    s.ready = 0


@compiled
def seen_at(c: Constants, sent: float, prompt: float, streaming: int) -> float:
    """When a request leaves the front end, which streams to so many others."""
    return sent + c.delay + c.delay_token * prompt + c.stream * streaming


@compiled
def send_next(s: State, c: Constants, clients: int, lines: Lines, requests: Requests) -> None:
    """One of so many closed-loop clients sends the next request."""
    i = s.started
    requests.send[i] = s.now
    push(lines.arrive_key, lines.arrive_id, s.arriving, seen_at(c, s.now, requests.prompt[i], clients), i)
    s.arriving += 1
    s.started += 1


@compiled
def plan_prefill(costs: Costs, s: State, lines: Lines, requests: Requests) -> None:
    """Fill a prefill pass from the queue and find its time."""
    fill_pass(s, costs.constants, lines, requests)
    cached = 0.0
    if s.riders > 0.0:
        cached = s.context
    s.span = prefill_pass(costs, s.tokens, s.prompts, s.pairs, s.again, s.riders, cached)


@compiled
def plan_rounds(costs: Costs, base: Array, slope: float, s: State, lines: Lines, watching: bool) -> tuple[float, float]:
    """Decode rounds up to the next event and the seconds of the first, for the arguments of :func:`advance`.

    ``watching``: the next arrival is one, since it could be admitted.
    """
    b = s.running
    steps = lines.run_key[0] - s.turn
    if costs.windowed:
        step = decode_round(costs, float(b), s.context)
        s.accel = slope_at(costs, float(b), s.context) * s.growth
        steps = min(steps, rounds_to_bend(costs, s))
    else:
        if base[b] < 0.0:
            base[b] = decode_round(costs, float(b), 0.0)
        step = base[b] + slope * s.context
        s.accel = slope * s.growth
    if watching:
        look_in = rounds_to_look(s, costs.constants, max(0.0, lines.arrive_key[0] - s.now), step)
        steps = max(1.0, min(steps, look_in))
    s.span = steps * step + s.accel * steps * (steps - 1.0) * 0.5
    return steps, step


@compiled
def advance(
    costs: Costs,
    slots: int,
    base: Array,
    slope: float,
    until: float,
    lines: Lines,
    requests: Requests,
    clients: int,
    counters: Counters,
) -> float:
    """Run one replica through all steps that end before ``until``; returns when the step in progress ends.

    A decode in progress is replanned when the replica is advanced again, since an arrival cuts it short. ``base``:
    round time by batch at no cached tokens, -1 where not known yet; ``slope``: its growth per cached token; neither is
    used where layers have windows. For the other arguments see :func:`serve`.
    """
    c = costs.constants
    s: State = lines.state[0]
    arrive_key, run_key, run_id, queue = lines.arrive_key, lines.run_key, lines.run_id, lines.queue
    rounds, first, finish = requests.rounds, requests.first, requests.finish
    n = rounds.shape[0]
    steps, step = 0.0, 0.0
    while s.finished < n:
        if s.pending == 0.0:
            look(s, c)
            admit(s, c, lines, requests, slots)
            s.ready = 0
            if s.queued > 0 and c.remote_prefill > 0.0:
                s.pending = 1.0
                s.ready = s.queued
                s.span = 0.0
            elif s.queued > 0:
                s.pending = 1.0
                plan_prefill(costs, s, lines, requests)
            elif s.running > 0:
                watching = s.arriving > 0 and s.running < slots
                steps, step = plan_rounds(costs, base, slope, s, lines, watching)
            elif s.arriving > 0:
                s.span = max(0.0, arrive_key[0] - s.now)
            else:
                s.span = math.inf
        if s.now + s.span >= until:
            break

        s.now += s.span
        if s.pending > 0.0:
            end_prefill(s, c, counters)
        elif s.running > 0:
            end_rounds(s, steps, step, counters)
        else:
            s.last = 0.0
            s.accel = 0.0
            s.unpolled = c.poll
            continue

        before = s.finished
        while s.running > 0 and run_key[0] <= s.turn:
            leave(s, pop(run_key, run_id, s.running), requests)
            s.finished += 1
        for j in range(s.ready):
            i = queue[j]
            first[i] = s.now
            if rounds[i] >= 1.0:
                join(s, i, lines, requests)
            else:
                finish[i] = s.now
                s.finished += 1
        if s.ready > 0:
            move_up(s, lines)
        if s.running == 0:
            s.context = 0.0
            s.growth = 0.0
        if clients > 0:
            for _ in range(min(s.finished - before, n - s.started)):
                send_next(s, c, clients, lines, requests)
    return s.now + s.span


@compiled
def serve(
    target: Array, draft: Array, c: Constants, cap: float, requests: Requests, clients: int, counters: Counters
) -> None:
    """Discrete events of one replica: arrivals, prefill batches, decode rounds, completions.

    With ``clients`` > 0 the loop is closed: that many clients send the requests in order, each its next one when its
    last one ends; ``send`` is filled in. With ``clients`` = 0 the ``send`` times are given (open loop). At most ``cap``
    requests run at once. Fills ``first`` (first token) and ``finish`` of the requests, and ``counters``. ``target`` and
    ``draft``: operator tables, see :class:`Costs`.
    """
    costs = Costs(target, draft, c, routing_of(c), bends(target, draft, c))
    n = requests.send.shape[0]
    slots = int(min(cap, n))
    mine = lines_of(empty_lines(1, n, slots), 0)
    started = n
    if clients > 0:
        started = min(clients, n)
    for i in range(started):
        if clients > 0:
            requests.send[i] = 0.0
        push(mine.arrive_key, mine.arrive_id, i, seen_at(c, requests.send[i], requests.prompt[i], clients), i)
    s = mine.state[0]
    s.unpolled = c.poll
    s.arriving = started
    s.started = started
    base = np.full(slots + 1, -1.0)
    advance(costs, slots, base, slope_of(costs), math.inf, mine, requests, clients, counters)
