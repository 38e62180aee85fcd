"""Open-loop results as pictures."""

from __future__ import annotations

import numpy as np

from simulator.plots.saving import save
from simulator.plots.traffic import TrafficPicture, traffic_figure
from simulator.prediction.simulate import Simulation
from simulator.serving.delivered import counted
from simulator.serving.saturation import SATURATED, queue_over_time


def traffic_picture(result: Simulation) -> TrafficPicture:
    """What the figure of a simulation shows."""
    run = result.run
    queue = queue_over_time(run, 0.0, max(float(run.requests.send[-1]), 1e-9))
    inside = counted(run, result.traffic) & run.served
    everything = run.served
    limits: dict[str, list[tuple[float, float]]] = {}
    for promise in result.promises:
        limits.setdefault(promise.metric, []).append((promise.percentile, promise.limit))
    return TrafficPicture(
        queue.time,
        queue.waiting,
        queue.running,
        result.fleet.slots,
        run.requests.send[everything],
        run.ttft()[everything],
        np.asarray(run.tpot()[inside]),
        limits,
        result.figures["state"] == SATURATED,
    )


def draw_traffic(result: Simulation, path: str) -> None:
    """The queue and the latencies of one simulation."""
    meta = result.meta
    spec = f"MTP {meta['spec_tokens']}" if meta["spec_tokens"] else "MTP off"
    title = f"{meta['model']} on {meta['replicas']} x TP{meta['tp']} {meta['hardware']}, {spec}"
    save(
        traffic_figure(traffic_picture(result), title, f"{meta['traffic']};  {meta['lengths']};  {meta['router']}"),
        path,
    )
