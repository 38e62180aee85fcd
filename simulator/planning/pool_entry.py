"""Disaggregated pools on their way through the search."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from simulator.planning.options import ALMOST_IDLE, Option
from simulator.planning.trials import Outcome, Trials, pools_key
from simulator.planning.winner import pools_name
from simulator.prediction.latencies import decode_form, pool_latencies, pool_odds, prefill_form
from simulator.prediction.odds import Latencies, Margin, Odds
from simulator.serving.fleet import Fleet
from simulator.serving.pools import Pools, kv_transfer, pool_fleets
from simulator.serving.steady_state import SteadyState
from simulator.speculation.acceptance import OFF
from simulator.traffic.promises import Promise


@dataclass
class PoolEntry:
    """Kinds of replica and how many of each; ``bandwidth``: bytes/s per GPU between the pools."""

    prefill: Option
    decode: Option
    prefills: int
    decodes: int
    bandwidth: float
    router: str

    @property
    def gpus(self) -> int:
        """GPUs of both pools."""
        return self.prefill.gpus * self.prefills + self.decode.gpus * self.decodes

    @property
    def name(self) -> str:
        """Such as ``TP4 prefill + TP2 MTP 3 decode``."""
        return pools_name(self.prefill.kind, self.decode.kind)

    @property
    def knee(self) -> float:
        """Requests/s beyond which the queue of one of the pools grows, by the closed form."""
        return min(
            prefill_knee(self.prefill) * self.prefills, decode_at(self.decode, ALMOST_IDLE).capacity * self.decodes
        )

    @property
    def transfer(self) -> float:
        """Seconds that the caches of a mean prompt take."""
        return float(self.pools().transfer.seconds(self.decode.moments[0]))

    def odds(self, trials: Trials, rate: float) -> Odds:
        """Draws of the pools at about their size, for ``rate`` requests/s."""
        scenarios = self.prefill.scenario, self.decode.scenario
        return pool_odds(*scenarios, self.pools(), self.decode.moments, rate, trials.promises, trials.seed)

    def draws(self, trials: Trials, rate: float) -> Callable[[], Odds]:
        """What makes :meth:`odds` at this very size, on the first call."""
        here = replace(self)
        return functools.cache(lambda: here.odds(trials, rate))

    def margin(
        self, trials: Trials, rate: float, outcome: Outcome, draws: Callable[[], Odds] | None = None, drawn_at: str = ""
    ) -> Margin:
        """How sure the outcome of a trial is.

        Args:
            trials: of the planned traffic.
            rate: requests/s in all.
            outcome: of the pools as they are.
            draws: of the pools when they were smaller; None: as they are.
            drawn_at: the :attr:`size` that they had then.
        """
        key = f"{pools_key(self.pools(), self.name, rate)} drawn at {drawn_at or self.size}"
        latencies = self.latencies(rate, trials.promises)
        return trials.margin(key, draws or self.draws(trials, rate), latencies, outcome)

    @property
    def size(self) -> str:
        """Such as ``10+12`` replicas."""
        return f"{self.prefills}+{self.decodes}"

    def pools(self, prefills: int | None = None, decodes: int | None = None) -> Pools:
        """The pools, or others of the same kind."""
        p, d = self.prefill, self.decode
        smaller = min(p.gpus, d.gpus)
        return pool_fleets(
            Fleet(p.replica, OFF, p.gpus, p.cap, prefills or self.prefills, self.router),
            Fleet(d.replica, d.scenario.speculation, d.gpus, d.cap, decodes or self.decodes, self.router),
            kv_transfer(d.scenario.deployment, smaller, d.scenario.speculation.tokens, self.bandwidth),
        )

    def trial(self, trials: Trials, rate: float, number: int = 0) -> Outcome:
        """Trial ``number`` of the pools at ``rate`` requests/s."""
        return trials.run_pools(self.pools(), self.name, self.decode, rate, number)

    def latencies(self, rate: float, promises: Sequence[Promise]) -> Latencies:
        """Promised percentiles of the pools by the closed form at ``rate`` requests/s."""
        return pool_latencies(self.pools(), self.decode.moments, rate, promises)


def prefill_knee(option: Option) -> float:
    """Requests/s that one replica prefills at most."""
    return prefill_form(option.replica, option.cap, option.moments, ALMOST_IDLE).capacity


def decode_at(option: Option, rate: float) -> SteadyState:
    """Steady state of one replica that only decodes, at ``rate`` requests/s."""
    return decode_form(option.replica, option.scenario.speculation, option.cap, option.moments, rate)
