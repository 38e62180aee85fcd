"""The acceptance length that a measured MTP/Off pair implies.

At one concurrency the ratio of two TPOTs, MTP over Off, falls with the acceptance length AL and hardly depends on what
both runs share. AL solves ``predicted ratio(AL) = measured ratio`` by Brent's method on the closed form, shifted to the
discrete events. The log ratio is uncertain by the parameters (to first order, covariance of the calibration), by the
noise of the calibration on both sides and by the drafts of few requests; AL at its ends bounds the AL.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize_scalar

from simulator.cost.calibration import Calibration
from simulator.measurements.cells import DRAFT_NOISE, measured
from simulator.measurements.configuration import Configuration
from simulator.prediction.intervals import Z90, jacobian, noise_class
from simulator.prediction.predict import predict_one
from simulator.serving.closed_loop import closed_form_load, closed_form_metrics
from simulator.serving.replica import Replica, build_replica
from simulator.serving.scenario import Scenario
from simulator.speculation.acceptance import from_length
from simulator.validation.curves import Known, label
from simulator.validation.expectation import BEYOND
from simulator.validation.reason import Place, Reason

Array = NDArray[np.float64]

RATIO_METRICS = ("mean_tpot_ms", "median_tpot_ms", "total_tok_s_gpu")
"""The metric whose ratio is read, the first that both sides have."""
INNER = 1e-3
"""How far from its ends, as a part of [1, k + 1], an acceptance length is looked for."""
PASSES = 3
"""Solutions of one pair, each with the discrete events of the one before."""
STEP = 1e-3


@dataclass(frozen=True)
class Pair:
    """An MTP row and its Off row (medians of repeated runs) and the acceptance length they imply.

    Attributes:
        curve: the MTP curve in words.
        concurrency: of both.
        spec_tokens: draft depth k.
        metric: whose ratio was read.
        ratio: MTP over Off.
        length: implied acceptance length, tokens per round; None where ``absent`` says why.
        low: lower end of its 90 % interval.
        high: upper end.
        stated: the acceptance length that the MTP row states.
        absent: why there is no length.
        outside: distance of the ratio from what AL in [1, k+1] can give, in half-widths of its 90 % interval; 0 inside.
        off_stated: the same from what the stated length gives.
        places: MTP rows first, then Off rows.
        drafting: how many of them are MTP rows.
        equation: what was solved.
    """

    curve: str
    concurrency: int
    spec_tokens: int
    metric: str
    ratio: float
    length: float | None
    low: float | None
    high: float | None
    stated: float | None
    absent: str | None
    outside: float
    places: tuple[Place, ...]
    drafting: int = 0
    off_stated: float = 0.0
    equation: Equation | None = field(default=None, repr=False, compare=False)

    def blamed(self, leaving: frozenset[Place]) -> tuple[Place, ...]:
        """The rows that are at fault when the pair is: those that leave what is expected of them, else the MTP rows."""
        sides = self.places[: self.drafting], self.places[self.drafting :]
        wrong = [side for side in sides if any(place in leaving for place in side)]
        return tuple(place for side in wrong or sides[:1] for place in side)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "curve": self.curve,
            "concurrency": self.concurrency,
            "spec_tokens": self.spec_tokens,
            "metric": self.metric,
            "mtp_over_off": self.ratio,
            "acceptance_length": self.length,
            "acceptance_length_lo": self.low,
            "acceptance_length_hi": self.high,
            "stated_acceptance_length": self.stated,
            "why_none": self.absent,
            "places": [{"file": file, "line": line} for file, line in self.places],
        }


@dataclass(frozen=True)
class Pooled:
    """The acceptance length of one MTP curve, from all its pairs that imply one, with its 90 % interval."""

    curve: str
    concurrencies: tuple[int, ...]
    length: float
    low: float
    high: float

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "curve": self.curve,
            "concurrencies": list(self.concurrencies),
            "acceptance_length": self.length,
            "acceptance_length_lo": self.low,
            "acceptance_length_hi": self.high,
        }


def implied_lengths(
    rows: Iterable[Known],
    scenarios: Mapping[Configuration, Scenario],
    places: Mapping[int, Place],
    method: str = "des",
    extra_names: tuple[str, ...] = (),
) -> tuple[list[Pair], list[Pooled]]:
    """Pair MTP rows with Off rows that differ in nothing else, and solve each pair.

    Args:
        rows: rows that the profiles know.
        scenarios: curve -> its scenario; curves without one are left out.
        places: index of a row -> file and line.
        method: ``des`` shifts the closed form to the discrete events at the solution, ``closed-form`` does not.
        extra_names: columns that the words for a curve name too.
    """
    curves: dict[Configuration, dict[int, list[Known]]] = defaultdict(lambda: defaultdict(list))
    for known in rows:
        curves[known.curve][known.row.concurrency].append(known)
    pairs: list[Pair] = []
    pooled: list[Pooled] = []
    for curve, by_count in curves.items():
        off = replace(curve, spec_tokens=0, acceptance_length=None)
        if not curve.spec_tokens or curve not in scenarios or off not in curves or off not in scenarios:
            continue
        solver = _Solver(scenarios[curve], scenarios[off], method)
        found = []
        for count in sorted(set(by_count) & set(curves[off])):
            pair = _solve(solver, by_count[count], curves[off][count], places, extra_names)
            found += [] if pair is None else [pair]
        pairs += found
        pooled += _pool(found, scenarios[curve].calibration, curve.spec_tokens)
    return pairs, pooled


def check_pairs(pairs: Iterable[Pair], leaving: frozenset[Place] = frozenset()) -> Iterator[Reason]:
    """Reasons: a ratio that no acceptance length gives, and a stated length that the pair contradicts.

    Args:
        pairs: solved.
        leaving: rows that are suspicious by what is expected of them.
    """
    for p in pairs:
        where = f"{p.curve} at concurrency {p.concurrency}: MTP / Off = {p.ratio:.3f} in {p.metric}"
        data = {"ratio": p.ratio, "stated": p.stated, "implied": p.length, "implied_lo": p.low, "implied_hi": p.high}
        if p.length is None and p.outside > BEYOND:
            yield Reason("suspicious", "no_acceptance", f"{where}, {p.absent}", p.blamed(leaving), data)
        elif p.stated is not None and p.length is not None and p.off_stated > BEYOND:
            found = f"{p.length:.2f} ({p.low:.2f} to {p.high:.2f})"
            message = f"{where} implies {found} tokens per round, stated {p.stated:g}"
            yield Reason("suspicious", "stated_acceptance", message, p.places[: p.drafting], data)


def _inner(length: float, k: int) -> float:
    return min(max(length, 1.0 + INNER * k), 1.0 + k - INNER * k)


class _Solver:
    """Predicted log ratios MTP / Off of one curve, as a function of the acceptance length."""

    def __init__(self, mtp: Scenario, off: Scenario, method: str) -> None:
        self.mtp, self.off, self.method = mtp, off, method
        self.k = mtp.speculation.tokens
        values = mtp.calibration.values()
        self.mtp_replica = build_replica(mtp.deployment, mtp.speculation, values)
        self.off_replica = build_replica(off.deployment, off.speculation, values)
        self.off_logs: dict[tuple[int, str], float] = {}

    def at(self, length: float) -> Scenario:
        """The MTP scenario with another acceptance length."""
        return replace(self.mtp, speculation=from_length(length, self.k))

    def ratio(self, length: float, concurrency: int, metric: str) -> float:
        """Log of the closed form's MTP / Off."""
        if (concurrency, metric) not in self.off_logs:
            self.off_logs[concurrency, metric] = self._log(self.off, self.off_replica, concurrency, metric)
        return self._log(self.at(length), self.mtp_replica, concurrency, metric) - self.off_logs[concurrency, metric]

    @staticmethod
    def _log(scenario: Scenario, replica: Replica, concurrency: int, metric: str) -> float:
        cap = max(1, scenario.slots)
        load = closed_form_load(scenario.workload, scenario.speculation, concurrency, cap)
        gpus = np.array([float(scenario.deployment.tp)])
        return math.log(closed_form_metrics([replica], np.zeros(1, dtype=np.int64), load[None, :], gpus)[metric][0])

    def shift(self, length: float, concurrency: int, metric: str) -> float:
        """What discrete events add to the closed form's log ratio."""
        if self.method == "closed-form":
            return 0.0
        found = [
            predict_one(scenario, [concurrency], intervals=False, over_memory="queue").rows[0][metric]
            for scenario in (self.at(length), self.off)
        ]
        return math.log(found[0] / found[1]) - self.ratio(length, concurrency, metric)

    def gradient(self, length: float, concurrency: int, metric: str) -> Array:
        """Derivatives of the log ratio by every uncertain quantity of the calibration but the acceptance length."""
        everything = self.mtp.calibration.uncertainty()[0]
        out = np.zeros(len(everything))
        for sign, scenario in ((1.0, self.at(length)), (-1.0, self.off)):
            names, _, slopes = jacobian(scenario, [concurrency])
            for name, slope in zip(names, slopes[metric][0], strict=True):
                out[everything.index(name)] += sign * slope
        return out


@dataclass(frozen=True)
class Equation:
    """``log ratio(AL) = target`` of one pair, with what it is uncertain by.

    Attributes:
        solver: of the curve.
        concurrency: of the pair.
        metric: whose ratio it is.
        target: measured log ratio less the shift to discrete events.
        gradient: of the log ratio by the uncertain quantities of the calibration.
        noise: standard deviation of the log ratio that other pairs do not share.
    """

    solver: _Solver
    concurrency: int
    metric: str
    target: float
    gradient: Array
    noise: float

    def residual(self, length: float) -> float:
        """Predicted minus measured log ratio."""
        return self.solver.ratio(_inner(length, self.solver.k), self.concurrency, self.metric) - self.target

    def slope(self, length: float) -> float:
        """Derivative of the log ratio by the acceptance length, per token."""
        k = self.solver.k
        at = _inner(length, k)
        up, down = _inner(at + STEP, k), _inner(at - STEP, k)
        return (self.residual(up) - self.residual(down)) / (up - down)

    def solve(self, off: float = 0.0) -> float:
        """The length whose residual is ``off``, or the nearest end of [1, k + 1]."""
        ends = 1.0, 1.0 + self.solver.k
        values = [self.residual(end) - off for end in ends]
        if values[0] * values[1] > 0.0:
            return ends[0] if abs(values[0]) < abs(values[1]) else ends[1]
        return float(brentq(lambda length: self.residual(length) - off, *ends))


def _solve(
    solver: _Solver,
    mtp: Sequence[Known],
    off: Sequence[Known],
    places: Mapping[int, Place],
    extra_names: tuple[str, ...],
) -> Pair | None:
    metric = next((m for m in RATIO_METRICS if _middle(mtp, m) and _middle(off, m)), None)
    if metric is None:
        return None
    count, k = mtp[0].row.concurrency, solver.k
    ratio = (_middle(mtp, metric) or 1.0) / (_middle(off, metric) or 1.0)
    first = mtp[0].row
    out = Pair(
        curve=label(first, extra_names),
        concurrency=count,
        spec_tokens=k,
        metric=metric,
        ratio=ratio,
        length=None,
        low=None,
        high=None,
        stated=first.acceptance_length,
        absent=None,
        outside=0.0,
        places=tuple(places[known.index] for known in (*mtp, *off)),
        drafting=len(mtp),
    )
    ends = (_inner(1.0, k), _inner(1.0 + k, k))
    target, guess = math.log(ratio), _inner(solver.mtp.speculation.acceptance_length, k)
    worst = best = 0.0
    outside = False
    for _ in range(PASSES):
        shift = solver.shift(guess, count, metric)
        worst, best = (solver.ratio(end, count, metric) + shift for end in ends)
        outside = not min(worst, best) < target < max(worst, best)
        if outside:
            guess = ends[0] if abs(target - worst) < abs(target - best) else ends[1]
        else:
            guess = Equation(solver, count, metric, target - shift, np.zeros(0), 0.0).solve()
    calibration = solver.mtp.calibration
    gradient, noise = solver.gradient(guess, count, metric), _noise(calibration, metric, len(mtp), count)
    sd = math.sqrt(_variance(calibration, gradient, gradient) + noise**2)
    equation = Equation(solver, count, metric, target - shift, gradient, noise)
    if outside:
        least, most = sorted(math.exp(x) for x in (worst, best))
        beyond = min(abs(target - worst), abs(target - best)) / (Z90 * sd)
        why = (
            f"outside of the {least:.3f} to {most:.3f} that {k + 1} down to 1 tokens per round give, "
            f"by {beyond:.1f} half-widths of its 90 % interval"
        )
        return replace(out, absent=why, outside=beyond, equation=equation)
    low, high = sorted(equation.solve(sign * Z90 * sd) for sign in (-1.0, 1.0))
    stated = 0.0 if out.stated is None else abs(equation.residual(out.stated)) / (Z90 * sd)
    return replace(out, length=guess, low=low, high=high, off_stated=stated, equation=equation)


def _middle(rows: Sequence[Known], metric: str) -> float | None:
    values = [value for known in rows if (value := measured(known.row, metric)) is not None]
    return median(values) if values else None


def _noise(calibration: Calibration, metric: str, repeats: int, concurrency: int) -> float:
    """Standard deviation of the log ratio: the calibration's noise on both sides, and the drafts of few requests."""
    each = float(getattr(calibration.noise, noise_class(metric)))
    return math.sqrt(2.0 * each**2 + DRAFT_NOISE**2 / (concurrency * repeats))


def _variance(calibration: Calibration, one: Array, other: Array) -> float:
    return float(one @ calibration.uncertainty()[1] @ other)


def _pool(pairs: Sequence[Pair], calibration: Calibration, k: int) -> list[Pooled]:
    """The length of least squares over the pairs; what they share through the parameters does not average out."""
    equations = [p.equation for p in pairs if p.equation is not None]
    if len(equations) < 2:
        return []
    covariance = np.array([[_variance(calibration, a.gradient, b.gradient) for b in equations] for a in equations])
    covariance += np.diag([e.noise**2 for e in equations])
    weights = 1.0 / np.diag(covariance)

    def squares(length: float) -> float:
        return float(weights @ np.array([e.residual(length) for e in equations]) ** 2)

    ends = (1.0, 1.0 + k)
    length = float(minimize_scalar(squares, bounds=ends, method="bounded").x)
    slopes = np.array([e.slope(length) for e in equations])
    pull = weights * slopes / float(weights @ slopes**2)
    half = Z90 * math.sqrt(float(pull @ covariance @ pull))
    counts = tuple(p.concurrency for p in pairs if p.equation is not None)
    return [Pooled(pairs[0].curve, counts, length, max(ends[0], length - half), min(ends[1], length + half))]
