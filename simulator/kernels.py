"""All compiled code: floats and arrays in, arrays out. Nothing else imports numba.

numba's on-disk cache does not notice an edit in another file, so the kernels share this one file. Randomness never
enters: lengths and rounds are drawn outside and passed in as arrays. Times are seconds, sizes are tokens.

A plan of one configuration is a float vector ``c`` with the fields named below; ``target`` and ``draft`` are operator
tables of shape (rows, 2 + 7): count, floor, then seconds per load (ONE, T, QK, L, KV, ST, D), see ``operators.py``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile on the first call, keep the machine code on disk, run without the GIL; the type stays that of the
    function."""
    return cast(F, njit(cache=True, nogil=True)(function))


# fields of the plan vector
(VERIFY, SINGLE_DRAFTS, EXTEND, STATES, RELOAD, HOST_STEP, HOST_REQUEST, HOST_PREFILL, HOST_DRAFT) = range(9)
(EXPERTS, TOP_K, SKEW, CORRELATION, CHUNK, SHARED, SPLIT, DELAY, DELAY_TOKEN, PREFILL_STATES) = range(9, 19)
(LAUNCH, LOOKAHEAD, STREAM, POLL, REMOTE_PREFILL) = range(19, 24)
PLAN_FIELDS = 24

# counters returned by the discrete events; STRETCHES: decode rounds summed at once count as one
(DECODE_TIME, PREFILL_TIME, ROUNDS, PREFILLS, BATCH_TIME, PREFILL_TOKENS, STRETCHES) = range(7)
COUNTERS = 7


@compiled
def routing_constant(experts: float, top_k: float, skew: float) -> float:
    """What :func:`distinct_experts` needs of the routing, whatever the tokens: 0 if each token goes to all experts,
    ``log(1 - k/E) < 0`` for uniform routing, else ``y > 0``."""
    if top_k >= experts:
        return 0.0
    miss = math.log1p(-top_k / experts)
    if skew < 1e-6:
        return miss
    return math.expm1(-skew * miss)


@compiled
def _distinct(experts: float, skew: float, routing: float, tokens: float) -> float:
    """:func:`distinct_experts` with the :func:`routing_constant` known."""
    if routing == 0.0:
        return experts
    if routing < 0.0:
        return -experts * math.expm1(tokens * routing)
    return -experts * math.expm1(-math.log1p(tokens * routing) / skew)


@compiled
def distinct_experts(experts: float, top_k: float, skew: float, tokens: float) -> float:
    """Expected distinct experts touched by ``tokens`` independent tokens.

    Uniform routing: ``E (1 - (1 - k/E)^T)`` (MoESD, arXiv 2505.19645). Gamma distributed expert popularity with squared
    coefficient of variation ``skew``: ``E (1 - (1 + T y)^(-1/skew))`` with ``y = (1 - k/E)^(-skew) - 1``, so that one
    token touches k experts; it tends to the uniform case.
    """
    return _distinct(experts, skew, routing_constant(experts, top_k, skew), tokens)


@compiled
def _work_time(
    table: Array, tokens: float, distinct: float, qk: float, logits: float, kv: float, states: float
) -> float:
    """Seconds of one forward pass that touches ``distinct`` experts."""
    total = 0.0
    for i in range(table.shape[0]):
        t = (
            table[i, 2]
            + tokens * table[i, 3]
            + qk * table[i, 4]
            + logits * table[i, 5]
            + kv * table[i, 6]
            + states * table[i, 7]
            + distinct * table[i, 8]
        )
        total += table[i, 0] * max(table[i, 1], t)
    return total


@compiled
def pass_time(
    table: Array, c: Array, tokens: float, independent: float, qk: float, logits: float, kv: float, states: float
) -> float:
    """Seconds of one forward pass. ``independent``: tokens that route independently of one another."""
    distinct = distinct_experts(c[EXPERTS], c[TOP_K], c[SKEW], independent)
    return _work_time(table, tokens, distinct, qk, logits, kv, states)


@compiled
def independent_tokens(c: Array, tokens: float, sequences: float) -> float:
    """Tokens of one sequence share experts: each token after the first counts ``1 - correlation``."""
    own: float = 1.0 - c[CORRELATION]
    return sequences + (tokens - sequences) * own


@compiled
def _touched(c: Array, routing: float, tokens: float, sequences: float) -> float:
    """Distinct experts of ``tokens`` tokens of ``sequences`` sequences."""
    return _distinct(c[EXPERTS], c[SKEW], routing, independent_tokens(c, tokens, sequences))


@compiled
def _drafting_time(draft: Array, c: Array, routing: float, distinct: float, batch: float, context: float) -> float:
    """Seconds of the draft passes of one round over ``batch`` requests with ``context`` cached tokens in all.

    ``distinct``: experts touched by all tokens of the round.
    """
    if c[VERIFY] <= 1.0:
        return 0.0
    q = c[VERIFY]
    total = 0.0
    if c[SINGLE_DRAFTS] > 0.0:
        single = _touched(c, routing, batch, batch)
        total += c[SINGLE_DRAFTS] * (c[HOST_DRAFT] + _work_time(draft, batch, single, context, batch, context, 0.0))
    if c[EXTEND] > 0.0:
        total += c[HOST_DRAFT] + _work_time(draft, batch * q, distinct, context * q, batch, context, 0.0)
    return total


@compiled
def _round_time(target: Array, draft: Array, c: Array, routing: float, batch: float, context: float) -> float:
    """:func:`round_time` with the :func:`routing_constant` known."""
    q = c[VERIFY]
    kv = context * (1.0 + c[RELOAD] * (q - 1.0))
    distinct = _touched(c, routing, batch * q, batch)
    verify = _work_time(target, batch * q, distinct, context * q, batch * q, kv, batch * c[STATES])
    host: float = c[HOST_STEP] + c[HOST_REQUEST] * batch
    return host + verify + _drafting_time(draft, c, routing, distinct, batch, context)


@compiled
def round_time(target: Array, draft: Array, c: Array, batch: float, context: float) -> float:
    """Seconds of one decode round (plain step, or draft and verify) over ``batch`` requests."""
    return _round_time(target, draft, c, routing_constant(c[EXPERTS], c[TOP_K], c[SKEW]), batch, context)


@compiled
def _prefill_time(
    target: Array,
    draft: Array,
    c: Array,
    routing: float,
    tokens: float,
    prompts: float,
    qk: float,
    kv: float,
    batch: float,
    context: float,
) -> float:
    """:func:`prefill_time` with the :func:`routing_constant` known."""
    q = c[VERIFY]
    all_tokens = tokens + batch * q
    distinct = _touched(c, routing, all_tokens, prompts + batch)
    cached = kv + context * (1.0 + c[RELOAD] * (q - 1.0))
    states = prompts * c[PREFILL_STATES] + batch * c[STATES]
    device = _work_time(target, all_tokens, distinct, qk + context * q, prompts + batch * q, cached, states)
    if q > 1.0:
        if batch > 0.0:
            distinct = _touched(c, routing, tokens, prompts)
        device += _work_time(draft, tokens, distinct, qk, prompts, kv, 0.0)
    total: float = c[HOST_PREFILL] + max(c[LAUNCH], device)
    if batch > 0.0:
        distinct = _touched(c, routing, batch * q, batch)
        total += c[HOST_REQUEST] * batch + _drafting_time(draft, c, routing, distinct, batch, context)
    return total


@compiled
def prefill_time(
    target: Array,
    draft: Array,
    c: Array,
    tokens: float,
    prompts: float,
    qk: float,
    kv: float,
    batch: float,
    context: float,
) -> float:
    """Seconds of one prefill pass over ``tokens`` of ``prompts`` prompts; with ``batch`` > 0 a decode round rides
    along."""
    routing = routing_constant(c[EXPERTS], c[TOP_K], c[SKEW])
    return _prefill_time(target, draft, c, routing, tokens, prompts, qk, kv, batch, context)


@compiled
def _push(keys: Array, ids: Indices, size: int, key: float, value: int) -> None:
    """Insert into a binary min-heap ordered by (key, id)."""
    i = size
    while i > 0:
        parent = (i - 1) >> 1
        if keys[parent] < key or (keys[parent] == key and ids[parent] < value):
            break
        keys[i] = keys[parent]
        ids[i] = ids[parent]
        i = parent
    keys[i] = key
    ids[i] = value


@compiled
def _pop(keys: Array, ids: Indices, size: int) -> int:
    """Remove the least entry of a heap of ``size`` entries and return its id."""
    top: int = ids[0]
    last = size - 1
    key, value = keys[last], ids[last]
    i = 0
    while True:
        child = 2 * i + 1
        if child >= last:
            break
        right = child + 1
        if right < last and (keys[right] < keys[child] or (keys[right] == keys[child] and ids[right] < ids[child])):
            child = right
        if keys[child] > key or (keys[child] == key and ids[child] > value):
            break
        keys[i] = keys[child]
        ids[i] = ids[child]
        i = child
    keys[i] = key
    ids[i] = value
    return top


# a replica between two steps
(NOW, TURN, CONTEXT, GROWTH, KNOWN, UNPOLLED, LAST, ACCEL, SPAN, PREFILLED) = range(10)
(RUNNING, QUEUED, ARRIVING, READY, RIDERS, PENDING, STARTED, FINISHED) = range(10, 18)
REPLICA_FIELDS = 18


@compiled
def _advance(
    target: Array,
    draft: Array,
    c: Array,
    slots: int,
    base: Array,
    slope: float,
    until: float,
    s: Array,
    arrive_key: Array,
    arrive_id: Indices,
    run_key: Array,
    run_id: Indices,
    queue: Indices,
    done_prompt: Array,
    send: Array,
    prompt: Array,
    output: Array,
    rounds: Array,
    clients: int,
    first: Array,
    finish: Array,
    counters: Array,
) -> float:
    """Run one replica, whose state is ``s`` and its heaps and queue, through all steps that end before ``until``.

    Returns when the step in progress ends; a decode in progress is replanned when the replica is advanced again, since
    an arrival cuts it short. ``base``: round time by batch at no cached tokens, -1 where not known yet; ``slope``: its
    growth per cached token. For the other arguments see :func:`serve`.

    Rounds between two events are summed in closed form: the batch does not change and the round time grows linearly
    with the cached tokens, so the cost grows with the number of events, not with tokens.
    """
    n = send.shape[0]
    q = c[VERIFY]
    routing = routing_constant(c[EXPERTS], c[TOP_K], c[SKEW])
    t = s[NOW]
    turn = s[TURN]
    context = s[CONTEXT]
    growth = s[GROWTH]
    known = s[KNOWN]
    unpolled = s[UNPOLLED]
    last = s[LAST]
    accel = s[ACCEL]
    dt = s[SPAN]
    tokens = s[PREFILLED]
    running = int(s[RUNNING])
    queued = int(s[QUEUED])
    arriving = int(s[ARRIVING])
    ready = int(s[READY])
    riders = s[RIDERS]
    pending = s[PENDING]
    started = int(s[STARTED])
    finished = int(s[FINISHED])
    ahead = 0.0
    if c[LOOKAHEAD] > 0.0:
        ahead = 1.0
    steps = 0.0
    step = 0.0

    while finished < n:
        if pending == 0.0:
            if unpolled >= c[POLL]:
                # the last look was `unpolled` steps ago; with lookahead it saw what was there one step before
                unpolled -= c[POLL] * math.floor(unpolled / c[POLL])
                back = unpolled + ahead
                known = t - back * last + 0.5 * accel * back * (back - 1.0)
            while arriving > 0 and running + queued < slots and arrive_key[0] <= known:
                queue[queued] = _pop(arrive_key, arrive_id, arriving)
                done_prompt[queued] = 0.0
                arriving -= 1
                queued += 1
            ready = 0
            if queued > 0 and c[REMOTE_PREFILL] > 0.0:
                pending = 1.0
                ready = queued
                dt = 0.0
            elif queued > 0:
                pending = 1.0
                mixed = c[SHARED] > 0.0 and running > 0
                budget = c[CHUNK]
                if mixed:
                    budget = max(1.0, budget - running * q)
                tokens = 0.0
                qk = 0.0
                kv = 0.0
                touched = 0
                for j in range(queued):
                    left = prompt[queue[j]] - done_prompt[j]
                    room = budget - tokens
                    if room <= 0.0 or (left > room and tokens > 0.0 and c[SPLIT] == 0.0):
                        break
                    take = min(left, room)
                    qk += take * (done_prompt[j] + 0.5 * take)
                    kv += done_prompt[j]
                    tokens += take
                    done_prompt[j] += take
                    touched += 1
                    if take == left:
                        ready += 1
                    else:
                        break
                riders = 0.0
                cached = 0.0
                if mixed:
                    riders = float(running)
                    cached = context
                dt = _prefill_time(target, draft, c, routing, tokens, float(touched), qk, kv, riders, cached)
            elif running > 0:
                b = running
                if base[b] < 0.0:
                    base[b] = _round_time(target, draft, c, routing, float(b), 0.0)
                step = base[b] + slope * context
                accel = slope * growth
                steps = run_key[0] - turn
                if arriving > 0 and running < slots:
                    gap = max(0.0, arrive_key[0] - t)
                    # least m with m step + accel m (m - 1) / 2 >= gap
                    half = step - 0.5 * accel
                    m = math.ceil(2.0 * gap / (half + math.sqrt(half * half + 2.0 * accel * gap)))
                    # requests are looked for every POLL steps only
                    late = m + unpolled
                    m = math.ceil(late / c[POLL]) * c[POLL] - unpolled
                    steps = max(1.0, min(steps, m))
                dt = steps * step + accel * steps * (steps - 1.0) * 0.5
            elif arriving > 0:
                dt = max(0.0, arrive_key[0] - t)
            else:
                dt = math.inf
        if t + dt >= until:
            break

        t += dt
        if pending > 0.0:
            pending = 0.0
            if c[REMOTE_PREFILL] == 0.0:
                last = dt
                accel = 0.0
                unpolled = c[POLL]
                counters[PREFILL_TIME] += dt
                counters[PREFILLS] += 1.0
                counters[PREFILL_TOKENS] += tokens
                if riders > 0.0:
                    turn += 1.0
                    context += growth
                    counters[ROUNDS] += 1.0
                    counters[BATCH_TIME] += riders * dt
        elif running > 0:
            last = step + accel * (steps - 1.0)
            unpolled += steps
            turn += steps
            context += growth * steps
            counters[DECODE_TIME] += dt
            counters[ROUNDS] += steps
            counters[STRETCHES] += 1.0
            counters[BATCH_TIME] += running * dt
        else:
            last = 0.0
            accel = 0.0
            unpolled = c[POLL]
            continue

        leaving = 0
        while running > 0 and run_key[0] <= turn:
            i = _pop(run_key, run_id, running)
            running -= 1
            growth -= (output[i] - 1.0) / rounds[i]
            context -= prompt[i] + output[i]
            finish[i] = t
            leaving += 1
        for j in range(ready):
            i = queue[j]
            first[i] = t
            if rounds[i] < 1.0:
                finish[i] = t
                leaving += 1
            else:
                _push(run_key, run_id, running, turn + rounds[i], i)
                running += 1
                context += prompt[i] + 1.0
                growth += (output[i] - 1.0) / rounds[i]
        if ready > 0:
            queued -= ready
            for j in range(queued):
                queue[j] = queue[j + ready]
                done_prompt[j] = done_prompt[j + ready]
            ready = 0
        if running == 0:
            context = 0.0
            growth = 0.0
        finished += leaving
        if clients > 0:
            for _ in range(leaving):
                if started < n:
                    send[started] = t
                    seen_at = t + c[DELAY] + c[DELAY_TOKEN] * prompt[started] + c[STREAM] * clients
                    _push(arrive_key, arrive_id, arriving, seen_at, started)
                    arriving += 1
                    started += 1

    s[NOW] = t
    s[TURN] = turn
    s[CONTEXT] = context
    s[GROWTH] = growth
    s[KNOWN] = known
    s[UNPOLLED] = unpolled
    s[LAST] = last
    s[ACCEL] = accel
    s[SPAN] = dt
    s[PREFILLED] = tokens
    s[RUNNING] = running
    s[QUEUED] = queued
    s[ARRIVING] = arriving
    s[READY] = ready
    s[RIDERS] = riders
    s[PENDING] = pending
    s[STARTED] = started
    s[FINISHED] = finished
    return float(t + dt)


@compiled
def serve(
    target: Array,
    draft: Array,
    c: Array,
    cap: float,
    send: Array,
    prompt: Array,
    output: Array,
    rounds: Array,
    clients: int,
    first: Array,
    finish: Array,
    counters: Array,
) -> None:
    """Discrete events of one replica: arrivals, prefill batches, decode rounds, completions.

    With ``clients`` > 0 the loop is closed: that many clients send the requests in order, each its next one when its
    last one ends; ``send`` is filled in. With ``clients`` = 0 the ``send`` times are given (open loop). All arrays have
    one entry per request; ``rounds`` are the decode rounds each request needs after its first token. At most ``cap``
    requests run at once. Fills ``first`` (first token) and ``finish``, and ``counters``.
    """
    n = send.shape[0]
    slots = int(min(cap, n))
    base = np.full(slots + 1, -1.0)
    slope = round_time(target, draft, c, 1.0, 1.0) - round_time(target, draft, c, 1.0, 0.0)
    arrive_key = np.empty(n)
    arrive_id = np.empty(n, np.int64)
    started = n
    if clients > 0:
        started = min(clients, n)
    for i in range(started):
        if clients > 0:
            send[i] = 0.0
        _push(arrive_key, arrive_id, i, send[i] + c[DELAY] + c[DELAY_TOKEN] * prompt[i] + c[STREAM] * clients, i)
    s = np.zeros(REPLICA_FIELDS)
    s[UNPOLLED] = c[POLL]
    s[ARRIVING] = s[STARTED] = started
    run_key = np.empty(slots)
    run_id = np.empty(slots, np.int64)
    queue = np.empty(slots, np.int64)
    done_prompt = np.zeros(slots)
    _advance(
        target,
        draft,
        c,
        slots,
        base,
        slope,
        math.inf,
        s,
        arrive_key,
        arrive_id,
        run_key,
        run_id,
        queue,
        done_prompt,
        send,
        prompt,
        output,
        rounds,
        clients,
        first,
        finish,
        counters,
    )


# how a fleet's router chooses a replica
(ROUND_ROBIN, LEAST_OUTSTANDING, TWO_CHOICES) = range(3)


@compiled
def _route(router: int, turn: int, choice: Indices, outstanding: Indices) -> int:
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
def serve_fleet(
    target: Array,
    draft: Array,
    c: Array,
    cap: float,
    limit: float,
    router: int,
    choices: Indices,
    send: Array,
    prompt: Array,
    output: Array,
    rounds: Array,
    where: Indices,
    first: Array,
    finish: Array,
    counters: Array,
) -> None:
    """Discrete events of equal replicas behind a router, open loop; each replica does what :func:`serve` does.

    ``send`` ascends. The router sees how many requests each replica has outstanding when a request is sent; ties go to
    the lower number. ``choices``, shape (n, 2): the candidates of TWO_CHOICES, drawn outside. A request whose replica
    has ``limit`` outstanding is refused: its ``where`` is -1. The front end of a replica streams to the requests
    outstanding there. Fills ``where`` (replica), ``first`` and ``finish``; ``counters`` has one row per replica.
    """
    n = send.shape[0]
    replicas = counters.shape[0]
    slots = int(min(cap, n))
    base = np.full(slots + 1, -1.0)
    slope = round_time(target, draft, c, 1.0, 1.0) - round_time(target, draft, c, 1.0, 0.0)
    s = np.zeros((replicas, REPLICA_FIELDS))
    s[:, UNPOLLED] = c[POLL]
    room = 64
    arrive_key = np.empty((replicas, room))
    arrive_id = np.empty((replicas, room), np.int64)
    run_key = np.empty((replicas, slots))
    run_id = np.empty((replicas, slots), np.int64)
    queue = np.empty((replicas, slots), np.int64)
    done_prompt = np.zeros((replicas, slots))
    sent = np.zeros(replicas, np.int64)
    outstanding = np.zeros(replicas, np.int64)
    until = np.full(replicas, math.inf)
    for i in range(n + 1):
        now = math.inf
        if i < n:
            now = send[i]
        for r in range(replicas):
            if until[r] < now:
                until[r] = _advance(
                    target,
                    draft,
                    c,
                    slots,
                    base,
                    slope,
                    now,
                    s[r],
                    arrive_key[r],
                    arrive_id[r],
                    run_key[r],
                    run_id[r],
                    queue[r],
                    done_prompt[r],
                    send,
                    prompt,
                    output,
                    rounds,
                    0,
                    first,
                    finish,
                    counters[r],
                )
                outstanding[r] = sent[r] - int(s[r, FINISHED])
        if i == n:
            return
        r = _route(router, i, choices[i], outstanding)
        if outstanding[r] >= limit:
            where[i] = -1
            continue
        where[i] = r
        sent[r] += 1
        outstanding[r] += 1
        waiting = int(s[r, ARRIVING])
        if waiting == room:
            more_key = np.empty((replicas, 2 * room))
            more_id = np.empty((replicas, 2 * room), np.int64)
            more_key[:, :room] = arrive_key
            more_id[:, :room] = arrive_id
            arrive_key, arrive_id, room = more_key, more_id, 2 * room
        seen_at = send[i] + c[DELAY] + c[DELAY_TOKEN] * prompt[i] + c[STREAM] * outstanding[r]
        _push(arrive_key[r], arrive_id[r], waiting, seen_at, i)
        s[r, ARRIVING] = waiting + 1
        until[r] = min(until[r], seen_at)


# results of the closed form
(DURATION, MEAN_TPOT, MEDIAN_TPOT, MEAN_TTFT, MEDIAN_TTFT, P99_TTFT, MEAN_E2E, DECODE_BATCH, PREFILL_SHARE) = range(9)
CLOSED_FORM_FIELDS = 9


@compiled
def _prompts_time(
    target: Array,
    draft: Array,
    c: Array,
    routing: float,
    prompts: float,
    prompt: float,
    batch: float,
    context: float,
) -> tuple[float, float]:
    """Seconds of prefilling ``prompts`` whole prompts, in chunks if they exceed one, and the number of passes it
    takes."""
    room = c[CHUNK]
    if c[SHARED] > 0.0:
        room = max(1.0, room - batch * c[VERIFY])
    tokens = prompts * prompt
    passes = max(1.0, math.ceil(tokens / room))
    if c[SPLIT] == 0.0 and prompt <= room:
        passes = max(1.0, math.ceil(prompts / math.floor(room / prompt)))
    tokens /= passes
    qk = 0.5 * prompts * prompt * prompt / passes
    kv = 0.0
    if prompt > room:
        kv = 0.5 * prompt
    share = max(1.0, prompts / passes)
    return passes * _prefill_time(target, draft, c, routing, tokens, share, qk, kv, batch, context), passes


@compiled
def closed_form(
    target: Array,
    draft: Array,
    c: Array,
    clients: float,
    per_client: float,
    prompt: float,
    output: float,
    rounds: float,
    rounds_sd: float,
    cap: float,
    out: Array,
) -> None:
    """Expected metrics of the closed-loop benchmark without simulating it; fills ``out`` (times in seconds).

    Mean-value fixed point of Little's law per client: a cycle is front end, wait, prefill and ``rounds`` rounds; a
    round takes its own time at the batch that the other clients leave, plus the prefills that their arrivals cause. The
    run starts with all prompts at once, and synchronous starts keep completions clumped: after g requests their phase
    has spread by sqrt(g) rounds_sd, so prefill batches are larger than for Poisson arrivals. It ends with a drain of
    one request's rounds.
    """
    routing = routing_constant(c[EXPERTS], c[TOP_K], c[SKEW])
    n = min(clients, cap)
    mean_context = prompt + 0.5 * output
    front = c[DELAY] + c[DELAY_TOKEN] * prompt + c[STREAM] * clients
    slope = _round_time(target, draft, c, routing, 1.0, 1.0) - _round_time(target, draft, c, routing, 1.0, 0.0)

    # opening: all prompts at once
    shared = c[SHARED] > 0.0
    riders = 0.0
    if shared:
        riders = 0.5 * n
    opening, passes = _prompts_time(target, draft, c, routing, n, prompt, riders, riders * prompt)
    first_batch = opening / passes

    # bulk: fixed point over the time of a round and the part of a cycle spent decoding
    decode = _round_time(target, draft, c, routing, n, n * mean_context)
    single, _passes = _prompts_time(target, draft, c, routing, 1.0, prompt, 0.0, 0.0)
    tau = decode
    cycle = front + single + rounds * tau
    batch = n
    wait = 0.0
    own = single
    for _ in range(12):
        batch = 1.0 + (n - 1.0) * min(1.0, rounds * tau / cycle)
        decode = _round_time(target, draft, c, routing, batch, 0.0) + slope * batch * mean_context
        rate = (n - 1.0) / cycle
        stall = 0.0
        own = 0.0
        wait = 0.0
        parts = 3
        ride = 0.0
        busy = single
        if shared:
            ride = batch
            busy, _passes = _prompts_time(target, draft, c, routing, 1.0, prompt, ride, ride * mean_context)
        for part in range(parts):
            g = (part + 0.5) / parts * per_client
            phase = rounds_sd * math.sqrt(g)
            if shared:
                phase = math.sqrt(phase * phase + (opening / tau) ** 2 / 12.0)
            clump = max(1.0, rounds / (2.0 * math.sqrt(math.pi) * max(phase, 1e-9)))
            local = min(rate * clump, (n - 1.0) / max(tau, 1e-12))
            look = c[POLL] * decode
            window = (decode * look + (tau - decode) * single) / tau
            a = local * window
            size = 1.0
            if a > 1e-6:
                # renewal of decode rounds and prefills: each is followed by a prefill if a request came during it
                begin = -math.expm1(-local * look) * math.exp(min(50.0, local * busy)) / look
                size = max(1.0, local * (1.0 + busy * begin) / begin)
            together, steps = _prompts_time(target, draft, c, routing, size, prompt, ride, ride * mean_context)
            alone, _s = _prompts_time(target, draft, c, routing, min(n, 1.0 + a), prompt, ride, ride * mean_context)
            extra = together
            if shared:
                extra = max(0.0, together - steps * decode)
            stall += rate / size * extra / parts
            own += alone / parts
            residual = 0.5 * window
            if c[LOOKAHEAD] > 0.0:
                residual += decode
            wait += residual / parts
        if n < 1.5:
            wait = 0.0
        # a round is decode time plus the prefills that arrive during it: tau = decode + stall tau
        share = min(stall, 0.98)
        tau = 0.5 * (tau + decode / (1.0 - share))
        cycle = 0.5 * (cycle + front + wait + own + rounds * tau)
    queueing = 0.0
    if clients > cap:
        queueing = (clients / cap - 1.0) * cycle

    # drain: the pool of requests is empty when the last one starts; the batch then shrinks over one request's rounds
    phase = rounds_sd * math.sqrt(per_client)
    tail = 0.0
    if n > 1.5:
        # mean of the greatest of n normal variates (Cramer 1946, 28.6)
        z = math.sqrt(2.0 * math.log(n))
        z -= (math.log(math.log(n)) + math.log(4.0 * math.pi)) / (2.0 * z)
        tail = min(0.5, max(0.0, z) * phase / rounds)
    full = _round_time(target, draft, c, routing, n, n * mean_context)
    half = _round_time(target, draft, c, routing, max(1.0, 0.5 * n), max(1.0, 0.5 * n) * mean_context)
    last = _round_time(target, draft, c, routing, 1.0, mean_context)
    flat = rounds * (1.0 - 2.0 * tail)
    slide = rounds * 2.0 * tail
    drain = flat * full + slide * (full + 4.0 * half + last) / 6.0
    generations = per_client * clients / n
    bulk = generations - 1.0 + tail
    duration = front + opening + bulk * cycle - (cycle - rounds * tau) + drain
    area = max(0.0, bulk) * rounds * tau + flat * full + slide * (full + 2.0 * half) / 6.0
    if n < 1.5:
        duration = per_client * clients * (front + single + rounds * last)
        area = generations * rounds * last
        cycle = front + single + rounds * last
        tau = last
        own = single
    tpot = area / generations / max(output - 1.0, 1.0)
    steady = front + wait + own
    open_ttft = front + 0.5 * (opening + first_batch)
    ttft = (open_ttft + (generations - 1.0) * steady) / generations
    out[DURATION] = duration
    out[MEAN_TPOT] = tpot
    out[MEDIAN_TPOT] = rounds * tau / max(output - 1.0, 1.0)
    out[MEAN_TTFT] = ttft + queueing * (generations - 1.0) / generations
    out[MEDIAN_TTFT] = steady + queueing
    # the unlucky one in steady state comes just after another prefill has begun
    late = front + own
    if n > 1.5:
        late += single + c[LOOKAHEAD] * decode
    out[P99_TTFT] = max(late, front + opening * max(0.0, 1.0 - 0.01 * generations)) + queueing
    out[MEAN_E2E] = out[MEAN_TTFT] + tpot * (output - 1.0)
    out[DECODE_BATCH] = batch
    out[PREFILL_SHARE] = (tau - decode) / tau


@compiled
def closed_form_sweep(targets: Array, drafts: Array, plans: Array, which: Indices, loads: Array, out: Array) -> None:
    """The closed form over many configurations.

    ``targets``, ``drafts``, ``plans``: stacked per deployment. ``which``: deployment of each configuration, shape (n,).
    ``loads``: shape (n, 7), the arguments clients .. cap of :func:`closed_form`. ``out``: shape (n,
    CLOSED_FORM_FIELDS).
    """
    for i in range(which.shape[0]):
        j = which[i]
        x = loads[i]
        closed_form(targets[j], drafts[j], plans[j], x[0], x[1], x[2], x[3], x[4], x[5], x[6], out[i])


# results of the open-loop closed form
(
    OPEN_CAPACITY,
    OPEN_LOAD,
    OPEN_BATCH,
    OPEN_BASE,
    OPEN_STEP,
    OPEN_PREFILL_LOAD,
    OPEN_PREFILL_DECAY,
    OPEN_SLOT_WAIT,
    OPEN_SLOT_DECAY,
    OPEN_STAY,
    OPEN_STAY_SD,
    OPEN_ROUND,
) = range(12)
OPEN_FIELDS = 12


@compiled
def _stall(
    target: Array, draft: Array, c: Array, routing: float, size: float, prompt: float, batch: float, context: float
) -> float:
    """Seconds that the prefill of one of ``size`` prompts prefilled together takes from a decoding batch."""
    if c[REMOTE_PREFILL] > 0.0:
        return 0.0
    if c[SHARED] == 0.0 or batch < 1.0:
        return float(_prompts_time(target, draft, c, routing, size, prompt, 0.0, 0.0)[0] / size)
    together, steps = _prompts_time(target, draft, c, routing, size, prompt, batch, context)
    return float(max(0.0, together - steps * _round_time(target, draft, c, routing, batch, context)) / size)


@compiled
def _batched(
    target: Array,
    draft: Array,
    c: Array,
    routing: float,
    rate: float,
    prompt: float,
    step: float,
    batch: float,
    context: float,
) -> float:
    """Mean number of prompts prefilled together: those that came during the last step, a round or another prefill."""
    most = max(1.0, math.floor(c[CHUNK] / prompt))
    size = 1.0
    for _ in range(4):
        riding = 0.0
        if c[SHARED] > 0.0 and batch >= 1.0:
            riding = batch
        prefill = _prompts_time(target, draft, c, routing, size, prompt, riding, context)[0]
        begin = -math.expm1(-rate * step) / step
        share = begin * prefill / (1.0 + begin * prefill)
        window = rate * ((1.0 - share) * step + share * prefill)
        if window > 1e-6:
            size = min(most, window / -math.expm1(-window))
    return float(size)


@compiled
def open_form(
    target: Array,
    draft: Array,
    c: Array,
    rate: float,
    prompt: float,
    prompt_cv: float,
    output: float,
    rounds: float,
    cap: float,
    out: Array,
) -> None:
    """One replica under Poisson arrivals of ``rate`` per second in steady state, without simulating it; fills ``out``.

    Decoding is processor sharing whose speed depends on the number n of requests: they depart at the rate
    min(n, cap) (1 - rate P) / (rounds D(min(n, cap))), D being the time of a round and P the time that one prefill
    takes from decoding. Its distribution is the product form of a birth and death process and does not depend on the
    distribution of the rounds (Kelly 1979, 3.3; Baskett et al. 1975). A prompt waits like a customer of an M/G/1 queue
    whose server takes vacations of one decode round (Levy and Yechiali 1975), and for a slot like one of an M/D/c
    queue. The prefills that fall into a request's stay make it a delay cycle (Conway, Maxwell and Miller 1967, 8.3).
    """
    routing = routing_constant(c[EXPERTS], c[TOP_K], c[SKEW])
    context = prompt + 0.5 * output
    slope = _round_time(target, draft, c, routing, 1.0, 1.0) - _round_time(target, draft, c, routing, 1.0, 0.0)
    remote = c[REMOTE_PREFILL] > 0.0
    slots = int(cap)

    # most requests per second: all slots taken, each round prefills as many as leave
    full = _round_time(target, draft, c, routing, cap, cap * context)
    together = max(1.0, cap / max(rounds, 1e-9))
    if rounds > 0.0:
        used = rounds * full / cap + _stall(target, draft, c, routing, together, prompt, cap, cap * context)
    else:
        used = _stall(target, draft, c, routing, max(1.0, math.floor(c[CHUNK] / prompt)), prompt, 0.0, 0.0)
    out[OPEN_CAPACITY] = 1.0 / used
    out[OPEN_LOAD] = rate * used

    # distribution of the number decoding
    batch = 0.0
    variance = 0.0
    mean_round = full
    slot_wait = 0.0
    slot_decay = 1e9
    stay = 0.0
    single = _stall(target, draft, c, routing, 1.0, prompt, 0.0, 0.0)
    if rounds > 0.0:
        best = 0.0
        top = 0.0
        weight = 0.0
        total = 0.0
        first = 0.0
        second = 0.0
        serving = 0.0
        rate_at_cap = 0.0
        for n in range(slots + 1):
            if n > 0:
                d = _round_time(target, draft, c, routing, float(n), 0.0) + slope * n * context
                size = _batched(target, draft, c, routing, rate, prompt, d, float(n), n * context)
                p = _stall(target, draft, c, routing, size, prompt, float(n), n * context)
                share = max(1e-6, 1.0 - rate * p)
                rate_at_cap = n * share / (rounds * d)
                weight += math.log(rate / rate_at_cap)
                tau = d / share
            else:
                tau = _round_time(target, draft, c, routing, 1.0, context) / max(1e-6, 1.0 - rate * single)
            if weight > top:
                # keep the greatest weight at one
                scale = math.exp(top - weight)
                total *= scale
                first *= scale
                second *= scale
                serving *= scale
                top = weight
            w = math.exp(weight - top)
            total += w
            serving += w * n
            first += w * tau
            second += w * tau * tau
            best = w
        r = rate / rate_at_cap
        if r >= 1.0 - 1e-9:
            out[OPEN_LOAD] = max(out[OPEN_LOAD], r)
            r = 1.0 - 1e-9
        beyond = best * r / (1.0 - r)
        serving = (serving + beyond * slots) / (total + beyond)
        slot_wait = (best + beyond) / (total + beyond)
        # service of nearly constant length: half the wait of M/M/c
        slot_decay = 2.0 * (rate_at_cap - rate)
        mean_round = (first + beyond * tau) / (total + beyond)
        variance = max(0.0, (second + beyond * tau * tau) / (total + beyond) - mean_round * mean_round)
        batch = serving
        stay = serving / rate

    step = 0.0
    many = max(1.0, batch)
    if batch > 0.0:
        step = _round_time(target, draft, c, routing, many, many * context)
    own = 0.0
    decay = 1e9
    busy = 0.0
    each = 0.0
    if not remote:
        riding = 0.0
        if c[SHARED] > 0.0 and batch >= 1.0:
            riding = batch
        size = _batched(target, draft, c, routing, rate, prompt, max(step, 1e-9), riding, riding * context)
        own = _prompts_time(target, draft, c, routing, size, prompt, riding, riding * context)[0]
        each = own / size
        if riding > 0.0:
            each = _stall(target, draft, c, routing, size, prompt, riding, riding * context)
        # one more prompt in a batch adds less than its share: the queue of prompts is loaded by what it adds
        more = _prompts_time(target, draft, c, routing, size + 1.0, prompt, riding, riding * context)[0]
        busy = min(0.98, rate * min(more - own, own / size))
        decay = 2.0 * (1.0 - busy) / (own * (1.0 + prompt_cv * prompt_cv))
    front = c[DELAY] + c[DELAY_TOKEN] * prompt + c[STREAM] * (rate * (stay + own) + 1.0)
    if c[LOOKAHEAD] > 0.0:
        front += step
    out[OPEN_BATCH] = batch
    out[OPEN_BASE] = front + own
    out[OPEN_STEP] = step * (1.0 + (c[POLL] - 1.0) * 0.5)
    out[OPEN_PREFILL_LOAD] = busy
    out[OPEN_PREFILL_DECAY] = decay
    out[OPEN_SLOT_WAIT] = slot_wait
    out[OPEN_SLOT_DECAY] = slot_decay
    out[OPEN_STAY] = stay
    # a stay averages the fluctuation of the number over its own time scale, and counts the prefills that fall into it
    correlated = 0.736 * variance * rounds * rounds
    free = 1.0 - min(0.98, rate * each)
    counted = rate * stay * each * each * (1.0 + prompt_cv * prompt_cv) / (free * free)
    out[OPEN_STAY_SD] = math.sqrt(correlated + counted)
    out[OPEN_ROUND] = mean_round
