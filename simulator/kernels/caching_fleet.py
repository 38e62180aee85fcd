"""Discrete events of equal replicas, each with a prefix cache, behind a router that may know what they keep."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from simulator.kernels.admission import Rules, whole_blocks
from simulator.kernels.caching_replica import Kept, advance_caching
from simulator.kernels.compiled import compiled
from simulator.kernels.fleet import route, with_room
from simulator.kernels.heap import push
from simulator.kernels.passes import bends, routing_of, slope_of
from simulator.kernels.prefix_cache import GPU, HOST, TIERS, Paths, empty_cache, leading, open_play
from simulator.kernels.records import Array, Constants, Costs, Indices, Records, Requests
from simulator.kernels.replay import ENDLESS, ENTRY, Table
from simulator.kernels.replica import empty_lines, lines_of, seen_at

# further ways in which a router chooses a replica
(PREFIX_AWARE, STICKY) = range(3, 5)

LEAST_FOUND = 0.3
"""Part of a prompt that must be found for a prefix-aware router to care, and below how many requests more, and times as
many, the busiest replica may have outstanding: the defaults of SGLang's router (cache-threshold, balance-abs-threshold
and balance-rel-threshold of sglang_router), uncertain since they differ between its versions."""
MOST_MORE = 64
MOST_TIMES = 1.5


class Shared(NamedTuple):
    """What prompts share: ranges of block ids, how many ids there are, and which requests belong together.

    ``home``: number of a session, or of what begins alike, below ``homes``; -1: of none.
    """

    paths: Paths
    blocks: int
    home: Indices
    homes: int


@compiled
def is_balanced(outstanding: Indices) -> bool:
    """Whether no replica has so many more requests than another that only that counts."""
    most, least = outstanding[0], outstanding[0]
    for j in range(1, outstanding.shape[0]):
        most = max(most, outstanding[j])
        least = min(least, outstanding[j])
    return bool(most - least <= MOST_MORE or most <= MOST_TIMES * least)


@compiled
def most_found(found: Indices, outstanding: Indices) -> int:
    """The replica that has most of a prompt; of equal ones that with least outstanding, then the lower number."""
    r = 0
    for j in range(1, found.shape[0]):
        if found[j] > found[r] or (found[j] == found[r] and outstanding[j] < outstanding[r]):
            r = j
    return r


@compiled
def serve_caching_fleet(
    target: Array,
    draft: Array,
    c: Constants,
    rules: Rules,
    limit: float,
    router: int,
    choices: Indices,
    requests: Requests,
    shared: Shared,
    where: Indices,
    found: Array,
    counters: Records,
) -> None:
    """What :func:`simulator.kernels.fleet.serve_fleet` does with replicas that keep prompts, each its own.

    ``rules.slots``: requests that run at once in a replica. PREFIX_AWARE sees the blocks on the GPUs of each replica
    and takes the one with most of the prompt, if that is more than a part of it and the replicas are balanced, else the
    one with least outstanding. STICKY sends all requests of one home where the first of them went, which is where least
    was outstanding; a request without a home goes there. Fills ``found`` too: tokens of each prompt that were on the
    GPUs.
    """
    costs = Costs(target, draft, c, routing_of(c), bends(target, draft, c))
    n, replicas = requests.send.shape[0], counters.shape[0]
    slots = int(min(rules.slots, n))
    base, slope = np.full(slots + 1, -1.0), slope_of(costs)
    lines = empty_lines(replicas, 64, slots)
    entries = np.zeros(n, ENTRY)
    limits = np.full(TIERS, np.int64(ENDLESS))
    kept = []
    for r in range(replicas):
        lines.state[r].unpolled = c.poll
        cache, _place = open_play(empty_cache(limits, 1, shared.blocks + 1), shared.blocks)
        kept.append(Kept(cache, np.zeros(2, np.int64), np.full(1, math.inf)))
    sent, outstanding = np.zeros(replicas, np.int64), np.zeros(replicas, np.int64)
    held, homes = np.zeros(replicas, np.int64), np.full(shared.homes, -1, np.int64)
    until = np.full(replicas, math.inf)
    for i in range(n + 1):
        now = math.inf
        if i < n:
            now = requests.send[i]
        for r in range(replicas):
            if until[r] < now:
                table = Table(requests, entries, lines_of(lines, r))
                kept[r], until[r] = advance_caching(
                    costs, rules, shared.paths, base, slope, now, kept[r], table, counters[r]
                )
                outstanding[r] = sent[r] - lines.state[r].finished
        if i == n:
            break
        r = -1
        if router == PREFIX_AWARE and is_balanced(outstanding):
            whole = whole_blocks(shared.paths, rules, i, requests.prompt[i])
            for j in range(replicas):
                held[j] = min(whole, leading(kept[j].cache, shared.paths, 0, i, GPU, HOST))
            r = most_found(held, outstanding)
            if held[r] * rules.block <= LEAST_FOUND * requests.prompt[i]:
                r = -1
        elif router == STICKY and shared.home[i] >= 0:
            r = homes[shared.home[i]]
        if r < 0:
            r = route(router, i, choices[i], outstanding)
        if router == STICKY and shared.home[i] >= 0:
            homes[shared.home[i]] = r
        if outstanding[r] >= limit:
            where[i] = -1
            continue
        where[i] = r
        entries[i].recorded = i
        sent[r] += 1
        outstanding[r] += 1
        s = lines.state[r]
        if s.arriving == lines.arrive_key.shape[1]:
            lines = with_room(lines)
        seen = seen_at(c, now, requests.prompt[i], outstanding[r])
        push(lines.arrive_key[r], lines.arrive_id[r], s.arriving, seen, i)
        s.arriving += 1
        until[r] = min(until[r], seen)
    for i in range(n):
        found[i] = entries[i].gpu
