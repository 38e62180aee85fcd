"""Frontier points against a fit: the whole front, with cost, tok/s/MW and concurrency splined each on its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from simulator.fitting.fit import Fit
from simulator.fitting.frontiers import Sweep
from simulator.fitting.problem import Evaluator
from simulator.measurements import FrontierPoint
from simulator.prediction.frontier import Frontier
from simulator.serving.scenario import cost_basis_price
from simulator.units import MEGA, SECONDS_PER_HOUR

METRICS = ("total_tok_s_gpu", "cost_usd_per_mtok", "tok_s_per_mw", "concurrency")


def full_front(evaluate: Evaluator, sweep: Sweep, cost_basis: str = "hyperscaler") -> Frontier:
    """The front of a sweep over all replica sizes, with cost ($/M tokens) and tok/s/MW columns."""
    evaluate.prepare(sweep.grid)
    front = sweep.frontier(evaluate)
    total = front.columns["total_tok_s_gpu"]
    columns: dict[str, Any] = dict(front.columns)
    hardware = sweep.base.deployment.hardware
    price = cost_basis_price(sweep.base.deployment, cost_basis)
    if price is not None:
        columns["cost_usd_per_mtok"] = price / (total * SECONDS_PER_HOUR / MEGA)
    if hardware.all_in_power is not None:
        columns["tok_s_per_mw"] = total * MEGA / hardware.all_in_power
    return Frontier.from_points(columns)


@dataclass(frozen=True)
class FrontError:
    """Relative throughput error, predicted / published - 1, of one published point (interactivity in tok/s/user)."""

    spec_tokens: int
    interactivity: float
    throughput: float


def front_errors(found: Fit, sweeps: Sequence[Sweep]) -> list[FrontError]:
    """The error of every published point on the whole front; beyond its ends at the nearest one."""
    values, length = found.problem.values(found.x)
    evaluate = Evaluator(values, length, exact=True)
    out = []
    for sweep in sweeps:
        front = full_front(evaluate, sweep)
        for at, obs in zip(sweep.interactivity, sweep.observations, strict=True):
            if obs.metric == "total_tok_s_gpu":
                low, high = front.band
                inside = float(np.clip(at, low, high))
                error = front.at(inside)["total_tok_s_gpu"] / obs.value - 1.0
                out.append(FrontError(sweep.base.spec_tokens, at, error))
    return out


def point_errors(evaluate: Evaluator, sweeps: Sequence[Sweep], points: Sequence[FrontierPoint]) -> list[dict[str, Any]]:
    """Every metric of every published point, predicted and measured; outside the simulated band the prediction is
    None."""
    fronts = {place: front for s in sweeps for front in [full_front(evaluate, s)] for place in s.lines}
    rows = []
    for p in points:
        front = fronts[p.file, p.line]
        inside = front.band[0] <= p.interactivity_tok_s_user <= front.band[1]
        found = front.at(p.interactivity_tok_s_user) if inside else {}
        row: dict[str, Any] = {"spec": p.spec, "interactivity_tok_s_user": p.interactivity_tok_s_user}
        for metric in METRICS:
            measured = getattr(p, metric)
            row[metric] = measured
            row[f"predicted_{metric}"] = found.get(metric)
            row[f"error_{metric}"] = found[metric] / measured - 1.0 if measured and metric in found else None
        rows.append(row)
    return rows
