"""How sure promised percentiles are, given what the calibration leaves uncertain: the probability that they hold."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.cost.calibration import ACCEPTANCE, Calibration, length_coordinate, length_of_coordinate
from simulator.prediction.intervals import noise_class
from simulator.serving.kept_replicas import replicas_under
from simulator.serving.replica import Replica
from simulator.serving.scenario import Scenario
from simulator.serving.scope import INSIDE, Verdict
from simulator.speculation.acceptance import Speculation, from_positions, rate_of_length
from simulator.traffic.promises import Promise

Array = NDArray[np.float64]

DRAWS = 300
ENDS = (0.05, 0.95)
"""Quantiles of a 90 % interval."""


@dataclass(frozen=True)
class Margin:
    """``probability`` that all promises hold; per promise the 90 % interval of the value reached, s, and its own."""

    probability: float
    intervals: tuple[tuple[float, float], ...]
    each: tuple[float, ...]

    def as_row(self) -> dict[str, Any]:
        """One entry per field in plain JSON types: None for infinite."""
        ends = [[x if math.isfinite(x) else None for x in pair] for pair in self.intervals]
        return {"probability": self.probability, "intervals": ends, "each": list(self.each)}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Margin:
        """The margin behind :meth:`as_row`."""
        low_high = [[math.inf if x is None else x for x in pair] for pair in row["intervals"]]
        return cls(row["probability"], tuple((low, high) for low, high in low_high), tuple(row["each"]))


Replicas = Sequence[tuple[Replica, Speculation]]
"""One set of parameters as the plan of each kind of replica in a fleet."""

Latencies = Callable[[Replicas], Sequence[float]]
"""Promised percentiles (s) of a fleet by the closed form."""


class Odds:
    """Parameter sets drawn from the calibration's covariance, each as the plan of every kind of replica of a fleet.

    A fleet that discrete events have settled moves with a draw as the closed form does; the calibration's noise (model
    error and run to run) multiplies that.

    Args:
        kinds: the kinds of replica of a fleet, with the scenario behind each.
        promises: whose percentiles are asked for.
        seed: of the draws.
        verdict: where the kinds stand to what was measured, which makes everything less sure.
        least_gain: per kind the acceptance length at which drafting gains nothing, where a draw may keep any part of
            the gain down to none; None: the gain is as predicted.
    """

    def __init__(
        self,
        kinds: Sequence[tuple[Replica, Scenario]],
        promises: Sequence[Promise],
        seed: int,
        verdict: Verdict = INSIDE,
        least_gain: Sequence[float | None] = (),
    ) -> None:
        """Draw them."""
        rng = np.random.default_rng(np.random.SeedSequence([seed, 9_999]))
        calibration = kinds[0][1].calibration
        names, shifts = drawn_shifts(calibration, DRAWS, rng)
        each = [drawn(scenario, names, shifts) for _, scenario in kinds]
        self._draws: list[Replicas] = list(zip(*each, strict=True))
        kinds_of = [noise_class(p.metric) for p in promises]
        noise = rng.standard_normal((DRAWS, 2))
        wider = [math.hypot(float(getattr(calibration.noise, k)), verdict.spread(k)) for k in kinds_of]
        of = [0 if p.metric == "ttft" else 1 for p in promises]
        self._factors = np.exp(np.stack([noise[:, i] * w for i, w in zip(of, wider, strict=True)], axis=1))
        self._limits = np.array([p.limit for p in promises])
        self._base = [(replica, scenario.speculation) for replica, scenario in kinds]
        if any(least is not None for least in least_gain):
            kept = rng.random(DRAWS)
            self._draws = [
                [(plan, with_part_of_gain(spec, least, u)) for (plan, spec), least in zip(row, least_gain, strict=True)]
                for row, u in zip(self._draws, kept.tolist(), strict=True)
            ]

    def margin(self, latencies: Latencies, reached: Sequence[float]) -> Margin:
        """How sure a fleet is that reached so many seconds of each promise in discrete events.

        Args:
            latencies: the same fleet at the same load by the closed form.
            reached: per promise, seconds.
        """
        base = np.array(latencies(self._base))
        moved = np.array([latencies(replicas) for replicas in self._draws])
        with np.errstate(invalid="ignore"):
            ratio = np.where(np.isfinite(base), moved / base, np.where(np.isfinite(moved), 1.0, np.inf))
        now = np.asarray(np.array(reached) * ratio * self._factors)
        good = now <= self._limits
        ends = np.quantile(now, ENDS, axis=0, method="inverted_cdf")
        return Margin(
            probability=float(good.all(axis=1).mean()),
            intervals=tuple((float(a), float(b)) for a, b in ends.T),
            each=tuple(float(x) for x in good.mean(axis=0)),
        )


def drawn_shifts(calibration: Calibration, count: int, rng: np.random.Generator) -> tuple[list[str], Array]:
    """Names of all uncertain quantities, and shifts of them in internal coordinates, shape (count, names)."""
    names, covariance = calibration.uncertainty()
    values, vectors = np.linalg.eigh(covariance)
    return names, rng.standard_normal((count, len(names))) @ (vectors * np.sqrt(np.maximum(values, 0.0))).T


def with_part_of_gain(spec: Speculation, least: float | None, part: float) -> Speculation:
    """An acceptance from which drafting gains a part of what it promises: 1 all of it, 0 nothing.

    Args:
        spec: as promised.
        least: acceptance length at which drafting gains nothing; None: leave it as it is.
        part: 0 to 1, in the logarithm of the length.
    """
    if least is None or not spec.tokens or least >= spec.acceptance_length:
        return spec
    length = math.exp(part * math.log(spec.acceptance_length) + (1 - part) * math.log(least))
    return from_positions([rate_of_length(length, spec.tokens)] * spec.tokens, spec.tokens, spec.source)


def drawn(scenario: Scenario, names: Sequence[str], shifts: Array) -> Replicas:
    """One replica per draw, with every named quantity moved in internal coordinates; a stated acceptance stays.

    Args:
        scenario: of the replica.
        names: of the quantities.
        shifts: of each in every draw, shape (draws, names).
    """
    values, spec = scenario.calibration.values(), scenario.speculation
    known, fitted = scenario.calibration.known, scenario.calibration.acceptance
    sets, specs = [dict(values) for _ in shifts], [spec] * len(shifts)
    for name, column in zip(names, shifts.T.tolist(), strict=True):
        if name == ACCEPTANCE:
            if fitted is not None and spec.tokens and spec.source.kind == "fitted":
                depth, at = fitted.spec_tokens, length_coordinate(fitted.length, fitted.spec_tokens)
                rates = [rate_of_length(length_of_coordinate(at + delta, depth), depth) for delta in column]
                specs = [from_positions([rate] * spec.tokens, spec.tokens, spec.source) for rate in rates]
            continue
        at = known[name].to_internal(values[name])
        for one, delta in zip(sets, column, strict=True):
            one[name] = known[name].from_internal(at + delta)
    return list(zip(replicas_under(scenario.deployment, spec, sets), specs, strict=True))
