"""How sure a plan is: the probability that the promises hold, given what the calibration leaves uncertain."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.cost.calibration import ACCEPTANCE, length_coordinate, length_of_coordinate
from simulator.cost.parameters import registry
from simulator.planning.options import Option
from simulator.serving.replica import Replica, build_replica
from simulator.serving.steady_state import steady_state
from simulator.speculation.acceptance import Speculation, from_positions, rate_of_length
from simulator.traffic.promises import Promise

Array = NDArray[np.float64]

DRAWS = 300
SURE = 0.95
LEAST_LOAD = 1 / 3
"""Loads down to this part of the planned one are looked at for a margin."""
STEPS = 12
ROUNDING = 1e-9
"""What a number of replicas may be above a whole one for no other reason than rounding."""


@dataclass(frozen=True)
class Margin:
    """``probability`` that all promises hold; per promise 5 and 95 % quantiles of the value reached, seconds.

    ``load``: greatest part of the planned load per replica at which they hold with 95 %; None: not even at a third.
    """

    probability: float
    intervals: tuple[tuple[float, float], ...]
    each: tuple[float, ...]
    load: float | None


Replicas = Sequence[tuple[Replica, Speculation]]
"""One set of parameters as the plan of each kind of replica in a fleet."""

Latencies = Callable[[Replicas, float], Sequence[float]]
"""Promised percentiles (s) of a fleet by the closed form, at a part of the planned load."""


def fleet_latencies(option: Option, load: float, promises: Sequence[Promise]) -> Latencies:
    """Those of equal replicas at ``load`` requests/s each."""

    def latencies(replicas: Replicas, part: float) -> list[float]:
        ((plan, spec),) = replicas
        form = steady_state(plan, spec, option.cap, option.moments, part * load)
        return [form.latency(p.metric, p.percentile) for p in promises]

    return latencies


def margin(
    options: Sequence[Option],
    latencies: Latencies,
    reached: Sequence[float],
    promises: Sequence[Promise],
    seed: int,
    progress: Callable[[str], None],
) -> Margin:
    """Probability that a confirmed fleet keeps its promises, and the load at which it does with 95 %.

    Parameter sets are drawn from the calibration's covariance. The fleet that discrete events have settled at
    ``reached`` moves with a draw as the closed form does; the calibration's noise (model error and run to run)
    multiplies that.
    """
    progress("calibration uncertainty")
    rng = np.random.default_rng(np.random.SeedSequence([seed, 9_999]))
    calibration = options[0].scenario.calibration
    names, covariance = calibration.uncertainty()
    values, vectors = np.linalg.eigh(covariance)
    shifts = rng.standard_normal((DRAWS, len(names))) @ (vectors * np.sqrt(np.maximum(values, 0.0))).T
    draws = [[drawn(option, names, shift) for option in options] for shift in shifts]
    sd = {"ttft": calibration.noise.ttft, "tpot": calibration.noise.tpot, "e2e": calibration.noise.tpot}
    noise = rng.standard_normal((DRAWS, 2))
    factors = np.exp(np.stack([noise[:, 0 if p.metric == "ttft" else 1] * sd[p.metric] for p in promises], axis=1))
    base = np.array(latencies([(o.replica, o.scenario.speculation) for o in options], 1.0))
    limits = np.array([p.limit for p in promises])

    def at(part: float) -> Array:
        moved = np.array([latencies(replicas, part) for replicas in draws])
        with np.errstate(invalid="ignore"):
            ratio = np.where(np.isfinite(base), moved / base, np.where(np.isfinite(moved), 1.0, np.inf))
        return np.asarray(np.array(reached) * ratio * factors)

    now = at(1.0)
    good = now <= limits
    ends = np.quantile(now, (0.05, 0.95), axis=0, method="inverted_cdf")
    return Margin(
        probability=float(good.all(axis=1).mean()),
        intervals=tuple((float(a), float(b)) for a, b in ends.T),
        each=tuple(float(x) for x in good.mean(axis=0)),
        load=_greatest(lambda part: float((at(part) <= limits).all(axis=1).mean())),
    )


def rounded_up(replicas: float) -> int:
    """Whole replicas, not one more for a rounding error."""
    return math.ceil(replicas - ROUNDING)


def _greatest(probability: Callable[[float], float]) -> float | None:
    low, high = LEAST_LOAD, 1.0
    if probability(high) >= SURE:
        return high
    if probability(low) < SURE:
        return None
    for _ in range(STEPS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if probability(middle) >= SURE else (low, middle)
    return low


def drawn(option: Option, names: Sequence[str], shift: Array) -> tuple[Replica, Speculation]:
    """An option with every named quantity moved by its ``shift`` in internal coordinates; a stated acceptance stays."""
    scenario = option.scenario
    values = dict(scenario.calibration.values())
    spec = scenario.speculation
    fitted = scenario.calibration.acceptance
    for name, delta in zip(names, shift, strict=True):
        if name == ACCEPTANCE:
            if fitted is not None and spec.tokens and spec.source.kind == "fitted":
                depth = fitted.spec_tokens
                length = length_of_coordinate(length_coordinate(fitted.length, depth) + float(delta), depth)
                spec = from_positions([rate_of_length(length, depth)] * spec.tokens, spec.tokens, spec.source)
            continue
        parameter = registry()[name]
        values[name] = parameter.from_internal(parameter.to_internal(values[name]) + float(delta))
    return build_replica(scenario.deployment, spec, values), spec
