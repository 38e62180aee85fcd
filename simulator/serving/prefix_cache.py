"""What a replica can keep: tokens of prompts and recurrent states, on its GPUs and in the memory of their hosts."""

from __future__ import annotations

import math
from dataclasses import dataclass

from simulator import kernels as kn
from simulator.errors import InputError
from simulator.facts.deployment import Deployment
from simulator.facts.memory import memory_fit, state_bytes_per_gpu
from simulator.facts.prefix_cache import PrefixCache, Strategy
from simulator.units import GIGA

POLICIES = {
    None: kn.NO_HOST,
    "write_through": kn.WRITE_THROUGH,
    "write_through_selective": kn.SELECTIVE,
    "on_eviction": kn.ON_EVICTION,
}


@dataclass(frozen=True)
class HostTier:
    """Memory of the hosts for prompts: ``ratio`` times what the GPUs keep, or so many ``gb`` of the whole replica."""

    ratio: float | None = None
    gb: float | None = None


@dataclass(frozen=True)
class Pools:
    """What a replica would keep if it were another one.

    Attributes:
        scale: tokens and states that its GPUs keep over what they do; that of hosts stays.
        states: where recurrent states are stored; None: where the engine stores them.
    """

    scale: float = 1.0
    states: Strategy | None = None


AS_IS = Pools()


@dataclass(frozen=True)
class Keeping:
    """Room for prompts of one replica.

    Attributes:
        kv_tokens: tokens of prompts and outputs that the GPUs hold.
        state_slots: recurrent states in a pool of their own; None: there are none, or they share that of the tokens.
        states_each: states of a running request.
        state_tokens: tokens of the shared pool that a state takes the place of; 0: none.
        stateful: a prompt goes on only from a stored state.
        engine: how the engine keeps prompts; None: it does not.
        page_tokens: tokens of a page.
        host_tokens: tokens that the hosts hold.
        host_states: states that they hold.
        seconds_per_token: of a transfer from the host.
        seconds_per_state: likewise.
        pool_gb: GB of caches and states on each GPU.
        host_gb: GB of the host for each GPU.
    """

    kv_tokens: int
    state_slots: int | None
    states_each: int
    state_tokens: float
    stateful: bool
    engine: PrefixCache | None
    page_tokens: int = 1
    host_tokens: int = 0
    host_states: int = 0
    seconds_per_token: float = 0.0
    seconds_per_state: float = 0.0
    pool_gb: float = 0.0
    host_gb: float = 0.0

    def longest(self, block_tokens: int) -> int:
        """Input and output tokens of the longest request that fits alone."""
        blocks = self.kv_tokens // block_tokens - self.states_each * self.state_blocks(block_tokens)
        if self.state_slots is not None and self.states_each > self.state_slots:
            return 0
        return max(0, blocks) * block_tokens

    def state_blocks(self, block_tokens: int) -> int:
        """Blocks of the shared pool that a state takes the place of."""
        return math.ceil(self.state_tokens / block_tokens)

    def slots(self, most: int) -> int:
        """Requests that run at once, no more than ``most``."""
        if self.state_slots is None:
            return most
        return min(most, self.state_slots // self.states_each)


def keeping(
    deployment: Deployment, spec_tokens: int, on: bool, host: HostTier | None = None, pools: Pools = AS_IS
) -> Keeping:
    """Room for prompts of a replica that drafts ``spec_tokens`` tokens.

    Every rank of data-parallel attention has its own part; they are taken as one, as if a router always found it.

    Args:
        deployment: the replica.
        spec_tokens: draft depth.
        on: whether prompts are kept after their request.
        host: memory of the hosts; None: none.
        pools: what the GPUs would keep instead.

    Raises:
        InputError: the engine's prefix cache or host tier is unknown, or no link to the host is in the profile.
    """
    engine, hardware = deployment.engine, deployment.hardware
    cache = engine.prefix_cache if on else None
    if on and cache is None:
        raise InputError(
            f"--prefix-cache on: nothing is known of the prefix cache of {engine.name}; "
            "expected --prefix-cache off, or an engine profile with the section prefix_cache"
        )
    fit = memory_fit(deployment, 1.0, spec_tokens)
    token, state = fit.kv_per_request, state_bytes_per_gpu(deployment)
    each = engine.speculation.slots(spec_tokens) + (cache.running_states - 1 if cache else 0)
    pool = engine.state_pool if state > 0.0 else 0.0
    own_tokens = int(fit.dp * fit.free * (1.0 - (pool or 0.0)) / token) if token else 0
    own_slots = int(fit.dp * fit.free * pool / state) if pool and state else None
    kv_tokens = int(own_tokens * pools.scale)
    slots = None if own_slots is None else int(own_slots * pools.scale)
    shared = state / token if state and not pool and token else 0.0
    page = cache.page_tokens if cache else 1
    if cache is not None and pools.states is not None:
        cache = cache.model_copy(update={"states": pools.states})
    if cache is not None and cache.states == "steps" and state and token:
        page *= max(1, math.ceil(state / token / page))
    pool_gb = max(0.0, fit.free) * pools.scale / GIGA
    found = Keeping(kv_tokens, slots, each, shared, state > 0.0 and on, cache, page, pool_gb=pool_gb)
    if host is None or (host.ratio is None and host.gb is None):
        return found
    if cache is None or cache.host_write is None:
        raise InputError(
            f"--host-cache-ratio, --host-cache-gb: no host tier of {engine.name} is known; expected neither"
        )
    if hardware.host_bandwidth is None:
        raise InputError(
            f"--host-cache-ratio, --host-cache-gb: the profile of {hardware.name} has no host_bandwidth; expected one, "
            "in a profile of your own"
        )
    if host.ratio is not None:
        tokens, states = host.ratio * own_tokens, host.ratio * (own_slots or 0)
        host_gb = host.ratio * max(0.0, fit.free) / GIGA
    else:
        host_gb = (host.gb or 0.0) / deployment.gpus
        bytes_each = (host.gb or 0.0) * GIGA / deployment.gpus * fit.dp
        tokens = bytes_each * (1.0 - (pool or 0.0)) / token if token else 0.0
        states = bytes_each * (pool or 0.0) / state if state else 0.0
    return Keeping(
        kv_tokens,
        slots,
        each,
        shared,
        found.stateful,
        cache,
        page,
        int(tokens),
        int(states) if slots is not None else kn.ENDLESS,
        token / hardware.host_bandwidth,
        state / hardware.host_bandwidth,
        pool_gb,
        host_gb,
    )


def keeping_rules(keep: Keeping, slots: int, block_tokens: int) -> kn.Rules:
    """How a replica that runs at most ``slots`` requests keeps prompts in blocks of so many tokens, as the kernels
    have it."""
    rules, cache = kn.zero(kn.Rules), keep.engine
    rules.slots = slots
    rules.block, rules.page = block_tokens, keep.page_tokens
    rules.capacity = keep.kv_tokens // block_tokens
    rules.states_each = keep.states_each if (keep.state_slots is not None or keep.state_tokens) else 0
    rules.states = keep.state_slots or 0
    rules.state_blocks = keep.state_blocks(block_tokens)
    if cache is None:
        return rules
    rules.reuse, rules.stateful = 1.0, float(keep.stateful)
    rules.ends = float(cache.states != "interval")
    rules.branches = float(cache.states in ("branches", "interval"))
    rules.interval = float(cache.state_interval or 0)
    if keep.host_tokens:
        rules.host = POLICIES[cache.host_write]
        rules.host_blocks, rules.host_states = keep.host_tokens // block_tokens, keep.host_states
        rules.load_token, rules.load_state = keep.seconds_per_token, keep.seconds_per_state
        rules.hidden = float(cache.host_overlap)
    return rules
