"""Disaggregated serving: one pool of replicas prefills, another decodes, and the caches travel in between."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from simulator.bounds import number
from simulator.errors import InputError
from simulator.facts.deployment import Deployment
from simulator.facts.memory import kv_bytes, state_bytes
from simulator.serving.fleet import Fleet, FleetRun, run_fleet
from simulator.serving.replica import Replica
from simulator.speculation.acceptance import OFF
from simulator.speculation.rounds import draw_rounds
from simulator.traffic.arrivals import Requests, Traffic
from simulator.units import GIGA

Array = NDArray[np.float64]

KV_BANDWIDTH = 50 * GIGA
"""Bytes/s between nodes per GPU, one way, when none is stated: one 400 Gb/s network port per GPU."""
LEAST_BANDWIDTH, MOST_BANDWIDTH = 1e3, 1e18
"""Bytes/s."""
LONG = float(2**40)
"""Tokens, more than any window spans."""


def bytes_per_second(kv_bandwidth_gb_s: float) -> float:
    """``--kv-bandwidth``, GB/s, as bytes/s.

    Raises:
        InputError: not a number.
    """
    return number("--kv-bandwidth", kv_bandwidth_gb_s, "GB/s above 0") * GIGA


def check_kv_bandwidth(kv_bandwidth: float) -> None:
    """Refuse a bandwidth between pools (bytes/s) out of range.

    Raises:
        InputError: names the option, in GB/s.
    """
    if not LEAST_BANDWIDTH <= number("--kv-bandwidth", kv_bandwidth / GIGA) * GIGA <= MOST_BANDWIDTH:
        low, high = LEAST_BANDWIDTH / GIGA, MOST_BANDWIDTH / GIGA
        raise InputError(
            f"--kv-bandwidth: expected more than 0 GB/s, from {low:g} to {high:g}, found {kv_bandwidth / GIGA:g}"
        )


@dataclass(frozen=True)
class Transfer:
    """KV cache and recurrent state of a prompt on their way to the decode pool.

    ``bandwidth``: bytes/s of one request's transfer, all GPUs of the smaller replica together. Transfers do not wait
    for one another, and nothing overlaps with the prefill. ``kept``: bytes of the KV cache by tokens, where windows
    keep it from growing with them; None: ``bytes_per_token`` each.
    """

    bytes_per_token: float
    bytes_per_request: float
    bandwidth: float
    kept: Callable[[float], float] | None = None

    def seconds(self, prompt: Array | float) -> Array:
        """Seconds from the end of the prefill until the decode pool has the caches."""
        cache = self.bytes_per_token * prompt
        if self.kept is not None:
            lengths, which = np.unique(np.asarray(prompt, dtype=float), return_inverse=True)
            cache = np.array([self.kept(tokens) for tokens in lengths.tolist()])[which].reshape(np.shape(prompt))
        return np.asarray((self.bytes_per_request + cache) / self.bandwidth)


@dataclass(frozen=True)
class Pools:
    """A prefill fleet and a decode fleet; see :func:`pool_fleets`."""

    prefill: Fleet
    decode: Fleet
    transfer: Transfer

    @property
    def total_gpus(self) -> int:
        """GPUs of both pools."""
        return self.prefill.total_gpus + self.decode.total_gpus

    @property
    def slots(self) -> int:
        """Requests that decode at once."""
        return self.decode.slots


def kv_transfer(deployment: Deployment, gpus: int, spec_tokens: int, bandwidth: float) -> Transfer:
    """The transfer between replicas of which the smaller has ``gpus`` GPUs, at ``bandwidth`` bytes/s per GPU."""
    d = deployment
    cache = functools.partial(kv_bytes, d.model, fmt=d.kv_format, spec_tokens=spec_tokens)
    grows = cache(LONG) == LONG * cache(1.0)
    state = state_bytes(d.model, d.engine.state_dtype)
    return Transfer(cache(1.0), state, bandwidth * gpus, None if grows else cache)


def decode_only(replica: Replica) -> Replica:
    """The replica of a decode pool: caches arrive from elsewhere, and the front end is before the prefill pool."""
    constants = replica.constants.copy()
    constants.remote_prefill = 1.0
    constants.delay = constants.delay_token = constants.stream = 0.0
    return replace(replica, constants=constants)


def pool_fleets(prefill: Fleet, decode: Fleet, transfer: Transfer) -> Pools:
    """Pools of two fleets of whole replicas: the first one only prefills, the second one only decodes."""
    return Pools(replace(prefill, speculation=OFF), replace(decode, replica=decode_only(decode.replica)), transfer)


def run_pools(pools: Pools, requests: Requests, rounds: Array, rng: np.random.Generator) -> FleetRun:
    """One run by discrete events: the first token comes from the prefill pool, all others from the decode pool.

    The transfer and the wait for a decode slot count as TPOT. The prefill pool does not wait for the decode pool.
    ``where`` is the decode replica, the prefill replica for answers of one token; ``counters`` has the records of the
    prefill pool, then of the decode pool.
    """
    n = requests.count
    before = run_fleet(pools.prefill, requests, np.zeros(n), rng)
    ready = before.first + pools.transfer.seconds(requests.prompt.astype(float))
    going = np.flatnonzero(before.served & (rounds > 0))
    order = going[np.argsort(ready[going], kind="stable")]
    handed = Requests(ready[order], requests.prompt[order], requests.output[order])
    after = run_fleet(pools.decode, handed, rounds[order], rng)
    where, first, finish = before.where.copy(), before.first.copy(), before.finish.copy()
    where[order], finish[order] = after.where, after.finish
    first[order[after.where < 0]] = math.nan
    return FleetRun(requests, rounds, where, first, finish, np.concatenate((before.counters, after.counters)))


def simulate_pools(pools: Pools, traffic: Traffic, seed: int) -> FleetRun:
    """Draw the traffic and run it; the same seed gives the same requests as for any other fleet."""
    arrivals, drafts, routing = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(3))
    requests = traffic.draw(arrivals)
    rounds = draw_rounds(drafts, requests.output - 1, pools.decode.speculation)
    return run_pools(pools, requests, rounds, routing)
