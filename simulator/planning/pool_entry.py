"""Disaggregated pools on their way through the search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simulator.planning.margin import Latencies, Replicas
from simulator.planning.options import ALMOST_IDLE, Option
from simulator.planning.trials import Outcome, Trials
from simulator.planning.winner import pools_name
from simulator.serving.fleet import Fleet
from simulator.serving.pools import Pools, decode_only, kv_transfer, pool_fleets
from simulator.serving.replica import Replica
from simulator.serving.steady_state import SteadyState, steady_state
from simulator.speculation.acceptance import OFF, Speculation
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
        prefill = prefill_form(self.prefill, self.prefill.replica, ALMOST_IDLE).capacity
        decode = decode_form(self.decode, self.decode.replica, self.decode.scenario.speculation, ALMOST_IDLE).capacity
        return min(prefill * self.prefills, decode * self.decodes)

    @property
    def transfer(self) -> float:
        """Seconds that the caches of a mean prompt take."""
        return float(self.pools().transfer.seconds(self.decode.moments[0]))

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
        """Promised percentiles of the pools by the closed form, at a part of ``rate`` requests/s."""
        mean_out, transfer = self.decode.moments[2], self.transfer

        def latencies(replicas: Replicas, part: float) -> list[float]:
            (prefill, _off), (decode, spec) = replicas
            first = prefill_form(self.prefill, prefill, part * rate / self.prefills)
            rest = decode_form(self.decode, decode, spec, part * rate / self.decodes)
            handing = {"ttft": 0.0, "tpot": transfer / max(mean_out - 1.0, 1.0), "e2e": transfer + first.ttft(50.0)}

            def value(promise: Promise) -> float:
                if promise.metric == "ttft":
                    return first.ttft(promise.percentile)
                return handing[promise.metric] + rest.latency(promise.metric, promise.percentile)

            return [value(promise) for promise in promises]

        return latencies


def prefill_form(option: Option, replica: Replica, rate: float) -> SteadyState:
    """Steady state of a replica that only prefills, at ``rate`` requests/s, as one whose answers have one token."""
    mean_in, sd_in, _mean_out, _sd_out = option.moments
    return steady_state(replica, OFF, option.cap, (mean_in, sd_in, 1.0, 0.0), rate)


def decode_form(option: Option, replica: Replica, speculation: Speculation, rate: float) -> SteadyState:
    """Steady state of a replica that only decodes, at ``rate`` requests/s."""
    return steady_state(decode_only(replica), speculation, option.cap, option.moments, rate)
