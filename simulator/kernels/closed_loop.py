"""The closed-loop benchmark in closed form: a mean-value fixed point instead of a simulation."""

from __future__ import annotations

import math
from typing import NamedTuple

from simulator.kernels.compiled import compiled
from simulator.kernels.passes import (
    bends,
    decode_round,
    poll_of,
    prompts_time,
    prompts_time_on_average,
    riders,
    round_at,
    routing_of,
    slope_of,
)
from simulator.kernels.records import Array, ClosedForm, Constants, Costs, Indices, Load, Records


class Bulk(NamedTuple):
    """The time between opening and drain, seconds: a cycle is front end, ``wait``, ``own`` prefill and the rounds.

    ``tau``: a round with the prefills that fall into it; ``decode``: the round alone; ``batch``: requests decoding;
    ``single``: the prefill of one prompt alone.
    """

    batch: float
    decode: float
    tau: float
    cycle: float
    wait: float
    own: float
    single: float


class Drain(NamedTuple):
    """The last rounds: ``flat`` of them with all requests, ``slide`` with fewer and fewer.

    Seconds of a round with all (``full``), half and one (``last``) of them; ``tail``: half of the slide, as a part of
    one request's rounds.
    """

    tail: float
    flat: float
    slide: float
    full: float
    half: float
    last: float


@compiled
def clumping(rounds: float, phase: float) -> float:
    """How much denser than spread evenly over a cycle the completions are whose phase has a standard deviation of
    ``phase`` rounds: the mean of a normal density against a flat one."""
    return max(1.0, rounds / (2.0 * math.sqrt(math.pi) * max(phase, 1e-9)))


@compiled
def arrived_together(rate: float, look: float, busy: float, expected: float) -> float:
    """Mean number of prompts prefilled together when ``rate`` arrive per second.

    Renewal of decode rounds, looked at every ``look`` seconds, and prefills of ``busy`` seconds: each is followed by a
    prefill if a request came during it. ``expected``: arrivals between two looks; 1 if they are too few to matter.
    """
    if expected <= 1e-6:
        return 1.0
    begin = -math.expm1(-rate * look) * math.exp(min(50.0, rate * busy)) / look
    return max(1.0, rate * (1.0 + busy * begin) / begin)


@compiled
def bulk_of(costs: Costs, load: Load, n: float, front: float, opening: float) -> Bulk:
    """Fixed point over the time of a round and the part of a cycle spent decoding, with ``n`` requests inside.

    After g requests of each client the phases of completions have spread by sqrt(g) rounds_sd, so the cycle is
    averaged over three such times.
    """
    c = costs.constants
    prompt, rounds = load.prompt, load.rounds
    context = prompt + 0.5 * load.output
    slope = slope_of(costs)
    single, _passes = prompts_time(costs, 1.0, prompt, 0.0, 0.0)
    decode = decode_round(costs, n, n * context)
    tau = decode
    cycle = front + single + rounds * tau
    batch, wait, own = n, 0.0, single
    parts = 3
    for _ in range(12):
        batch = 1.0 + (n - 1.0) * min(1.0, rounds * tau / cycle)
        decode = round_at(costs, slope, batch, context)
        rate = (n - 1.0) / cycle
        look = poll_of(c, load.clients) * decode
        window = (decode * look + (tau - decode) * single) / tau
        ride = riders(c, batch)
        cached = ride * context
        busy = single
        if ride > 0.0:
            busy, _passes = prompts_time(costs, 1.0, prompt, ride, cached)
        stall, own, wait = 0.0, 0.0, 0.0
        for part in range(parts):
            phase = load.rounds_sd * math.sqrt((part + 0.5) / parts * load.per_client)
            if ride > 0.0:
                phase = math.sqrt(phase * phase + (opening / tau) ** 2 / 12.0)
            local = min(rate * clumping(rounds, phase), (n - 1.0) / max(tau, 1e-12))
            expected = local * window
            size = arrived_together(local, look, busy, expected)
            together, steps = prompts_time_on_average(costs, size, prompt, ride, cached)
            alone, _passes = prompts_time_on_average(costs, min(n, 1.0 + expected), prompt, ride, cached)
            extra = together
            if ride > 0.0:
                extra = max(0.0, together - steps * decode)
            stall += rate / size * extra / parts
            own += alone / parts
            residual = 0.5 * window
            if c.lookahead > 0.0:
                residual += decode
            wait += residual / parts
        if n < 1.5:
            wait = 0.0
        # a round is decode time plus the prefills that arrive during it: tau = decode + stall tau
        tau = 0.5 * (tau + decode / (1.0 - min(stall, 0.98)))
        cycle = 0.5 * (cycle + front + wait + own + rounds * tau)
    return Bulk(batch, decode, tau, cycle, wait, own, single)


@compiled
def greatest_of_normals(n: float) -> float:
    """About the value that one of ``n`` > 1 standard normal variates exceeds: the greatest of them, but for Euler's
    constant (Cramer 1946, 28.6)."""
    z = math.sqrt(2.0 * math.log(n))
    return z - (math.log(math.log(n)) + math.log(4.0 * math.pi)) / (2.0 * z)


@compiled
def drain_of(costs: Costs, load: Load, n: float) -> Drain:
    """The pool of requests is empty when the last one starts; the batch then shrinks over one request's rounds."""
    context = load.prompt + 0.5 * load.output
    tail = 0.0
    if n > 1.5:
        phase = load.rounds_sd * math.sqrt(load.per_client)
        tail = min(0.5, max(0.0, greatest_of_normals(n)) * phase / load.rounds)
    some = max(1.0, 0.5 * n)
    full = decode_round(costs, n, n * context)
    half = decode_round(costs, some, some * context)
    last = decode_round(costs, 1.0, context)
    return Drain(tail, load.rounds * (1.0 - 2.0 * tail), load.rounds * 2.0 * tail, full, half, last)


@compiled
def opened(single: float, opening: float, passes: float, n: float, place: float) -> float:
    """Seconds after which the ``place``-th of ``n`` > 0 opening requests has its first token.

    Lengths differ, and with them the time in the front end: the first request to come is prefilled alone, and the
    others wait for it and share ``passes`` passes, of which each completes its requests at once.
    """
    others = n - 1.0
    if place <= 1.0 or others <= 0.0:
        return single
    behind = min(others, math.ceil((place - 1.0) * passes / n) * n / passes)
    return single + opening * behind / n


@compiled
def closed_form(target: Array, draft: Array, c: Constants, load: Load, out: ClosedForm) -> None:
    """Expected metrics of the closed-loop benchmark without simulating it; fills ``out`` (times in seconds).

    Mean-value fixed point of Little's law per client: a cycle is front end, wait, prefill and ``rounds`` rounds; a
    round takes its own time at the batch that the other clients leave, plus the prefills that their arrivals cause. The
    run starts with all prompts at once, and synchronous starts keep completions clumped: after g requests their phase
    has spread by sqrt(g) rounds_sd, so prefill batches are larger than for Poisson arrivals. It ends with a drain of
    one request's rounds. ``target`` and ``draft``: operator tables, see :class:`Costs`.
    """
    costs = Costs(target, draft, c, routing_of(c), bends(target, draft, c))
    n = min(load.clients, load.cap)
    rounds, each = load.rounds, max(load.output - 1.0, 1.0)
    front = c.delay + c.delay_token * load.prompt + c.stream * load.clients
    ride = riders(c, 0.5 * n)
    opening, passes = prompts_time(costs, n, load.prompt, ride, ride * load.prompt)
    batch, decode, tau, cycle, wait, own, single = bulk_of(costs, load, n, front, opening)
    queueing = 0.0
    if load.clients > load.cap:
        queueing = (load.clients / load.cap - 1.0) * cycle
    tail, flat, slide, full, half, last = drain_of(costs, load, n)
    drain = flat * full + slide * (full + 4.0 * half + last) / 6.0

    generations = load.per_client * load.clients / n
    bulk = generations - 1.0 + tail
    duration = front + opening + bulk * cycle - (cycle - rounds * tau) + drain
    area = max(0.0, bulk) * rounds * tau + flat * full + slide * (full + 2.0 * half) / 6.0
    if n < 1.5:
        duration = load.per_client * load.clients * (front + single + rounds * last)
        area = generations * rounds * last
        tau = last
        own = single
    tpot = area / generations / each
    steady = front + wait + own
    open_ttft = front + 0.5 * (opening + opening / passes)
    ttft = (open_ttft + (generations - 1.0) * steady) / generations
    out.duration = duration
    out.mean_tpot = tpot
    out.median_tpot = rounds * tau / each
    out.mean_ttft = ttft + queueing * (generations - 1.0) / generations
    out.median_ttft = steady + queueing
    # the unlucky one in steady state comes just after another prefill has begun
    late = front + own
    if n > 1.5:
        late += single + c.lookahead * decode
    inside = max(0.0, 1.0 - 0.01 * generations)
    out.p99_ttft = max(late, front + opened(single, opening, passes, n, inside * n)) + queueing
    out.mean_e2e = out.mean_ttft + tpot * (load.output - 1.0)
    out.decode_batch = batch
    out.prefill_share = (tau - decode) / tau


@compiled
def closed_form_sweep(
    targets: Array, drafts: Array, plans: Records, which: Indices, loads: Array, out: Records
) -> None:
    """The closed form over many configurations.

    ``targets``, ``drafts``: operator tables stacked per deployment, shape (m, rows, 14); ``plans``: their constants, m
    records. ``which``: deployment of each configuration, shape (n,). ``loads``: the fields of :class:`Load`, shape
    (n, 7). ``out``: n records of :class:`ClosedForm`.
    """
    for i in range(which.shape[0]):
        j = which[i]
        x = loads[i]
        load = Load(x[0], x[1], x[2], x[3], x[4], x[5], x[6])
        closed_form(targets[j], drafts[j], plans[j], load, out[i])
