"""The gain of MTP over Off at one concurrency as a function of acceptance, how sure it is, and where it is nil.

``gain(AL) = throughput with MTP at acceptance length AL / throughput of Off - 1``, both at the same concurrency. Its
logarithm rises with AL, so the break-even length is one root, found by Brent's method (``scipy.optimize.brentq``). Its
interval is the set of lengths whose log gain is nil within 90 %: the log gain is uncertain by the parameters, as
draws from the posterior say, and by the calibration's noise on both sides.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from simulator.prediction.intervals import Z90
from simulator.prediction.posterior import drawn_logs
from simulator.serving.closed_loop import closed_form_load, closed_form_metrics, expected_metrics
from simulator.serving.replica import Replica, build_replica
from simulator.serving.scenario import Scenario
from simulator.serving.scope import Verdict, judge
from simulator.serving.trusted import CLOSED_FORM, EVENTS, FELL_BACK, closed_form_or_events
from simulator.speculation.acceptance import OFF, from_length, rate_of_length
from simulator.what_if.grid import cases_of

Array = NDArray[np.float64]
THROUGHPUT = "total_tok_s_gpu"
XTOL = {"closed-form": 1e-9, "des": 2e-3}
"""How exactly a length is solved for; discrete events are not smooth below this."""
EDGE = 1e-4
"""How near its ends, as a part of [1, k + 1], a length is differentiated."""


def with_length(scenario: Scenario, length: float) -> Scenario:
    """The scenario with another acceptance length, tokens per round, at equal rates."""
    return replace(scenario, speculation=from_length(length, scenario.speculation.tokens))


def off_of(scenario: Scenario) -> Scenario:
    """The same scenario without drafts."""
    return scenario.drafting(OFF)


@dataclass(frozen=True)
class BreakEven:
    """Where MTP begins to pay at one concurrency; lengths in tokens per round.

    Attributes:
        concurrency: clients.
        length: where the gain is nil; None: nowhere in [1, k + 1].
        low: lower end of the 90 % interval; 1 where even useless drafts may pay, None beyond k + 1.
        high: upper end; None beyond k + 1, where even perfect drafts may not pay.
        gain_at_worst: gain with no draft accepted, a fraction.
        gain_at_best: gain with all drafts accepted.
        sd: standard deviation of the log gain there.
        slope: derivative of log(throughput) by the acceptance length there, per token.
        verdict: where it stands to what was measured.
    """

    concurrency: int
    spec_tokens: int
    length: float | None
    low: float | None
    high: float | None
    gain_at_worst: float
    gain_at_best: float
    sd: float
    slope: float
    verdict: Verdict

    def as_row(self) -> dict[str, Any]:
        """Lengths, the rates that have them, and what happens where there is none."""
        k = self.spec_tokens
        ends = {"": self.length, "_lo": self.low, "_hi": self.high}
        rates = {f"acceptance_rate{e}": None if v is None else rate_of_length(v, k) for e, v in ends.items()}
        nowhere = "always" if self.gain_at_worst > 0 else "never"
        return {
            "concurrency": self.concurrency,
            "spec_tokens": k,
            **{f"acceptance_length{end}": value for end, value in ends.items()},
            **rates,
            "mtp_pays": nowhere if self.length is None else "above",
            "gain_at_rate_0": self.gain_at_worst,
            "gain_at_rate_1": self.gain_at_best,
            "log_gain_sd": self.sd,
            "dlog_throughput_dlength": self.slope,
            **self.verdict.as_row(),
        }


class Gain:
    """Log gain of one scenario at one concurrency as a function of the acceptance length."""

    def __init__(self, scenario: Scenario, concurrency: int, method: str = "closed-form", seed: int = 0) -> None:
        """``scenario`` has drafts; ``des`` runs the same drawn lengths at all acceptances, and stands in for
        ``closed-form`` where that is not to be trusted."""
        self.scenario, self.concurrency, self.method, self.seed = scenario, concurrency, method, seed
        self.k = scenario.speculation.tokens
        self.off = off_of(scenario)
        values = scenario.calibration.values()
        self.replica = build_replica(scenario.deployment, scenario.speculation, values)
        self.known: dict[float, float] = {}
        if method == CLOSED_FORM:
            ends = [self.off, *(with_length(scenario, x) for x in (1.0, 1.0 + self.k))]
            _found, how = closed_form_or_events(cases_of(ends, [concurrency], seed), [0] * len(ends))
            self.method = method = EVENTS if FELL_BACK in how else method
        self.base = self._log_throughput(self.off, build_replica(scenario.deployment, OFF, values), method)

    def __call__(self, length: float) -> float:
        """Log gain at an acceptance length."""
        if length not in self.known:
            self.known[length] = self._log_throughput(with_length(self.scenario, length), self.replica, self.method)
        return self.known[length] - self.base

    def slope(self, length: float) -> float:
        """Derivative by the acceptance length, per token, by the closed form, which is smooth."""
        step = EDGE * self.k
        ends = max(1.0, length - step), min(1.0 + self.k, length + step)
        low, high = (self._log_throughput(with_length(self.scenario, end), self.replica, "closed-form") for end in ends)
        return (high - low) / (ends[1] - ends[0])

    def sd(self, length: float) -> float:
        """Standard deviation of the log gain: parameters that both sides share partly cancel, noise does not, and of
        the steps away from what was measured those that drafting alone takes do not."""
        sides = (with_length(self.scenario, length), self.off)
        mtp, off = (drawn_logs(side, [self.concurrency], self.seed, self.method)[THROUGHPUT][0] for side in sides)
        away = judge(self.scenario, self.concurrency).without(judge(self.off, self.concurrency)).spread("throughput")
        return math.sqrt(float(np.var(mtp - off)) + 2.0 * self.scenario.calibration.noise.throughput**2 + away**2)

    def root(self, level: float = 0.0) -> float | None:
        """The length whose log gain is ``level``; None: beyond k + 1; 1 where it is more than that at once."""
        low, high = 1.0, 1.0 + self.k
        if self(low) >= level:
            return low
        if self(high) < level:
            return None
        return float(brentq(lambda length: self(length) - level, low, high, xtol=XTOL[self.method]))

    def break_even(self, intervals: bool = True) -> BreakEven:
        """The break-even length with its 90 % interval."""
        found = self.root()
        at = 1.0 + self.k if found is None else found
        sd = self.sd(at) if intervals else 0.0
        return BreakEven(
            concurrency=self.concurrency,
            spec_tokens=self.k,
            length=None if self(1.0) > 0 else found,
            low=self.root(-Z90 * sd),
            high=self.root(Z90 * sd),
            gain_at_worst=math.expm1(self(1.0)),
            gain_at_best=math.expm1(self(1.0 + self.k)),
            sd=sd,
            slope=self.slope(at),
            verdict=judge(self.scenario, self.concurrency),
        )

    def _log_throughput(self, scenario: Scenario, replica: Replica, method: str) -> float:
        workload, speculation, cap = scenario.workload, scenario.speculation, max(1, scenario.slots)
        gpus = scenario.deployment.gpus
        if method == "des":
            found = expected_metrics(replica, workload, speculation, self.concurrency, cap, gpus, self.seed)
            return math.log(found[THROUGHPUT])
        load = closed_form_load(workload, speculation, self.concurrency, cap)[None, :]
        which = np.zeros(1, dtype=np.int64)
        return math.log(float(closed_form_metrics([replica], which, load, np.array([float(gpus)]))[THROUGHPUT][0]))


def break_evens(
    scenario: Scenario,
    concurrencies: Sequence[int],
    *,
    method: str = "closed-form",
    seed: int = 0,
    intervals: bool = True,
) -> list[BreakEven]:
    """Break-even per concurrency."""
    return solve([(scenario, c) for c in concurrencies], method=method, seed=seed, intervals=intervals)


def solve(pairs: Sequence[tuple[Scenario, int]], *, method: str, seed: int, intervals: bool) -> list[BreakEven]:
    """Break-even of each scenario and concurrency; discrete events release the GIL, so threads share the cores."""

    def one(scenario: Scenario, concurrency: int) -> BreakEven:
        return Gain(scenario, concurrency, method, seed).break_even(intervals)

    if method != "des":
        return [one(*pair) for pair in pairs]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(one, *zip(*pairs, strict=True)))
