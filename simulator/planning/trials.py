"""Discrete-event trials of fleets under the planned traffic: are the promises kept?"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.planning.ledger import Ledger
from simulator.planning.options import Option
from simulator.serving.delivered import kept, summarise
from simulator.serving.fleet import Fleet, FleetRun, run_fleet
from simulator.serving.pools import Pools, run_pools
from simulator.serving.saturation import STABLE
from simulator.speculation.acceptance import Speculation
from simulator.speculation.rounds import draw_rounds
from simulator.traffic.arrivals import Requests, Traffic
from simulator.traffic.promises import Promise

Array = NDArray[np.float64]

LEAST_REQUESTS = 20_000
SHORTEST, LONGEST = 600.0, 48 * 3600.0
"""Seconds of a trial."""
LIVES = 20.0
"""A trial lasts at least so many lives of a request."""
CONFIRMATIONS = 10
"""Independent runs that a plan must pass, all of them."""


@dataclass(frozen=True)
class Outcome:
    """One trial: the state, and per promise the value reached in seconds (infinite if saturated)."""

    state: str
    reached: tuple[float, ...]

    def kept(self, promises: Sequence[Promise]) -> bool:
        """Whether every promise holds in a steady state."""
        return self.state == STABLE and all(r <= p.limit for r, p in zip(self.reached, promises, strict=True))

    def worst(self, promises: Sequence[Promise]) -> float:
        """Greatest reached / promised."""
        return max(r / p.limit for r, p in zip(self.reached, promises, strict=True))


@dataclass
class Trials:
    """Runs trials and remembers them. Seeds are derived from ``seed``; the same ones serve every fleet."""

    traffic: Traffic
    promises: tuple[Promise, ...]
    router: str
    seed: int
    ledger: Ledger
    progress: Callable[[str], None]
    count: int = 0

    def __post_init__(self) -> None:
        """Begin without drawn traffic."""
        self._requests: tuple[tuple[float, float, int], Requests] | None = None
        self._rounds: dict[Speculation, Array] = {}

    def run(self, option: Option, replicas: int, rate: float, number: int = 0) -> Outcome:
        """Trial ``number`` of a fleet at ``rate`` requests/s in all."""
        d = option.scenario.deployment
        key = f"{option.family} tp{d.tp} ep{d.ep} cap{option.cap} x{replicas} rate{rate!r} #{number}"
        known = self.ledger.get(key)
        if known is None:
            self.progress(f"{option.family} x {replicas} at {rate:.3g} req/s")
            known = self._simulate(option, replicas, rate, number)
            self.ledger.put(key, known)
            self.count += 1
        return Outcome(known["state"], tuple(math.inf if r is None else r for r in known["reached"]))

    def run_pools(self, pools: Pools, name: str, option: Option, rate: float, number: int = 0) -> Outcome:
        """Trial ``number`` of disaggregated pools; ``option`` is the kind of decode replica."""
        before, after = pools.prefill, pools.decode
        key = f"{name} cap{after.cap} x{before.replicas}+{after.replicas} rate{rate!r} #{number}"
        known = self.ledger.get(key)
        if known is None:
            self.progress(f"{before.replicas} + {after.replicas} of {name} at {rate:.3g} req/s")
            requests, rounds, traffic, routing = self._draw(option, rate, number)
            known = self._reduce(run_pools(pools, requests, rounds, routing), pools, traffic)
            self.ledger.put(key, known)
        return Outcome(known["state"], tuple(math.inf if r is None else r for r in known["reached"]))

    def _simulate(self, option: Option, replicas: int, rate: float, number: int) -> dict[str, Any]:
        requests, rounds, traffic, routing = self._draw(option, rate, number)
        spec = option.scenario.speculation
        fleet = Fleet(option.plan, spec, option.gpus, option.cap, replicas, self.router)
        return self._reduce(run_fleet(fleet, requests, rounds, routing), fleet, traffic)

    def _reduce(self, run: FleetRun, fleet: Fleet | Pools, traffic: Traffic) -> dict[str, Any]:
        state = summarise(fleet, run, traffic)["state"]
        reached = [entry["reached_s"] for entry in kept(run, traffic, self.promises, state)]
        return {"state": state, "reached": [r if math.isfinite(r) else None for r in reached]}

    def _draw(self, option: Option, rate: float, number: int) -> tuple[Requests, Array, Traffic, np.random.Generator]:
        traffic = replace(self.traffic, rate=rate, duration=self.duration(option, rate))
        arrivals, drafts, routing = (
            np.random.default_rng(s) for s in np.random.SeedSequence([self.seed, number]).spawn(3)
        )
        what = (rate, traffic.duration, number)
        if self._requests is None or self._requests[0] != what:
            self._requests = (what, traffic.draw(arrivals))
            self._rounds = {}
        requests = self._requests[1]
        spec = option.scenario.speculation
        if spec not in self._rounds:
            self._rounds[spec] = draw_rounds(drafts, requests.output - 1, spec)
        return requests, self._rounds[spec], traffic, routing

    def duration(self, option: Option, rate: float) -> float:
        """Seconds of a trial: enough requests for the percentile and enough lives for a steady state.

        Rounded up to a power of two times ten minutes, so that options share the traffic.
        """
        rarest = max((p.percentile for p in self.promises), default=99.0)
        requests = max(LEAST_REQUESTS, 200 / (1 - rarest / 100))
        life = option.form(max(1e-3, 0.5 * option.capacity)).e2e(50.0)
        seconds = max(requests / rate, LIVES * life, SHORTEST)
        return float(min(LONGEST, SHORTEST * 2.0 ** math.ceil(math.log2(seconds / SHORTEST))))

    def confirm(self, option: Option, replicas: int, rate: float) -> bool:
        """Whether all of :data:`CONFIRMATIONS` further trials keep the promises."""
        return all(
            self.run(option, replicas, rate, number).kept(self.promises) for number in range(1, CONFIRMATIONS + 1)
        )
