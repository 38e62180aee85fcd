"""Open-loop simulation by discrete events: a fleet of equal replicas behind a router."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator import kernels as kn
from simulator.bounds import check_seed, whole
from simulator.errors import unknown_name
from simulator.facts.deployment import Deployment
from simulator.facts.engine import Engine
from simulator.facts.memory import MOST_CONCURRENCY, memory_fit
from simulator.serving.prefix_cache import Keeping, keeping_rules
from simulator.serving.replica import Replica
from simulator.speculation.acceptance import Speculation
from simulator.speculation.rounds import draw_rounds
from simulator.traffic.arrivals import Requests, Traffic

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

ROUTERS = {
    "round-robin": kn.ROUND_ROBIN,
    "least-outstanding": kn.LEAST_OUTSTANDING,
    "two-choices": kn.TWO_CHOICES,
}
"""Router policies. Least outstanding and power of two choices count the unfinished requests of each replica."""

PREFIX_ROUTERS = {"prefix-aware": kn.PREFIX_AWARE, "sticky": kn.STICKY}
"""Those that ask what prompts share: see :func:`simulator.kernels.serve_caching_fleet`."""

MOST_REPLICAS = 10_000

BATCH_QUANTILE = 2.326
"""Standard normal quantile of 99 %: the lengths of that part of all full batches fit in memory."""


@dataclass(frozen=True)
class Fleet:
    """``replicas`` equal replicas of ``gpus`` GPUs each, running at most ``cap`` requests at once.

    ``queue_limit``: requests that may wait at a replica beyond ``cap`` (None: any number); the next one is refused.
    ``keep``: room for prompts in each; None: none are kept.
    """

    replica: Replica
    speculation: Speculation
    gpus: int
    cap: int
    replicas: int = 1
    router: str = "least-outstanding"
    queue_limit: int | None = None
    keep: Keeping | None = None

    @property
    def total_gpus(self) -> int:
        """GPUs of all replicas."""
        return self.gpus * self.replicas

    @property
    def slots(self) -> int:
        """Requests that run at once in all replicas."""
        return self.cap * self.replicas


@dataclass(frozen=True)
class FleetRun:
    """One simulated run: seconds and tokens, one entry per request in order of sending.

    A refused request has ``where`` -1 and no times (NaN). ``counters`` has one record per replica, see
    :class:`simulator.kernels.Counters`. ``found``: tokens of each prompt that were on the GPUs; None: no prompts are
    kept.
    """

    requests: Requests
    rounds: Array
    where: Indices
    first: Array
    finish: Array
    counters: kn.Records
    found: Array | None = None

    @property
    def served(self) -> NDArray[np.bool_]:
        """Which requests were not refused."""
        return self.where >= 0

    def ttft(self) -> Array:
        """Time to first token, seconds; NaN if refused."""
        return self.first - self.requests.send

    def tpot(self) -> Array:
        """Time per output token, seconds: (E2E - TTFT) / (output - 1); NaN if refused or with a single token."""
        tokens = self.requests.output - 1.0
        return np.where(tokens > 0, (self.finish - self.first) / np.maximum(tokens, 1.0), math.nan)

    def e2e(self) -> Array:
        """End-to-end latency, seconds; NaN if refused."""
        return self.finish - self.requests.send

    def latency(self, metric: str) -> Array:
        """``ttft``, ``tpot`` or ``e2e``, seconds."""
        values: Array = getattr(self, metric)()
        return values


def run_fleet(fleet: Fleet, requests: Requests, rounds: Array, rng: np.random.Generator) -> FleetRun:
    """One run by discrete events; ``rng`` draws the candidates of power of two choices.

    Assumptions: those of :func:`~simulator.serving.closed_loop.run_closed_loop` for each replica; the router knows how
    many requests each replica has outstanding at the instant of sending.
    """
    n = requests.count
    choices = draw_choices(rng, n, fleet.replicas, fleet.router)
    limit = math.inf if fleet.queue_limit is None else float(fleet.cap + fleet.queue_limit)
    where = np.full(n, -1, dtype=np.int64)
    first, finish = np.full(n, math.nan), np.full(n, math.nan)
    counters = kn.zeros(kn.Counters, fleet.replicas)
    replica = fleet.replica
    lengths = requests.prompt.astype(float), requests.output.astype(float)
    if fleet.keep is not None and requests.prefixes is not None:
        found = np.zeros(n)
        kn.serve_caching_fleet(
            replica.target,
            replica.draft,
            replica.constants,
            keeping_rules(fleet.keep, fleet.cap, requests.prefixes.block_tokens),
            limit,
            (ROUTERS | PREFIX_ROUTERS)[fleet.router],
            choices,
            kn.Requests(requests.send, *lengths, rounds, first, finish),
            requests.prefixes.shared,
            where,
            found,
            counters,
        )
        return FleetRun(requests, rounds, where, first, finish, counters, found)
    kn.serve_fleet(
        replica.target,
        replica.draft,
        replica.constants,
        float(fleet.cap),
        limit,
        ROUTERS[fleet.router],
        choices,
        kn.Requests(requests.send, *lengths, rounds, first, finish),
        where,
        counters,
    )
    return FleetRun(requests, rounds, where, first, finish, counters)


def simulate_fleet(fleet: Fleet, traffic: Traffic, seed: int) -> FleetRun:
    """Draw the traffic and run it.

    The same seed gives the same requests for every fleet, and at every rate the same ones at another pace.
    """
    arrivals, drafts, routing = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(3))
    requests = traffic.draw(arrivals)
    rounds = draw_rounds(drafts, requests.output - 1, fleet.speculation)
    return run_fleet(fleet, requests, rounds, routing)


def draw_choices(rng: np.random.Generator, n: int, replicas: int, router: str) -> Indices:
    """Two different replicas per request for power of two choices, shape (n, 2); for other routers an empty row."""
    if router != "two-choices":
        return np.zeros((n, 2), dtype=np.int64)
    one = rng.integers(0, replicas, n)
    other = rng.integers(0, max(1, replicas - 1), n)
    return np.stack([one, np.where((other >= one) & (replicas > 1), other + 1, other)], axis=1)


def check_fleet(replicas: int, router: str, queue_limit: int | None, seed: int, option: str = "--replicas") -> None:
    """Refuse counts and names out of range.

    Raises:
        InputError: names the option and what was expected.
    """
    whole(option, replicas, 1, MOST_REPLICAS)
    if router not in ROUTERS | PREFIX_ROUTERS:
        raise unknown_name("router", router, ROUTERS | PREFIX_ROUTERS)
    if queue_limit is not None:
        whole("--queue-limit", queue_limit, 0)
    check_seed(seed)


def memory_cap(deployment: Deployment, spec_tokens: int, tokens: tuple[float, float], longest: int) -> int:
    """Most running requests of one replica such that 99 % of full batches fit in memory; 0 if not even one fits.

    No more than the engine is launched for.

    Args:
        deployment: the replica.
        spec_tokens: draft depth.
        tokens: mean and standard deviation of the tokens that a running request takes, see :func:`taken_tokens`.
        longest: input + output tokens of the longest request, which has to fit alone.
    """
    if memory_fit(deployment, float(longest), spec_tokens).max_concurrency < 1:
        return 0
    mean, sd = tokens
    most = deployment.engine.max_running or MOST_CONCURRENCY * deployment.dp
    cap = min(most, memory_fit(deployment, mean, spec_tokens).max_concurrency)
    for _ in range(20):
        smaller = memory_fit(
            deployment, mean + BATCH_QUANTILE * sd / math.sqrt(max(cap, 1)), spec_tokens
        ).max_concurrency
        if smaller >= cap:
            break
        cap = max(1, smaller)
    return max(1, cap)


def taken_tokens(engine: Engine, moments: tuple[float, float, float, float]) -> tuple[float, float]:
    """Mean and standard deviation of the tokens that a running request takes, somewhere in its run.

    Args:
        engine: whether pages are taken as a request grows, which is at a point uniform in its output.
        moments: mean and standard deviation of input and of output tokens.
    """
    mean_in, sd_in, mean_out, sd_out = moments
    if engine.reserve == "nominal":
        return mean_in + mean_out, math.hypot(sd_in, sd_out)
    part = (sd_out**2 + mean_out**2) / 3 - mean_out**2 / 4
    return mean_in + 0.5 * mean_out, math.sqrt(sd_in**2 + part)


def traffic_tokens(traffic: Traffic, engine: Engine) -> tuple[tuple[float, float], int]:
    """What :func:`memory_cap` needs of some traffic: :func:`taken_tokens`, and the longest request."""
    if traffic.trace is not None:
        prompt, output = traffic.trace.prompt.astype(float), traffic.trace.output.astype(float)
        longest = int((prompt + output).max())
        if engine.reserve == "nominal":
            return (float((prompt + output).mean()), float((prompt + output).std())), longest
        held = prompt + 0.5 * output
        return (float(held.mean()), math.sqrt(float(held.var() + (output**2).mean() / 12))), longest
    return taken_tokens(engine, traffic.lengths.moments), traffic.lengths.longest
