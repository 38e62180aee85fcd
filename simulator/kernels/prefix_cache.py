"""Prompts kept for reuse: blocks of tokens on the GPU and on the host, and snapshots of recurrent states.

The blocks of one play of a session are numbered from 0 and lie beside one another, so a range of ids is a range of
memory. A touch is a prompt that was used, whose last blocks count as older than its first. A block holds the number of
its last touch, and to find the least recently used one the touches are walked from the oldest on, from the end of each
prompt to its start, past blocks that a later touch has taken over: that costs no more than the touches did, and neither
lists nor hashing are needed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from simulator.kernels.compiled import compiled
from simulator.kernels.records import Indices

Marks = NDArray[np.int32]

(GPU, HOST, STATE, HOST_STATE, PINS, SEEN) = range(6)
"""Rows of the marks of a block: its last touch on the GPU and on the host (0: not there), of the state that hangs on it
likewise, how many requests hold it, and whether the play has had it before. The first four have a limit each."""
TIERS = 4
HELD = -1
"""In place of a touch: there, and in no list, since a running request has brought it."""
SPARE = 8
"""Touches for which there is always room."""


class Paths(NamedTuple):
    """Prompts of recorded requests as ranges of block ids: those of request i stand at ``of[i]:of[i + 1]``."""

    of: Indices
    first: Indices
    size: Indices


class Cache(NamedTuple):
    """Everything that is kept.

    ``marks``: shape (6, room), see the rows above. ``base``, ``blocks``, ``serial``, ``held``: per play, where its
    marks begin, how many there are, its number, and how many entries it has (one more while it is played; 0: the place
    is free). ``touches``: place of the play, its number, recorded request (of states: the block), blocks already
    walked; a ring per tier, shape (4, room, 4). ``oldest`` and ``next``: numbers of touches, per tier. ``kept`` and
    ``limit``: entries, per tier. ``total``: end of the marks in use, plays so far, blocks that are held.
    """

    marks: Marks
    base: Indices
    blocks: Indices
    serial: Indices
    held: Indices
    touches: Indices
    oldest: Indices
    next: Indices
    kept: Indices
    limit: Indices
    total: Indices


@compiled
def empty_cache(limits: Indices, plays: int, blocks: int) -> Cache:
    """A cache with so many entries at most per tier, and room to begin with for so many plays and blocks."""
    return Cache(
        np.zeros((6, blocks), np.int32),
        np.zeros(plays, np.int64),
        np.zeros(plays, np.int64),
        np.zeros(plays, np.int64),
        np.zeros(plays, np.int64),
        np.zeros((TIERS, 64, 4), np.int64),
        np.ones(TIERS, np.int64),
        np.ones(TIERS, np.int64),
        np.zeros(TIERS, np.int64),
        limits.copy(),
        np.zeros(3, np.int64),
    )


@compiled
def with_more_touches(cache: Cache) -> Cache:
    """The same with room for twice as many touches."""
    room = cache.touches.shape[1]
    touches = np.zeros((TIERS, 2 * room, 4), np.int64)
    for tier in range(TIERS):
        for number in range(cache.oldest[tier], cache.next[tier]):
            touches[tier, number % (2 * room)] = cache.touches[tier, number % room]
    return Cache(
        cache.marks,
        cache.base,
        cache.blocks,
        cache.serial,
        cache.held,
        touches,
        cache.oldest,
        cache.next,
        cache.kept,
        cache.limit,
        cache.total,
    )


@compiled
def short_of_touches(cache: Cache, more: int) -> bool:
    """Whether there is not room for so many more touches and a few: each on the GPU may also go to the host."""
    open_ones = cache.next - cache.oldest
    needed = max(open_ones[GPU] + open_ones[HOST], open_ones[STATE] + open_ones[HOST_STATE]) + more + SPARE
    return bool(needed > cache.touches.shape[1])


@compiled
def next_play(cache: Cache, low: int) -> int:
    """The play of which something is left whose marks come first from ``low`` on; -1: there is none."""
    found = -1
    for place in range(cache.held.shape[0]):
        base = cache.base[place]
        if cache.held[place] > 0 and base >= low and (found < 0 or base < cache.base[found]):
            found = place
    return found


@compiled
def packed(cache: Cache, more: int) -> Cache:
    """The same with room for so many more blocks: plays of which nothing is left give theirs up first."""
    used = 0
    for place in range(cache.held.shape[0]):
        if cache.held[place] > 0:
            used += cache.blocks[place]
    room = cache.marks.shape[1]
    marks = cache.marks
    if 2 * (used + more) > room:
        marks = np.zeros((6, 4 * (used + more)), np.int32)
    end, from_here = 0, 0
    while True:
        place = next_play(cache, from_here)
        if place < 0:
            break
        low, size = cache.base[place], cache.blocks[place]
        from_here = low + size
        for row in range(6):
            for j in range(size):
                marks[row, end + j] = cache.marks[row, low + j]
        cache.base[place] = end
        end += size
    cache.total[0] = end
    return Cache(
        marks,
        cache.base,
        cache.blocks,
        cache.serial,
        cache.held,
        cache.touches,
        cache.oldest,
        cache.next,
        cache.kept,
        cache.limit,
        cache.total,
    )


@compiled
def with_more_plays(cache: Cache) -> Cache:
    """The same with room for twice as many plays."""
    plays = cache.base.shape[0]
    grown = np.zeros((4, 2 * plays), np.int64)
    grown[0, :plays] = cache.base
    grown[1, :plays] = cache.blocks
    grown[2, :plays] = cache.serial
    grown[3, :plays] = cache.held
    return Cache(
        cache.marks,
        grown[0].copy(),
        grown[1].copy(),
        grown[2].copy(),
        grown[3].copy(),
        cache.touches,
        cache.oldest,
        cache.next,
        cache.kept,
        cache.limit,
        cache.total,
    )


@compiled
def open_play(cache: Cache, blocks: int) -> tuple[Cache, int]:
    """Room for a new play of so many blocks: the cache, which may have moved, and the place of the play."""
    place = 0
    while place < cache.held.shape[0] and cache.held[place] > 0:
        place += 1
    if place == cache.held.shape[0]:
        cache = with_more_plays(cache)
    if cache.total[0] + blocks > cache.marks.shape[1]:
        cache = packed(cache, blocks)
    low = cache.total[0]
    cache.total[0] += blocks
    cache.total[1] += 1
    cache.base[place], cache.blocks[place] = low, blocks
    cache.serial[place], cache.held[place] = cache.total[1], 1
    for row in range(6):
        for j in range(blocks):
            cache.marks[row, low + j] = 0
    return cache, place


@compiled
def close_play(cache: Cache, place: int) -> None:
    """The play is over; what is left of it stays until it is dropped."""
    cache.held[place] -= 1


@compiled
def length(paths: Paths, request: int) -> int:
    """Blocks of a prompt."""
    total = 0
    for k in range(paths.of[request], paths.of[request + 1]):
        total += paths.size[k]
    return total


@compiled
def leading(cache: Cache, paths: Paths, place: int, request: int, row: int, other: int) -> int:
    """Blocks at the start of a prompt that one of two rows has."""
    found = 0
    some, others, base = cache.marks[row], cache.marks[other], cache.base[place]
    for k in range(paths.of[request], paths.of[request + 1]):
        low, size = base + paths.first[k], paths.size[k]
        for x in range(low, low + size):
            if some[x] == 0 and others[x] == 0:
                return int(found + x - low)
        found += size
    return found


@compiled
def see(cache: Cache, paths: Paths, place: int, request: int) -> None:
    """The play has had this prompt."""
    base = cache.base[place]
    for k in range(paths.of[request], paths.of[request + 1]):
        low = base + paths.first[k]
        cache.marks[SEEN, low : low + paths.size[k]] = 1


@compiled
def block_at(cache: Cache, paths: Paths, place: int, request: int, index: int) -> int:
    """The block of a play at one place of a prompt, counted from the start of the play's marks."""
    k = paths.of[request]
    while index >= paths.size[k]:
        index -= paths.size[k]
        k += 1
    found: int = paths.first[k] + index
    return found


@compiled
def touch(cache: Cache, tier: int, place: int, what: int) -> int:
    """The number of a new touch. There must be room for it."""
    number: int = cache.next[tier]
    at = number % cache.touches.shape[1]
    cache.touches[tier, at, 0] = place
    cache.touches[tier, at, 1] = cache.serial[place]
    cache.touches[tier, at, 2] = what
    cache.touches[tier, at, 3] = 0
    cache.next[tier] += 1
    return number


@compiled
def mark(cache: Cache, row: int, place: int, x: int, number: int) -> bool:
    """Mark one entry with a touch; whether it is new."""
    new: bool = cache.marks[row, x] == 0
    if new:
        cache.kept[row] += 1
        cache.held[place] += 1
    cache.marks[row, x] = number
    return new


@compiled
def unmark(cache: Cache, row: int, place: int, x: int) -> None:
    """Drop one entry, if it is there."""
    if cache.marks[row, x] != 0:
        cache.marks[row, x] = 0
        cache.kept[row] -= 1
        cache.held[place] -= 1


@compiled
def use(cache: Cache, paths: Paths, tier: int, place: int, request: int, blocks: int, present: bool) -> None:
    """Touch the first so many blocks of a prompt; with ``present`` only those that are there."""
    number = touch(cache, tier, place, request)
    marks, base = cache.marks[tier], cache.base[place]
    left, new = blocks, 0
    for k in range(paths.of[request], paths.of[request + 1]):
        low, size = base + paths.first[k], min(left, paths.size[k])
        for x in range(low, low + size):
            if marks[x] == 0:
                if present:
                    continue
                new += 1
            marks[x] = number
        left -= size
    cache.kept[tier] += new
    cache.held[place] += new


@compiled
def keep_state(cache: Cache, tier: int, place: int, block: int) -> None:
    """Keep a state after a block, or use the one that is there: it becomes the most recently used."""
    mark(cache, tier, place, cache.base[place] + block, touch(cache, tier, place, block))


@compiled
def drop_blocks(cache: Cache, paths: Paths, tier: int, blocks: int, to_host: bool) -> int:
    """Drop so many blocks that no running request holds, the least recently used first; returns how many there were.

    A state goes with its block. ``to_host``: what leaves the GPU goes there, over its limit if need be.
    """
    dropped = 0
    marks, pins, states = cache.marks[tier], cache.marks[PINS], cache.marks[tier + STATE]
    away, room = cache.marks[HOST], cache.touches.shape[1]
    while dropped < blocks and cache.oldest[tier] < cache.next[tier]:
        number = cache.oldest[tier]
        row = cache.touches[tier, number % room]
        place, request, walked = row[0], row[2], row[3]
        if cache.serial[place] != row[1] or cache.held[place] == 0:
            cache.oldest[tier] += 1
            continue
        base = cache.base[place]
        start = paths.of[request]
        k, skip = paths.of[request + 1] - 1, walked
        while k >= start and skip >= paths.size[k]:
            skip -= paths.size[k]
            k -= 1
        moved, before, new, lost = 0, dropped, 0, 0
        while k >= start and dropped < blocks:
            low = base + paths.first[k]
            x = low + paths.size[k] - 1 - skip
            while x >= low and dropped < blocks:
                if marks[x] == number and (tier == HOST or pins[x] == 0):
                    if to_host:
                        if moved == 0:
                            moved = touch(cache, HOST, place, request)
                        if away[x] == 0:
                            new += 1
                        away[x] = moved
                    if states[x] != 0:
                        if to_host and cache.limit[HOST_STATE] > 0:
                            keep_state(cache, HOST_STATE, place, x - base)
                        states[x] = 0
                        lost += 1
                    marks[x] = 0
                    dropped += 1
                walked += 1
                x -= 1
            if x < low:
                k -= 1
                skip = 0
        row[3] = walked
        cache.kept[tier] -= dropped - before
        cache.kept[tier + STATE] -= lost
        cache.kept[HOST] += new
        cache.held[place] += new - lost - (dropped - before)
        if k < start:
            cache.oldest[tier] += 1
    return dropped


@compiled
def drop_states(cache: Cache, tier: int, limit: int) -> None:
    """Drop the least recently used states until no more than so many are left."""
    room = cache.touches.shape[1]
    while cache.kept[tier] > limit and cache.oldest[tier] < cache.next[tier]:
        number = cache.oldest[tier]
        row = cache.touches[tier, number % room]
        if cache.serial[row[0]] == row[1] and cache.held[row[0]] > 0:
            x = cache.base[row[0]] + row[2]
            if cache.marks[tier, x] == number:
                unmark(cache, tier, row[0], x)
        cache.oldest[tier] += 1


@compiled
def last_state(cache: Cache, paths: Paths, place: int, request: int, blocks: int) -> int:
    """Up to which of its first so many blocks a prompt can go on from a state; 0: from none."""
    here, away, base = cache.marks[STATE], cache.marks[HOST_STATE], cache.base[place]
    left, done, found = blocks, 0, 0
    for k in range(paths.of[request], paths.of[request + 1]):
        low, size = base + paths.first[k], min(left, paths.size[k])
        for j in range(size):
            if here[low + j] != 0 or away[low + j] != 0:
                found = done + j + 1
        done += size
        left -= size
    return found


@compiled
def hold(cache: Cache, paths: Paths, place: int, request: int, start: int, end: int) -> None:
    """A running request holds the blocks of its prompt from ``start`` to before ``end``, which are on the GPU then."""
    marks, pins, base = cache.marks[GPU], cache.marks[PINS], cache.base[place]
    at, new, free = 0, 0, 0
    for k in range(paths.of[request], paths.of[request + 1]):
        if at >= end:
            break
        low, size = base + paths.first[k] - at, paths.size[k]
        for x in range(low + max(start, at), low + min(end, at + size)):
            if marks[x] == 0:
                marks[x] = HELD
                new += 1
            if pins[x] == 0:
                free += 1
            pins[x] += 1
        at += size
    cache.kept[GPU] += new
    cache.held[place] += new
    cache.total[2] += free


@compiled
def let_go(cache: Cache, paths: Paths, place: int, request: int, blocks: int) -> None:
    """A request that ends no longer holds its first so many blocks, which it has used last."""
    number = touch(cache, GPU, place, request)
    marks, pins, base = cache.marks[GPU], cache.marks[PINS], cache.base[place]
    left, free = blocks, 0
    for k in range(paths.of[request], paths.of[request + 1]):
        low, size = base + paths.first[k], min(left, paths.size[k])
        for x in range(low, low + size):
            pins[x] -= 1
            if pins[x] == 0:
                free += 1
            marks[x] = number
        left -= size
    cache.total[2] -= free


@compiled
def free_and_loaded(cache: Cache, paths: Paths, place: int, request: int, blocks: int) -> tuple[int, int]:
    """Of the first so many blocks of a prompt: those that nobody holds yet, and those that are not on the GPU."""
    marks, pins, base = cache.marks[GPU], cache.marks[PINS], cache.base[place]
    left, free, absent = blocks, 0, 0
    for k in range(paths.of[request], paths.of[request + 1]):
        low, size = base + paths.first[k], min(left, paths.size[k])
        for x in range(low, low + size):
            if marks[x] == 0:
                absent += 1
            elif pins[x] == 0:
                free += 1
        left -= size
    return free, absent


@compiled
def lru_hits(
    paths: Paths,
    sizes: Indices,
    play: Indices,
    request: Indices,
    last: Indices,
    capacity: int,
    found: Indices,
    ideal: Indices,
) -> None:
    """Leading blocks that each request of a given order finds in a plain LRU cache, and in an endless one of its play.

    ``sizes``: blocks of each play. ``play``, ``request``, ``last``: of the requests in order, shape (n,): which play,
    which recorded request, and whether it is the last of the play. Fills ``found`` and ``ideal``, shape (n,).
    """
    limits = np.full(TIERS, np.int64(capacity))
    cache = empty_cache(limits, 64, 4096)
    places = np.full(sizes.shape[0], -1, np.int64)
    for i in range(play.shape[0]):
        if places[play[i]] < 0:
            cache, places[play[i]] = open_play(cache, sizes[play[i]])
        if short_of_touches(cache, 0):
            cache = with_more_touches(cache)
        place, which = places[play[i]], request[i]
        found[i] = leading(cache, paths, place, which, GPU, GPU)
        ideal[i] = leading(cache, paths, place, which, SEEN, SEEN)
        see(cache, paths, place, which)
        use(cache, paths, GPU, place, which, length(paths, which), False)
        drop_blocks(cache, paths, GPU, cache.kept[GPU] - capacity, False)
        if last[i] > 0:
            close_play(cache, place)
