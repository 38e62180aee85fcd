"""Discrete events of one replica under live session trees: every lane plays one session after the other.

The engine is that of :mod:`simulator.kernels.replica`. What differs: a request comes when all that it waits for have
ended, it is let in when there is memory for it, and its prompt begins where what is kept of it ends.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from simulator.kernels.admission import Entry, Rules, give_back, publish, settle, take
from simulator.kernels.compiled import compiled
from simulator.kernels.heap import pop, push
from simulator.kernels.passes import bends, routing_of, slope_of
from simulator.kernels.prefix_cache import (
    GPU,
    HOST,
    HOST_STATE,
    STATE,
    TIERS,
    Cache,
    Paths,
    close_play,
    empty_cache,
    open_play,
    short_of_touches,
    with_more_touches,
)
from simulator.kernels.records import (
    Array,
    Constants,
    Costs,
    Counters,
    Indices,
    Lines,
    Record,
    Records,
    Requests,
    State,
)
from simulator.kernels.replica import (
    empty_lines,
    end_prefill,
    end_rounds,
    join,
    leave,
    lines_of,
    look,
    move_up,
    plan_prefill,
    plan_rounds,
    seen_at,
)
from simulator.kernels.sessions import Lanes, Recorded, begin, is_last_before, last_start

ENDLESS = 2**40
"""A limit that nothing reaches."""
OVER = -(2**40)
"""In place of the requests that are left: the lane takes no further session."""


class Play(Record):
    """One play of a session: seconds at which it began and ended, -1 while it has not."""

    session: int
    lane: int
    start: float
    end: float


class Outcome(Record):
    """How a replay went."""

    window: float
    """When the window began: all warm-up requests had ended."""
    stuck: float
    """1 if a request was longer than all memory."""
    peak: float
    """Most blocks in use."""


PLAY, ENTRY = Play.layout, Entry.layout


class Table(NamedTuple):
    """All requests so far, what else is known of them, and the lines in which they stand."""

    requests: Requests
    entries: Records
    lines: Lines


@compiled
def empty_table(room: int, slots: int) -> Table:
    """Room for so many requests, of which ``slots`` run at once."""
    times = np.zeros((6, room))
    requests = Requests(times[0], times[1], times[2], times[3], times[4], times[5])
    return Table(requests, np.zeros(room, ENTRY), lines_of(empty_lines(1, room, slots), 0))


@compiled
def with_room(table: Table, sent: int, more: int) -> Table:
    """The same with room for so many more requests than have been sent."""
    room = table.entries.shape[0]
    if sent + more <= room:
        return table
    wide = 2 * room + more
    old, lines = table.requests, table.lines
    times = np.zeros((6, wide))
    times[0, :room], times[1, :room], times[2, :room] = old.send, old.prompt, old.output
    times[3, :room], times[4, :room], times[5, :room] = old.rounds, old.first, old.finish
    entries = np.zeros(wide, ENTRY)
    entries[:room] = table.entries
    key, number = np.empty(wide), np.empty(wide, np.int64)
    key[:room], number[:room] = lines.arrive_key, lines.arrive_id
    wider = Lines(lines.state, key, number, lines.run_key, lines.run_id, lines.queue, lines.done_prompt)
    return Table(Requests(times[0], times[1], times[2], times[3], times[4], times[5]), entries, wider)


@compiled
def send(
    s: State,
    c: Constants,
    table: Table,
    recorded: Recorded,
    lanes: Lanes,
    lane: int,
    which: int,
    when: float,
    counted: float,
) -> None:
    """A lane sends a recorded request; it reaches the engine after the front end."""
    i = s.started
    requests, e = table.requests, table.entries[i]
    requests.send[i] = when
    requests.prompt[i], requests.output[i] = recorded.prompt[which], recorded.output[which]
    requests.rounds[i] = recorded.rounds[which]
    e.lane, e.place, e.play, e.recorded = lane, lanes.place[lane], lanes.play[lane], which
    e.counted = counted
    seen = seen_at(c, when, requests.prompt[i], lanes.session.shape[0])
    push(table.lines.arrive_key, table.lines.arrive_id, s.arriving, seen, i)
    s.arriving += 1
    s.started += 1


@compiled
def send_what_can_go(
    s: State, c: Constants, table: Table, recorded: Recorded, lanes: Lanes, lane: int, until: float
) -> None:
    """A lane sends every request of a session just begun that waits for nothing."""
    low, high = recorded.begins[lanes.session[lane]], recorded.begins[lanes.session[lane] + 1]
    for i in range(low, high):
        if lanes.missing[lane, i - low] == 0:
            lanes.missing[lane, i - low] = -1
            when = s.now + lanes.ready[lane, i - low]
            if when < until:
                send(s, c, table, recorded, lanes, lane, i, when, 1.0)


@compiled
def send_what_waited(
    s: State, c: Constants, table: Table, recorded: Recorded, lanes: Lanes, lane: int, which: int, until: float
) -> None:
    """A request has ended: send those that waited for it alone, each after its delay."""
    low = recorded.begins[lanes.session[lane]]
    for k in range(recorded.after_of[which], recorded.after_of[which + 1]):
        j = recorded.after[k] - low
        if lanes.missing[lane, j] <= 0:
            continue
        lanes.ready[lane, j] = max(lanes.ready[lane, j], s.now + recorded.delay[k])
        lanes.missing[lane, j] -= 1
        if lanes.missing[lane, j] == 0:
            lanes.missing[lane, j] = -1
            if lanes.ready[lane, j] < until:
                send(s, c, table, recorded, lanes, lane, recorded.after[k], lanes.ready[lane, j], 1.0)


@compiled
def let_in(
    s: State, cache: Cache, paths: Paths, rules: Rules, tally: Indices, table: Table, since: float
) -> tuple[float, bool]:
    """Queue the requests that are known to have arrived while there are slots and memory, in order.

    ``since``: from when on requests have been waiting for one of these, infinite: none is. Returns the new ``since``,
    and whether the next one has arrived but does not fit.
    """
    lines, requests = table.lines, table.requests
    full = False
    while s.arriving > 0 and s.running + s.queued < rules.slots and lines.arrive_key[0] <= s.known:
        i = lines.arrive_id[0]
        e = table.entries[i]
        if not take(cache, paths, rules, tally, e, requests.prompt[i], requests.output[i]):
            full = True
            break
        e.queued = max(0.0, s.now - max(since, lines.arrive_key[0]))
        lines.queue[s.queued] = pop(lines.arrive_key, lines.arrive_id, s.arriving)
        lines.done_prompt[s.queued] = e.gpu + e.host
        s.arriving -= 1
        s.queued += 1
    waiting = s.arriving > 0 and lines.arrive_key[0] <= s.known
    return min(since, s.now) if waiting else math.inf, full


@compiled
def touches_ahead(cache: Cache, c: Constants, rules: Rules) -> int:
    """Touches that one step can need: of the requests that come and go, and of the states that are stored or copied."""
    rungs = 0
    if rules.interval > 0.0:
        rungs = math.ceil(c.chunk / rules.interval)
    kept: int = cache.kept[STATE]
    return 4 * rules.slots + rungs + kept


@compiled
def most_sent(recorded: Recorded) -> int:
    """Requests that the end of one can let go at most: those that wait for it, or the first of the next session."""
    after, roots = 0, 0
    for i in range(recorded.blocks.shape[0]):
        free = 0
        for j in range(recorded.begins[i], recorded.begins[i + 1]):
            after = max(after, recorded.after_of[j + 1] - recorded.after_of[j])
            if recorded.waits[j] == 0:
                free += 1
        roots = max(roots, free)
    return after + roots


@compiled
def longest_session(recorded: Recorded) -> tuple[int, int]:
    """Most requests and most blocks of a session."""
    requests, blocks = 0, 0
    for i in range(recorded.blocks.shape[0]):
        requests = max(requests, recorded.begins[i + 1] - recorded.begins[i])
        blocks = max(blocks, recorded.blocks[i])
    return requests, blocks


@compiled
def with_loads(s: State, rules: Rules, table: Table) -> None:
    """A pass also takes what its prompts load from the host: beside the work, or before it."""
    load = 0.0
    for j in range(int(s.prompts)):
        e = table.entries[table.lines.queue[j]]
        load += e.load
        e.load = 0.0
    if rules.hidden > 0.0:
        s.span = max(s.span, load)
    else:
        s.span += load


@compiled
def clear(counters: Counters) -> None:
    """Count from now on."""
    counters.decode_time = 0.0
    counters.prefill_time = 0.0
    counters.rounds = 0.0
    counters.prefills = 0.0
    counters.batch_time = 0.0
    counters.prefill_tokens = 0.0
    counters.stretches = 0.0


@compiled
def replay(
    target: Array,
    draft: Array,
    c: Constants,
    rules: Rules,
    recorded: Recorded,
    order: Indices,
    starts: Array,
    counters: Counters,
    outcome: Outcome,
) -> tuple[Requests, Records, Records]:
    """Discrete events of one replica under as many live session trees as there are lanes.

    ``order``: sessions as lanes take them, again from the start when all are taken; a second play finds nothing of the
    first. ``starts``: per lane, where in its first session it begins, as a part of the time until its last request. The
    last request before that of each stream that goes on is sent first; when all of these have ended the window begins,
    in which requests are sent for ``rules.duration`` seconds; then those on the way end. A lane takes its next session
    when all requests of the last one have ended.

    Returns the requests in the order of sending, an :class:`Entry` of each, and the plays; fills ``counters`` (of the
    window) and ``outcome``.
    """
    costs = Costs(target, draft, c, routing_of(c), bends(target, draft, c))
    count, most = starts.shape[0], order.shape[0]
    (widest, blocks), at_once = longest_session(recorded), most_sent(recorded)
    limits = np.full(TIERS, np.int64(ENDLESS))
    limits[HOST], limits[HOST_STATE] = rules.host_blocks, rules.host_states
    cache = empty_cache(limits, 2 * count + 8, (count + 1) * blocks + 1)
    lanes = Lanes(
        np.zeros(count, np.int64),
        np.zeros(count, np.int64),
        np.zeros(count, np.int64),
        np.zeros(count, np.int64),
        np.zeros((count, widest), np.int64),
        np.zeros((count, widest)),
    )
    table = empty_table(max(256, 4 * count), rules.slots)
    plays, taken = np.zeros(max(64, 2 * count), PLAY), 0
    s = table.lines.state[0]
    s.unpolled = c.poll
    base, slope = np.full(rules.slots + 1, -1.0), slope_of(costs)
    tally, ended = np.zeros(2, np.int64), np.zeros(rules.slots + 1, np.int64)
    steps, step, since = 0.0, 0.0, math.inf
    until, warming, started, vacant, fresh = math.inf, 0, False, count, 0
    while True:
        if vacant > 0:
            if taken + vacant > plays.shape[0]:
                more = np.zeros(2 * (taken + vacant), PLAY)
                more[:taken] = plays[:taken]
                plays = more
            for lane in range(count):
                if lanes.left[lane] != 0:
                    continue
                if s.now >= until or 0 < rules.most <= taken:
                    lanes.left[lane] = OVER
                    continue
                session = order[taken % most]
                cache, lanes.place[lane] = open_play(cache, recorded.blocks[session])
                lanes.play[lane] = taken
                plays[taken].session, plays[taken].lane = session, lane
                plays[taken].start, plays[taken].end = s.now, -1.0
                past = 0.0
                if rules.warm > 0.0 and taken < count:
                    past = starts[lane] * last_start(recorded, session)
                taken += 1
                begin(lanes, recorded, lane, session, past)
                fresh += 1
                table = with_room(table, s.started, widest)
                if past > 0.0:
                    for i in range(recorded.begins[session], recorded.begins[session + 1]):
                        if is_last_before(recorded, session, i, past):
                            send(s, c, table, recorded, lanes, lane, i, s.now, 0.0)
                            warming += 1
            vacant = 0
        if fresh > 0 and warming == 0:
            if not started:
                started = True
                outcome.window = s.now
                until = s.now + rules.duration
                clear(counters)
            for lane in range(count):
                if lanes.left[lane] < 0 and lanes.left[lane] != OVER:
                    lanes.left[lane] = -lanes.left[lane]
                    table = with_room(table, s.started, widest)
                    send_what_can_go(s, c, table, recorded, lanes, lane, until)
            fresh = 0
        table = with_room(table, s.started, rules.slots * at_once)
        while short_of_touches(cache, touches_ahead(cache, c, rules)):
            cache = with_more_touches(cache)
        settle(cache, recorded.paths, rules, tally)
        outcome.peak = max(outcome.peak, float(cache.kept[GPU] + tally[0]))
        lines, requests = table.lines, table.requests
        look(s, c)
        since, full = let_in(s, cache, recorded.paths, rules, tally, table, since)
        s.ready = 0
        if s.queued > 0:
            s.pending = 1.0
            plan_prefill(costs, s, lines, requests)
            with_loads(s, rules, table)
        elif s.running > 0:
            watching = s.arriving > 0 and s.running < rules.slots and not full
            steps, step = plan_rounds(costs, base, slope, s, lines, watching)
        elif full:
            outcome.stuck = 1.0
            break
        elif s.arriving > 0:
            s.span = max(0.0, lines.arrive_key[0] - s.now)
        else:
            break

        s.now += s.span
        if s.pending > 0.0:
            end_prefill(s, c, counters)
            for j in range(int(s.prompts)):
                i = lines.queue[j]
                done = lines.done_prompt[j]
                publish(cache, recorded.paths, rules, tally, table.entries[i], requests.prompt[i], done)
        elif s.running > 0:
            end_rounds(s, steps, step, counters)
        else:
            s.last = 0.0
            s.accel = 0.0
            s.unpolled = c.poll
            continue

        gone = 0
        while s.running > 0 and lines.run_key[0] <= s.turn:
            ended[gone] = pop(lines.run_key, lines.run_id, s.running)
            leave(s, ended[gone], requests)
            gone += 1
        for j in range(s.ready):
            i = lines.queue[j]
            requests.first[i] = s.now
            if requests.rounds[i] >= 1.0:
                join(s, i, lines, requests)
            else:
                requests.finish[i] = s.now
                ended[gone] = i
                gone += 1
        if s.ready > 0:
            move_up(s, lines)
        if s.running == 0:
            s.context = 0.0
            s.growth = 0.0
        s.finished += gone
        for g in range(gone):
            e = table.entries[ended[g]]
            give_back(cache, recorded.paths, rules, tally, e)
            if e.counted == 0.0:
                warming -= 1
                continue
            send_what_waited(s, c, table, recorded, lanes, e.lane, e.recorded, until)
            lanes.left[e.lane] -= 1
            if lanes.left[e.lane] == 0:
                close_play(cache, lanes.place[e.lane])
                plays[e.play].end = s.now
                vacant += 1
    return table.requests, table.entries[: s.started], plays[:taken]
