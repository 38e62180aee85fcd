"""What a simulated fleet delivered: percentiles, goodput, utilisation, cost and energy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.facts.hardware import Hardware
from simulator.serving.fleet import Fleet, FleetRun
from simulator.serving.pools import Pools
from simulator.serving.saturation import SATURATED, TOO_SHORT, verdict
from simulator.traffic.arrivals import Traffic
from simulator.traffic.promises import METRICS, Promise
from simulator.units import KILO, MEGA, SECONDS_PER_HOUR

PERCENTILES = (50.0, 90.0, 95.0, 99.0)
WARM_UP = 0.1
"""Part of a run at constant rate that is left out of the statistics, since it begins with an empty fleet."""


def counted(run: FleetRun, traffic: Traffic) -> NDArray[np.bool_]:
    """Which requests count: at constant rate those sent after the warm-up, otherwise all."""
    start = WARM_UP * traffic.duration if traffic.stationary else 0.0
    return run.requests.send >= start


def summarise(
    fleet: Fleet | Pools, run: FleetRun, traffic: Traffic, promises: Sequence[Promise] = ()
) -> dict[str, Any]:
    """Figures of one run; latencies in ms. If the queue grows there is no steady latency, so every latency is None."""
    inside = counted(run, traffic)
    served = inside & run.served
    sent = run.requests.send[inside]
    start = float(sent.min()) if sent.size else 0.0
    end = max(float(run.requests.send[-1]), start + 1e-9)
    state, growth = verdict(run, start, end, fleet.slots, traffic.stationary)
    span = end - start
    done = (run.finish >= start) & (run.finish <= end)
    busy = run.counters["decode_time"] + run.counters["prefill_time"]
    last = float(np.nanmax(run.finish)) if served.any() else end
    out: dict[str, Any] = {
        "state": state,
        "queue_growth_per_s": growth,
        "requests": int(inside.sum()),
        "refused": int((inside & ~run.served).sum()),
        "refused_share": float((inside & ~run.served).sum() / max(1, inside.sum())),
        "offered_per_s": float(inside.sum() / span),
        "completed_per_s": float(done.sum() / span),
        "output_tok_s": float(run.requests.output[done].sum() / span),
        "total_tok_s_gpu": float((run.requests.output + run.requests.prompt)[done].sum() / span / fleet.total_gpus),
        "utilisation": float(busy.mean() / last),
        "utilisation_lo": float(busy.min() / last),
        "utilisation_hi": float(busy.max() / last),
        "prefill_share": float(run.counters["prefill_time"].sum() / max(busy.sum(), 1e-12)),
        "decode_batch": float(run.counters["batch_time"].sum() / max(run.counters["decode_time"].sum(), 1e-12)),
    }
    for metric in METRICS:
        values = run.latency(metric)[served]
        values = values[np.isfinite(values)]
        steady = state != SATURATED and values.size > 0
        out[f"mean_{metric}_ms"] = float(values.mean()) * KILO if steady else None
        for percentile in PERCENTILES:
            out[f"p{percentile:g}_{metric}_ms"] = float(np.percentile(values, percentile)) * KILO if steady else None
    if promises:
        out |= _goodput(run, inside, span, promises)
        out["promises"] = [dict(entry) for entry in kept(run, traffic, promises, state)]
    return out


def _goodput(run: FleetRun, inside: NDArray[np.bool_], span: float, promises: Sequence[Promise]) -> dict[str, float]:
    good = inside & run.served
    for promise in promises:
        value = run.latency(promise.metric)
        good &= ~(value > promise.limit)
    return {"goodput_per_s": float(good.sum() / span), "goodput_share": float(good.sum() / max(1, inside.sum()))}


def kept(run: FleetRun, traffic: Traffic, promises: Sequence[Promise], state: str) -> Iterator[Mapping[str, Any]]:
    """Each promise with the value reached in seconds and whether it was kept; a saturated fleet keeps none.

    A refused request counts as infinitely late.
    """
    inside = counted(run, traffic)
    for promise in promises:
        values = run.latency(promise.metric)[inside]
        late = ~run.served[inside]
        values = np.where(late, np.inf, values)
        values = values[~np.isnan(values)]
        reached = percentile_with_infinity(values, promise.percentile) if values.size and state != SATURATED else np.inf
        yield {
            "promise": promise.name,
            "limit_s": promise.limit,
            "reached_s": reached,
            "kept": bool(reached <= promise.limit and state != TOO_SHORT),
        }


def percentile_with_infinity(values: NDArray[np.float64], percentile: float) -> float:
    """A percentile, linear between ranks; infinite as soon as a rank that it needs is."""
    rank = (values.size - 1) * percentile / 100.0
    low, high = int(np.floor(rank)), int(np.ceil(rank))
    a, b = np.partition(values, (low, high))[[low, high]]
    if not np.isfinite(b):
        return float(a) if rank == low else float("inf")
    return float(a + (b - a) * (rank - low))


def cost_and_energy(hardware: Hardware, basis: str, gpus: int, tok_s: float) -> dict[str, float | str | None]:
    """$/h and $/M tokens (input + output) on a named cost basis, and all-in power, of a fleet of so many GPUs."""
    price = None if hardware.price is None else float(getattr(hardware.price, basis))
    power = hardware.all_in_power
    return {
        "cost_basis": basis,
        "usd_per_gpu_hour": price,
        "usd_per_hour": None if price is None else price * gpus,
        "usd_per_mtok": None if price is None or tok_s <= 0 else price * gpus / (tok_s * SECONDS_PER_HOUR / MEGA),
        "all_in_kw_per_gpu": None if power is None else power / KILO,
        "power_mw": None if power is None else power * gpus / MEGA,
    }


def request_rows(run: FleetRun) -> Iterator[dict[str, Any]]:
    """One row per request, in order of sending."""
    ttft, tpot, e2e = (run.latency(metric) * KILO for metric in METRICS)
    for i in range(run.requests.count):
        yield {
            "request": i,
            "replica": int(run.where[i]) if run.where[i] >= 0 else None,
            "arrival_s": float(run.requests.send[i]),
            "input_tokens": int(run.requests.prompt[i]),
            "output_tokens": int(run.requests.output[i]),
            "rounds": int(run.rounds[i]),
            "ttft_ms": float(ttft[i]),
            "tpot_ms": float(tpot[i]),
            "e2e_ms": float(e2e[i]),
        }
