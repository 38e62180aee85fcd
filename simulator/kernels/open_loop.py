"""One replica under Poisson arrivals in steady state, in closed form."""

from __future__ import annotations

import math
from typing import NamedTuple

from simulator.kernels.compiled import compiled
from simulator.kernels.passes import (
    bends,
    decode_round,
    found_of,
    prompts_time_on_average,
    riders,
    round_at,
    routing_of,
    slope_of,
)
from simulator.kernels.records import Array, Constants, Costs, OpenForm

NEGLIGIBLE = 40.0
"""Logarithm of how much less likely than the likeliest number one is after which the rest is left out: departures rise
with the number, so that the likelihood goes on falling."""


class Stream(NamedTuple):
    """What arrives: ``rate`` per second, ``prompt`` tokens with a coefficient of variation, ``rounds`` per request.

    ``context``: mean cached tokens of a request that decodes.
    """

    rate: float
    prompt: float
    prompt_cv: float
    rounds: float
    context: float


class Crowd(NamedTuple):
    """The requests decoding: their mean number, how long they ``stay`` and what a round takes, seconds.

    ``mean_round``, ``variance``: of a round with its prefills. ``slot_wait``: probability that all slots are taken;
    ``slot_decay``: rate at which the tail of the wait for one falls. ``load``: arrivals over departures with all slots
    taken.
    """

    batch: float
    stay: float
    mean_round: float
    variance: float
    slot_wait: float
    slot_decay: float
    load: float


class Prompts(NamedTuple):
    """The queue of prompts: ``own`` seconds of a prefill pass, and ``each`` prompt's part of it taken from decoding.

    ``busy``: load of the queue; ``decay``: rate at which the tail of its wait falls.
    """

    own: float
    each: float
    busy: float
    decay: float


@compiled
def riding(c: Constants, batch: float) -> float:
    """:func:`riders` of a mean batch: none while it is below one request."""
    if batch < 1.0:
        return 0.0
    return riders(c, batch)


@compiled
def stall_of(costs: Costs, size: float, prompt: float, batch: float, context: float) -> float:
    """Seconds that ``size`` prompts prefilled together, of ``prompt`` tokens each, take from a decoding batch."""
    ride = riding(costs.constants, batch)
    if ride == 0.0:
        return prompts_time_on_average(costs, size, prompt, 0.0, 0.0)[0]
    together, steps = prompts_time_on_average(costs, size, prompt, ride, context)
    return max(0.0, together - steps * decode_round(costs, ride, context))


@compiled
def stall(costs: Costs, stream: Stream, size: float, batch: float, context: float) -> float:
    """Seconds that the prefill of one of ``size`` prompts prefilled together takes from a decoding batch.

    Passes of few tokens wait for their launches, so that lengths one standard deviation (of the mean of ``size``
    prompts) to both sides take more than the mean length.
    """
    if costs.constants.remote_prefill > 0.0:
        return 0.0
    prompt, away = stream.prompt, min(0.99, stream.prompt_cv / math.sqrt(size))
    if away == 0.0:
        return stall_of(costs, size, prompt, batch, context) / size
    short = stall_of(costs, size, prompt * (1.0 - away), batch, context)
    return 0.5 * (short + stall_of(costs, size, prompt * (1.0 + away), batch, context)) / size


@compiled
def prefilled_together(costs: Costs, stream: Stream, step: float, batch: float, context: float) -> float:
    """Mean number of prompts prefilled together: those that came during the last step, a round or another prefill."""
    c = costs.constants
    rate = stream.rate
    most = max(1.0, math.floor(c.chunk / (stream.prompt - found_of(c, stream.prompt))))
    ride = riding(c, batch)
    size = 1.0
    for _ in range(4):
        prefill = prompts_time_on_average(costs, size, stream.prompt, ride, context)[0]
        begin = -math.expm1(-rate * step) / step
        share = begin * prefill / (1.0 + begin * prefill)
        window = rate * ((1.0 - share) * step + share * prefill)
        if window > 1e-6:
            size = min(most, window / -math.expm1(-window))
    return size


@compiled
def service(costs: Costs, stream: Stream, cap: float) -> float:
    """Seconds per request with all slots taken, when each round prefills as many as leave."""
    if stream.rounds > 0.0:
        cached = cap * stream.context
        together = max(1.0, cap / max(stream.rounds, 1e-9))
        full = decode_round(costs, cap, cached)
        return stream.rounds * full / cap + stall(costs, stream, together, cap, cached)
    c = costs.constants
    together = max(1.0, math.floor(c.chunk / (stream.prompt - found_of(c, stream.prompt))))
    return stall(costs, stream, together, 0.0, 0.0)


@compiled
def pace(costs: Costs, stream: Stream, slope: float, n: int) -> tuple[float, float]:
    """With ``n`` requests decoding: seconds of a round with the prefills that fall into it, and departures per second.

    ``slope``: seconds by which one more cached token lengthens a round.
    """
    if n == 0:
        single = stall(costs, stream, 1.0, 0.0, 0.0)
        return decode_round(costs, 1.0, stream.context) / max(1e-6, 1.0 - stream.rate * single), 0.0
    batch, cached = float(n), n * stream.context
    d = round_at(costs, slope, batch, stream.context)
    size = prefilled_together(costs, stream, d, batch, cached)
    share = max(1e-6, 1.0 - stream.rate * stall(costs, stream, size, batch, cached))
    return d / share, n * share / (stream.rounds * d)


@compiled
def crowd_of(costs: Costs, stream: Stream, cap: float) -> Crowd:
    """The distribution of the number decoding: product form of a birth and death process with at most ``cap`` served.

    Departures per second rise with the number up to ``cap`` and stay the same beyond, where the rest is geometric.
    """
    slots = int(cap)
    slope = slope_of(costs)
    top, weight = 0.0, 0.0
    total, serving, first, second = 0.0, 0.0, 0.0, 0.0
    w, tau, leaving = 0.0, 0.0, 0.0
    for n in range(slots + 1):
        tau, leaving = pace(costs, stream, slope, n)
        if n > 0:
            weight += math.log(stream.rate / leaving)
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
        if weight < top - NEGLIGIBLE:
            tau, leaving = pace(costs, stream, slope, slots)
            w = 0.0
            break
    load = stream.rate / leaving
    r = min(load, 1.0 - 1e-9)
    beyond = w * r / (1.0 - r)
    total += beyond
    serving = (serving + beyond * slots) / total
    mean_round = (first + beyond * tau) / total
    variance = max(0.0, (second + beyond * tau * tau) / total - mean_round * mean_round)
    # service of nearly constant length: half the wait of M/M/c
    slot_decay = 2.0 * (leaving - stream.rate)
    return Crowd(serving, serving / stream.rate, mean_round, variance, (w + beyond) / total, slot_decay, load)


@compiled
def prompts_of(costs: Costs, stream: Stream, batch: float, step: float) -> Prompts:
    """The queue of prompts: M/G/1 with vacations of one decode round of ``step`` seconds over ``batch`` requests."""
    rate, prompt = stream.rate, stream.prompt
    ride = riding(costs.constants, batch)
    cached = ride * stream.context
    size = prefilled_together(costs, stream, max(step, 1e-9), ride, cached)
    own = prompts_time_on_average(costs, size, prompt, ride, cached)[0]
    each = own / size
    if ride > 0.0:
        each = stall(costs, stream, size, ride, cached)
    # one more prompt in a batch adds less than its share: the queue of prompts is loaded by what it adds
    more = prompts_time_on_average(costs, size + 1.0, prompt, ride, cached)[0]
    busy = min(0.98, rate * min(more - own, own / size))
    return Prompts(own, each, busy, 2.0 * (1.0 - busy) / (own * (1.0 + stream.prompt_cv * stream.prompt_cv)))


@compiled
def stay_sd_of(stream: Stream, crowd: Crowd, each: float) -> float:
    """Standard deviation of a stay, seconds, apart from that of its rounds.

    A stay averages the fluctuation of the number over its own time scale, and counts the prefills that fall into it, of
    ``each`` seconds (delay cycle).
    """
    correlated = 0.736 * crowd.variance * stream.rounds * stream.rounds
    free = 1.0 - min(0.98, stream.rate * each)
    squared = 1.0 + stream.prompt_cv * stream.prompt_cv
    return math.sqrt(correlated + stream.rate * crowd.stay * each * each * squared / (free * free))


@compiled
def open_form(
    target: Array,
    draft: Array,
    c: Constants,
    rate: float,
    prompt: float,
    prompt_cv: float,
    output: float,
    rounds: float,
    cap: float,
    out: OpenForm,
) -> None:
    """One replica under Poisson arrivals of ``rate`` per second in steady state, without simulating it; fills ``out``.

    Decoding is processor sharing whose speed depends on the number n of requests: they depart at the rate
    min(n, cap) (1 - rate P) / (rounds D(min(n, cap))), D being the time of a round and P the time that one prefill
    takes from decoding. Its distribution is the product form of a birth and death process and does not depend on the
    distribution of the rounds (Kelly 1979, 3.3; Baskett et al. 1975). A prompt waits like a customer of an M/G/1 queue
    whose server takes vacations of one decode round (Levy and Yechiali 1975), and for a slot like one of an M/D/c
    queue. The prefills that fall into a request's stay make it a delay cycle (Conway, Maxwell and Miller 1967, 8.3).

    ``prompt`` and ``output``: mean tokens, ``rounds``: mean rounds of a request, at most ``cap`` at once. ``target``
    and ``draft``: operator tables, see :class:`Costs`.
    """
    costs = Costs(target, draft, c, routing_of(c), bends(target, draft, c))
    stream = Stream(rate, prompt, prompt_cv, rounds, prompt + 0.5 * output)
    used = service(costs, stream, cap)
    crowd = Crowd(0.0, 0.0, decode_round(costs, cap, cap * stream.context), 0.0, 0.0, 1e9, 0.0)
    if rounds > 0.0:
        crowd = crowd_of(costs, stream, cap)
    step = 0.0
    if crowd.batch > 0.0:
        many = max(1.0, crowd.batch)
        step = decode_round(costs, many, many * stream.context)
    prompts = Prompts(0.0, 0.0, 0.0, 1e9)
    if c.remote_prefill == 0.0:
        prompts = prompts_of(costs, stream, crowd.batch, step)
    front = c.delay + c.delay_token * prompt + c.stream * (rate * (crowd.stay + prompts.own) + 1.0)
    if c.lookahead > 0.0:
        front += step
    out.capacity = 1.0 / used
    out.load = rate * used
    if crowd.load >= 1.0 - 1e-9:
        out.load = max(out.load, crowd.load)
    out.batch = crowd.batch
    out.start = front + prompts.own
    out.step = step * (1.0 + (c.poll - 1.0) * 0.5)
    out.prefill_load = prompts.busy
    out.prefill_decay = prompts.decay
    out.slot_wait = crowd.slot_wait
    out.slot_decay = crowd.slot_decay
    out.stay = crowd.stay
    out.stay_sd = stay_sd_of(stream, crowd, prompts.each)
    out.round_time = crowd.mean_round
