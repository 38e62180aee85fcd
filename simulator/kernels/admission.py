"""Memory of one replica that keeps prompts: what a request finds, what it takes, and what it gives back.

Memory is counted in blocks. Before its prefill ends a request has blocks of its own; as passes end, those of its prompt
become visible to others; with its last token it holds none.
"""

from __future__ import annotations

import math

from simulator.kernels.compiled import compiled
from simulator.kernels.prefix_cache import (
    GPU,
    HOST,
    HOST_STATE,
    SEEN,
    STATE,
    Cache,
    Paths,
    block_at,
    drop_blocks,
    drop_states,
    free_and_loaded,
    hold,
    keep_state,
    last_state,
    leading,
    length,
    let_go,
    see,
    use,
)
from simulator.kernels.records import Indices, Record

(NO_HOST, WRITE_THROUGH, SELECTIVE, ON_EVICTION) = range(4)
"""When blocks go to the host: at the end of their request, at that of the second that has them, or when they leave the
GPU."""


class Rules(Record):
    """How a replica keeps prompts, and the run."""

    lanes: int
    slots: int
    """Most requests that run at once."""
    reuse: float
    """1 if prompts are kept at all."""
    block: float
    """Tokens of a block, and below of the smallest piece of a prompt that is found again."""
    page: float
    capacity: int
    """Blocks that fit on the GPU."""
    stateful: float
    """1 if a prompt goes on only from a stored recurrent state; those below say where they are stored: 1 where a pass
    ends, 1 where a prompt leaves what was known, and every so many tokens (0: nowhere)."""
    ends: float
    branches: float
    interval: float
    states: int
    """States that fit in a pool of their own; 0: they share that of the blocks."""
    states_each: int
    """States of a running request."""
    state_blocks: int
    """Blocks that a state takes from a shared pool."""
    host: int
    host_blocks: int
    host_states: int
    load_token: float
    """Seconds per token that is loaded from the host, and below per state."""
    load_state: float
    hidden: float
    """1 if that goes on beside the pass, layer by layer."""
    duration: float
    """Seconds in which requests are sent."""
    most: int
    """Sessions that are begun at most; 0: any number."""
    warm: float
    """1 if the lanes begin inside their sessions, and send the requests before that first."""


class Entry(Record):
    """A request in a replay."""

    lane: int
    place: int
    play: int
    recorded: int
    counted: float
    """1 if it is sent in the window."""
    published: int
    """Blocks of its prompt that are visible, and below those that it found."""
    hit: int
    branch: int
    """Blocks after which it left what was known, where no state was stored; 0: nowhere."""
    own: int
    """Blocks that nobody else sees."""
    gpu: float
    """Tokens that it found on the GPU, on the host, and could have found in an endless cache."""
    host: float
    ideal: float
    queued: float
    """Seconds that it waited for memory or a slot."""
    load: float
    """Seconds of the transfer from the host that its first pass needs."""


@compiled
def blocks_used(cache: Cache, rules: Rules, tally: Indices) -> int:
    """Blocks in use on the GPU, states in a shared pool included."""
    used: int = cache.kept[GPU] + tally[0] + rules.state_blocks * (cache.kept[STATE] + rules.states_each * tally[1])
    return used


@compiled
def settle(cache: Cache, paths: Paths, rules: Rules, tally: Indices) -> None:
    """Drop what was used least recently until everything fits: states beside those of running requests, then blocks.

    Whatever a request takes, brings or leaves counts at once; what has to go for it goes here, before the next looks.
    """
    if rules.states > 0:
        cache.limit[STATE] = max(0, rules.states - rules.states_each * tally[1])
    to_host = rules.host == ON_EVICTION
    tier = GPU
    while tier <= HOST:
        over, some = cache.kept[HOST] - cache.limit[HOST], 0
        if tier == GPU:
            over = blocks_used(cache, rules, tally) - rules.capacity
        if over > 0:
            some = drop_blocks(cache, paths, tier, max(1, over // (1 + rules.state_blocks)), to_host and tier == GPU)
        if some == 0:
            tier += 1
    over = blocks_used(cache, rules, tally) - rules.capacity
    if over > 0 and rules.state_blocks > 0:
        cache.limit[STATE] = max(0, cache.kept[STATE] - over // rules.state_blocks - 1)
    for kind in range(STATE, HOST_STATE + 1):
        drop_states(cache, kind, cache.limit[kind])
    if rules.states == 0:
        cache.limit[STATE] = cache.kept[STATE] + rules.capacity


@compiled
def on_pages(rules: Rules, blocks: int) -> int:
    """So many blocks or fewer, such that pages end there."""
    if rules.page <= rules.block:
        return blocks
    tokens = math.floor(blocks * rules.block / rules.page) * rules.page
    return math.floor(tokens / rules.block)


@compiled
def whole_blocks(paths: Paths, rules: Rules, request: int, prompt: float) -> int:
    """Full blocks of a prompt whose ids are known."""
    return min(length(paths, request), math.floor(prompt / rules.block))


@compiled
def take(cache: Cache, paths: Paths, rules: Rules, tally: Indices, e: Entry, prompt: float, output: float) -> bool:
    """Give a request the memory that it needs, and what is known of its prompt; False if there is no room for it."""
    place, which = e.place, e.recorded
    whole = whole_blocks(paths, rules, which, prompt)
    usable = min(whole, math.floor((prompt - 1.0) / rules.block))
    known, hit = 0, 0
    if rules.reuse > 0.0:
        known = min(whole, leading(cache, paths, place, which, GPU, HOST))
        if rules.stateful > 0.0:
            hit = last_state(cache, paths, place, which, min(known, usable))
        else:
            hit = on_pages(rules, min(known, usable))
    free, absent = free_and_loaded(cache, paths, place, which, hit)
    own = math.ceil((prompt + output) / rules.block) - hit
    # what nobody holds can go, but for what this request is about to hold
    over = blocks_used(cache, rules, tally) + own + absent + rules.state_blocks * rules.states_each - rules.capacity
    if over > cache.kept[GPU] - cache.total[2] - free + rules.state_blocks * cache.kept[STATE]:
        return False
    e.load = rules.load_token * rules.block * absent
    if rules.stateful > 0.0 and hit > 0:
        at = block_at(cache, paths, place, which, hit - 1)
        if cache.marks[STATE, cache.base[place] + at] == 0:
            e.load += rules.load_state
        keep_state(cache, STATE, place, at)
    ideal = min(usable, leading(cache, paths, place, which, SEEN, SEEN))
    see(cache, paths, place, which)
    hold(cache, paths, place, which, 0, hit)
    tally[0] += own
    tally[1] += 1
    e.published, e.hit, e.own = hit, hit, own
    e.branch = 0
    if known > hit:
        e.branch = on_pages(rules, known)
    e.host = absent * rules.block
    e.gpu = (hit - absent) * rules.block
    e.ideal = ideal * rules.block
    return True


@compiled
def is_kept(rules: Rules, e: Entry, blocks: int, end: int) -> bool:
    """Whether a state is stored after so many blocks of a prompt, in a pass that ends after ``end``."""
    if rules.ends > 0.0 and blocks == on_pages(rules, end):
        return True
    if rules.branches > 0.0 and blocks == e.branch:
        return True
    if rules.interval <= 0.0:
        return False
    rung = math.floor(blocks * rules.block / rules.interval)
    return rung > math.floor((blocks - 1.0) * rules.block / rules.interval)


@compiled
def publish(cache: Cache, paths: Paths, rules: Rules, tally: Indices, e: Entry, prompt: float, done: float) -> None:
    """A pass has ended after the first ``done`` tokens of a prompt: its blocks up to there are visible from now on."""
    before = e.published
    now = min(whole_blocks(paths, rules, e.recorded, prompt), math.floor(done / rules.block))
    if rules.reuse == 0.0 or now <= before:
        return
    hold(cache, paths, e.place, e.recorded, before, now)
    tally[0] -= now - before
    e.own -= now - before
    e.published = now
    if rules.stateful > 0.0:
        for blocks in range(before + 1, now + 1):
            if is_kept(rules, e, blocks, now):
                keep_state(cache, STATE, e.place, block_at(cache, paths, e.place, e.recorded, blocks - 1))


@compiled
def give_back(cache: Cache, paths: Paths, rules: Rules, tally: Indices, e: Entry) -> None:
    """A request has its last token."""
    tally[0] -= e.own
    tally[1] -= 1
    e.own = 0
    if rules.reuse == 0.0:
        return
    let_go(cache, paths, e.place, e.recorded, e.published)
    if rules.host == NO_HOST:
        return
    blocks = e.published
    if rules.host == SELECTIVE:
        blocks = e.hit
    use(cache, paths, HOST, e.place, e.recorded, blocks, rules.host == ON_EVICTION)
    if rules.stateful > 0.0 and rules.host != ON_EVICTION:
        copy_states(cache, paths, e)


@compiled
def copy_states(cache: Cache, paths: Paths, e: Entry) -> None:
    """The states of a prompt go where its blocks on the host are."""
    base = cache.base[e.place]
    for k in range(paths.of[e.recorded], paths.of[e.recorded + 1]):
        for x in range(paths.first[k], paths.first[k] + paths.size[k]):
            if cache.marks[STATE, base + x] != 0 and cache.marks[HOST, base + x] != 0:
                keep_state(cache, HOST_STATE, e.place, x)
