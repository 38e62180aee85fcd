"""What a simulated fleet delivered: latencies, goodput, utilisation, and one row per request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.serving.fleet import Fleet, FleetRun
from simulator.serving.pools import Pools
from simulator.serving.promised import Goodput, Reached, goodput, reached
from simulator.serving.saturation import SATURATED, verdict
from simulator.traffic.arrivals import Traffic
from simulator.traffic.promises import METRICS, Promise
from simulator.units import KILO

Flags = NDArray[np.bool_]

PERCENTILES = (50.0, 90.0, 95.0, 99.0)
WARM_UP = 0.1
"""Part of a run at constant rate that is left out of the statistics, since it begins with an empty fleet."""
LEAST_SPAN = 1e-9
"""Seconds between the first and the last request at least, so that a single one has a rate."""
NO_TIME = 1e-12
"""Seconds that stand for none, where a replica that did nothing would divide by its busy time."""


def counted(run: FleetRun, traffic: Traffic) -> Flags:
    """Which requests count: at constant rate those sent after the warm-up, otherwise all."""
    start = WARM_UP * traffic.duration if traffic.stationary else 0.0
    return run.requests.send >= start


@dataclass(frozen=True)
class Latency:
    """Mean, median and percentiles of one latency over the served requests, ms."""

    mean: float
    median: float
    p90: float
    p95: float
    p99: float

    @classmethod
    def of(cls, seconds: NDArray[np.float64]) -> Latency:
        """Those of at least one latency in seconds."""
        median, p90, p95, p99 = (float(np.percentile(seconds, percentile)) * KILO for percentile in PERCENTILES)
        return cls(float(seconds.mean()) * KILO, median, p90, p95, p99)


@dataclass(frozen=True)
class Load:
    """What came and what was done with it; rates are per second.

    ``refused_share``, ``utilisation`` (mean, least and greatest over replicas) and ``prefill_share`` (of the busy time)
    are fractions; ``decode_batch`` is the mean number of requests in a decode round.
    """

    requests: int
    refused: int
    refused_share: float
    offered_per_s: float
    completed_per_s: float
    output_tok_s: float
    total_tok_s_gpu: float
    utilisation: float
    utilisation_lo: float
    utilisation_hi: float
    prefill_share: float
    decode_batch: float


@dataclass(frozen=True)
class Hits:
    """Parts of the input that were found on the GPUs, and that an endless cache for all replicas would hold."""

    hit_rate_ideal: float
    hit_rate_gpu: float

    @classmethod
    def of(cls, run: FleetRun, inside: Flags) -> Hits | None:
        """Those of the served requests among some; None: no prompts were kept."""
        prefixes, served = run.requests.prefixes, inside & run.served
        if run.found is None or prefixes is None:
            return None
        tokens = max(1.0, float(run.requests.prompt[served].sum()))
        ideal = prefixes.ideal[: served.size]
        return cls(float(ideal[served].sum() / tokens), float(run.found[served].sum() / tokens))


@dataclass(frozen=True)
class Delivered:
    """Figures of one run.

    ``state``: see :mod:`simulator.serving.saturation`. ``ttft``, ``tpot``, ``e2e``: None if no request has one, or if
    the queue grows, since then there is no steady latency. ``promises`` and ``goodput``: empty and None if nothing was
    promised. ``hits``: None if no prompts were kept.
    """

    state: str
    queue_growth_per_s: float
    load: Load
    ttft: Latency | None
    tpot: Latency | None
    e2e: Latency | None
    goodput: Goodput | None = None
    promises: tuple[Reached, ...] = ()
    hits: Hits | None = None

    def as_row(self) -> dict[str, Any]:
        """One column per figure. ``promises`` is a list of rows; without any, that and the goodput are left out."""
        row: dict[str, Any] = {"state": self.state, "queue_growth_per_s": self.queue_growth_per_s, **asdict(self.load)}
        for metric in METRICS:
            latency: Latency | None = getattr(self, metric)
            for name in Latency.__dataclass_fields__:
                row[f"{name}_{metric}_ms"] = None if latency is None else getattr(latency, name)
        if self.hits is not None:
            row |= asdict(self.hits)
        if self.goodput is not None:
            row |= {"goodput_per_s": self.goodput.per_s, "goodput_share": self.goodput.share}
            row["promises"] = [reached.as_row() for reached in self.promises]
        return row


def summarise(fleet: Fleet | Pools, run: FleetRun, traffic: Traffic, promises: Sequence[Promise] = ()) -> Delivered:
    """Figures of one run, over the requests that count."""
    inside = counted(run, traffic)
    sent = run.requests.send[inside]
    start = float(sent.min()) if sent.size else 0.0
    end = max(float(run.requests.send[-1]), start + LEAST_SPAN)
    state, growth = verdict(run, start, end, fleet.slots, traffic.stationary)
    steady = run.served & inside & (state != SATURATED)
    return Delivered(
        state=state,
        queue_growth_per_s=growth,
        load=_load(fleet, run, inside, start, end),
        ttft=_latency(run.ttft()[steady]),
        tpot=_latency(run.tpot()[steady]),
        e2e=_latency(run.e2e()[steady]),
        goodput=goodput(run, inside, end - start, promises) if promises else None,
        promises=tuple(reached(run, inside, promises, state)),
        hits=Hits.of(run, inside),
    )


def _latency(seconds: NDArray[np.float64]) -> Latency | None:
    finite = seconds[np.isfinite(seconds)]
    return Latency.of(finite) if finite.size else None


def _load(fleet: Fleet | Pools, run: FleetRun, inside: Flags, start: float, end: float) -> Load:
    """The load from ``start`` to ``end``, seconds; utilisation and batch are those of the whole run."""
    span = end - start
    refused = inside & ~run.served
    done = (run.finish >= start) & (run.finish <= end)
    prefill, decode = run.counters["prefill_time"], run.counters["decode_time"]
    busy = decode + prefill
    last = float(np.nanmax(run.finish)) if (inside & run.served).any() else end
    return Load(
        requests=int(inside.sum()),
        refused=int(refused.sum()),
        refused_share=float(refused.sum() / max(1, inside.sum())),
        offered_per_s=float(inside.sum() / span),
        completed_per_s=float(done.sum() / span),
        output_tok_s=float(run.requests.output[done].sum() / span),
        total_tok_s_gpu=float((run.requests.output + run.requests.prompt)[done].sum() / span / fleet.total_gpus),
        utilisation=float(busy.mean() / last),
        utilisation_lo=float(busy.min() / last),
        utilisation_hi=float(busy.max() / last),
        prefill_share=float(prefill.sum() / max(busy.sum(), NO_TIME)),
        decode_batch=float(run.counters["batch_time"].sum() / max(decode.sum(), NO_TIME)),
    )


def request_rows(run: FleetRun) -> Iterator[dict[str, Any]]:
    """One row per request, in order of sending."""
    ttft, tpot, e2e = (run.latency(metric) * KILO for metric in METRICS)
    for i in range(run.requests.count):
        found = {} if run.found is None else {"cached_input_tokens": int(run.found[i])}
        yield {
            "request": i,
            "replica": int(run.where[i]) if run.where[i] >= 0 else None,
            "arrival_s": float(run.requests.send[i]),
            "input_tokens": int(run.requests.prompt[i]),
            **found,
            "output_tokens": int(run.requests.output[i]),
            "rounds": int(run.rounds[i]),
            "ttft_ms": float(ttft[i]),
            "tpot_ms": float(tpot[i]),
            "e2e_ms": float(e2e[i]),
        }
