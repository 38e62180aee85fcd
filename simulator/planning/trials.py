"""Discrete-event trials of fleets under the planned traffic: are the promises kept?"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.planning.ledger import Ledger
from simulator.planning.options import ALMOST_IDLE, Option
from simulator.prediction.kept_prompts import within_memory
from simulator.prediction.odds import Latencies, Margin, Odds
from simulator.serving.delivered import summarise
from simulator.serving.fleet import Fleet, FleetRun, run_fleet
from simulator.serving.pools import Pools, run_pools
from simulator.serving.saturation import STABLE
from simulator.speculation.acceptance import Speculation
from simulator.speculation.rounds import draw_rounds
from simulator.traffic.arrivals import Requests, Traffic
from simulator.traffic.promises import Promise
from simulator.units import SECONDS, SECONDS_PER_HOUR

Array = NDArray[np.float64]

LEAST_REQUESTS = 20_000
SHORTEST, LONGEST = 10 * SECONDS["min"], 48 * SECONDS_PER_HOUR
"""Seconds of a trial."""
LIVES = 20.0
"""A trial lasts at least so many lives of a request."""
CONFIRMATIONS = 10
"""Independent runs that a plan must pass, all of them."""


@dataclass(frozen=True)
class Outcome:
    """One trial: the state, and per promise the value reached in seconds (infinite if saturated).

    ``hit_rate``: part of the input that prefix caches held; None: no prompts were kept.
    """

    state: str
    reached: tuple[float, ...]
    hit_rate: float | None = None

    def kept(self, promises: Sequence[Promise]) -> bool:
        """Whether every promise holds in a steady state."""
        return self.state == STABLE and all(r <= p.limit for r, p in zip(self.reached, promises, strict=True))

    def worst(self, promises: Sequence[Promise]) -> float:
        """Greatest reached / promised."""
        return max(r / p.limit for r, p in zip(self.reached, promises, strict=True))

    def as_row(self) -> dict[str, Any]:
        """``state``, ``reached`` and ``hit_rate``, if there is one, in plain JSON types: None for infinite."""
        row = {"state": self.state, "reached": [r if math.isfinite(r) else None for r in self.reached]}
        return row if self.hit_rate is None else {**row, "hit_rate": self.hit_rate}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Outcome:
        """The outcome behind :meth:`as_row`."""
        reached = tuple(math.inf if r is None else r for r in row["reached"])
        return cls(row["state"], reached, row.get("hit_rate"))


def fleet_key(option: Option, replicas: int, rate: float, number: int = 0) -> str:
    """What sets a trial of a fleet apart from others of the same plan."""
    d = option.scenario.deployment
    return f"{option.family} tp{d.tp} ep{d.ep} cap{option.cap} x{replicas} rate{rate!r} #{number}"


def pools_key(pools: Pools, name: str, rate: float, number: int = 0) -> str:
    """What sets a trial of pools apart from others of the same plan."""
    before, after = pools.prefill, pools.decode
    return f"{name} cap{after.cap} x{before.replicas}+{after.replicas} rate{rate!r} #{number}"


@dataclass
class Trials:
    """Runs trials and remembers them. Seeds are derived from ``seed``; the same ones serve every fleet.

    ``confidence``: the probability with which the promises shall hold in spite of the calibration.
    """

    traffic: Traffic
    promises: tuple[Promise, ...]
    router: str
    seed: int
    ledger: Ledger
    progress: Callable[[str], None]
    confidence: float = 0.95

    def __post_init__(self) -> None:
        """Begin without drawn traffic."""
        self._requests: tuple[tuple[float, float, int], Requests] | None = None
        self._rounds: dict[Speculation, Array] = {}

    def run(self, option: Option, replicas: int, rate: float, number: int = 0) -> Outcome:
        """Trial ``number`` of a fleet at ``rate`` requests/s in all."""

        def trial() -> Outcome:
            requests, rounds, traffic, routing = self._draw(option, rate, number)
            if option.keep is not None and requests.prefixes is not None:
                within_memory(requests.prefixes, replicas)
            spec = option.scenario.speculation
            fleet = Fleet(option.replica, spec, option.gpus, option.cap, replicas, self.router, keep=option.keep)
            return self._outcome(fleet, run_fleet(fleet, requests, rounds, routing), traffic)

        key = fleet_key(option, replicas, rate, number)
        return self._remembered(key, f"{option.family} x {replicas} at {rate:.3g} req/s", trial)

    def run_pools(self, pools: Pools, name: str, option: Option, rate: float, number: int = 0) -> Outcome:
        """Trial ``number`` of disaggregated pools; ``option`` is the kind of decode replica."""
        before, after = pools.prefill, pools.decode

        def trial() -> Outcome:
            requests, rounds, traffic, routing = self._draw(option, rate, number)
            return self._outcome(pools, run_pools(pools, requests, rounds, routing), traffic)

        key = pools_key(pools, name, rate, number)
        return self._remembered(key, f"{before.replicas} + {after.replicas} of {name} at {rate:.3g} req/s", trial)

    def margin(self, key: str, odds: Callable[[], Odds], latencies: Latencies, outcome: Outcome) -> Margin:
        """How sure an outcome is: what the ledger knows, or what the draws say, which are made only then.

        Args:
            key: of everything that decides it but the inputs of the plan.
            odds: draws of the fleet.
            latencies: of the same fleet at the same load by the closed form.
            outcome: of its trial.
        """
        row = self.ledger.margin(key, lambda: odds().margin(latencies, outcome.reached).as_row())
        return Margin.from_row(row)

    def _remembered(self, key: str, what: str, trial: Callable[[], Outcome]) -> Outcome:
        """What the ledger knows, or the trial, told as ``what`` and remembered."""
        known = self.ledger.get(key)
        if known is None:
            self.progress(what)
            known = trial().as_row()
            self.ledger.put(key, known)
        return Outcome.from_row(known)

    def _outcome(self, fleet: Fleet | Pools, run: FleetRun, traffic: Traffic) -> Outcome:
        found = summarise(fleet, run, traffic, self.promises)
        hits = None if found.hits is None else found.hits.hit_rate_gpu
        return Outcome(found.state, tuple(reached.seconds for reached in found.promises), hits)

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
        life = option.form(max(ALMOST_IDLE, 0.5 * option.capacity)).e2e(50.0)
        seconds = max(requests / rate, LIVES * life, SHORTEST)
        return float(min(LONGEST, SHORTEST * 2.0 ** math.ceil(math.log2(seconds / SHORTEST))))

    def confirm(self, option: Option, replicas: int, rate: float) -> bool:
        """Whether all of :data:`CONFIRMATIONS` further trials keep the promises."""
        return all(
            self.run(option, replicas, rate, number).kept(self.promises) for number in range(1, CONFIRMATIONS + 1)
        )
