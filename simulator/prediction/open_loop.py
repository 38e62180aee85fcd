"""What one replica delivers to so many requests sent at a rate, with 90 % intervals: the open loop of a benchmark.

A benchmark sends a finite number of requests, and its figures are of all of them, from the first sent to the last
finished: above what a replica can serve the queue grows until the last was sent, and the latencies with it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.prediction.intervals import Z90, noise_class
from simulator.prediction.posterior import moved, shifts
from simulator.serving.fleet import Fleet, memory_cap, run_fleet, traffic_tokens
from simulator.serving.recorder import Recorder
from simulator.serving.replica import Replica, build_replica
from simulator.serving.scenario import Scenario
from simulator.serving.scope import judge
from simulator.speculation.acceptance import Speculation
from simulator.speculation.rounds import draw_rounds
from simulator.traffic.arrivals import Requests, Traffic
from simulator.traffic.lengths import Lengths
from simulator.units import KILO

Array = NDArray[np.float64]

REQUESTS = 1000
"""Requests of a run that does not say how many it sent."""
MOST = 20_000
"""Requests that are simulated at most: of longer runs the first ones."""
RUNS = 5
"""Realisations of arrivals, lengths and drafts; the prediction is their mean."""
DRAWS = 40
"""Draws of the parameters, each through one realisation."""
METRICS = (
    *("total_tok_s_gpu", "output_tok_s_gpu", "mean_ttft_ms", "median_ttft_ms", "p99_ttft_ms"),
    *("mean_tpot_ms", "median_tpot_ms"),
)


@dataclass(frozen=True)
class Sent:
    """Requests of one open-loop benchmark run.

    Attributes:
        rate: requests per second.
        cv: coefficient of variation of the gaps; 1: Poisson.
        requests: how many; None: :data:`REQUESTS`.
    """

    rate: float
    cv: float = 1.0
    requests: int | None = None

    @property
    def count(self) -> int:
        """Requests that are simulated."""
        return min(self.requests or REQUESTS, MOST)

    def draw(self, rng: np.random.Generator, lengths: Lengths) -> Requests:
        """One realisation."""
        shape = 1.0 / self.cv**2
        gaps = rng.gamma(shape, 1.0 / (shape * self.rate), self.count)
        gaps[0] = 0.0
        return Requests(np.cumsum(gaps), *lengths.draw(rng, self.count))


def lengths_of_scenario(scenario: Scenario) -> Lengths:
    """Lengths as the scenario's closed-loop workload draws them."""
    w = scenario.workload
    return Lengths("fixed" if w.range_ratio == 1.0 else "uniform", w.isl, w.osl, w.range_ratio)


def open_loop(scenario: Scenario, sent: Sent, *, image: str | None = None, seed: int = 0) -> dict[str, Any]:
    """Metrics of an open-loop run on one replica by discrete events, each with the ends of its 90 % interval.

    Args:
        scenario: what runs; its lengths are those of the requests.
        sent: the requests.
        image: of the engine, which may be none of those measured; None: not stated.
        seed: of arrivals, lengths, drafts and draws.

    Returns:
        ``total_tok_s_gpu`` and the other :data:`METRICS` with ``_lo`` and ``_hi``, ``in_flight`` (mean requests under
        way), ``acceptance_length``, and the columns of the verdict on the scope.
    """
    lengths = lengths_of_scenario(scenario)
    tokens, longest = traffic_tokens(Traffic(sent.rate, 1.0, lengths), scenario.deployment.engine)
    cap = max(1, memory_cap(scenario.deployment, scenario.speculation.tokens, tokens, longest))
    values = Recorder(scenario.calibration.values())
    replica = build_replica(scenario.deployment, scenario.speculation, values)
    drawn = [_drawn(sent, lengths, seed, run) for run in range(RUNS)]
    found = [_run(scenario, replica, scenario.speculation, cap, one, seed) for one in drawn]
    mean = {name: float(np.mean([one[name] for one in found])) for name in found[0]}
    spread = _spread(scenario, cap, drawn[0], values.seen, seed)
    verdict = judge(scenario, max(1, round(mean["in_flight"])), image)
    row: dict[str, Any] = {"in_flight": mean["in_flight"], "acceptance_length": scenario.speculation.acceptance_length}
    for name in METRICS:
        kind = noise_class(name)
        own = float(np.std(np.log([one[name] for one in found])))
        noise = float(getattr(scenario.calibration.noise, kind))
        factor = math.exp(Z90 * math.hypot(spread[name], own, noise, verdict.spread(kind)))
        row |= {name: mean[name], f"{name}_lo": mean[name] / factor, f"{name}_hi": mean[name] * factor}
    return row | verdict.as_row()


def _drawn(sent: Sent, lengths: Lengths, seed: int, run: int) -> Requests:
    return sent.draw(np.random.default_rng(np.random.SeedSequence([seed, run])), lengths)


def _spread(scenario: Scenario, cap: int, requests: Requests, used: set[str], seed: int) -> Mapping[str, float]:
    """Standard deviation of the logarithm of every metric over draws of the parameters."""
    names, drawn = shifts(scenario.calibration, seed, DRAWS)
    settings, specs = moved(scenario, names, drawn, used)
    logs = [
        {name: math.log(value) for name, value in _run(scenario, replica, spec, cap, requests, seed).items()}
        for values, spec in zip(settings, specs, strict=True)
        for replica in [build_replica(scenario.deployment, spec, values)]
    ]
    return {name: float(np.std([one[name] for one in logs])) for name in METRICS}


def _run(
    scenario: Scenario, replica: Replica, spec: Speculation, cap: int, requests: Requests, seed: int
) -> dict[str, float]:
    fleet = Fleet(replica, spec, scenario.deployment.gpus, cap, 1, "round-robin", None)
    rng = np.random.default_rng(np.random.SeedSequence([seed, 7_001]))
    run = run_fleet(fleet, requests, draw_rounds(rng, requests.output - 1, spec), rng)
    seconds = float(run.finish.max() - requests.send[0])
    ttft, tpot = KILO * run.ttft(), KILO * run.tpot()
    tpot = tpot[np.isfinite(tpot)]
    per_gpu = 1.0 / (seconds * scenario.deployment.gpus)
    out = {
        "total_tok_s_gpu": float((requests.prompt + requests.output).sum()) * per_gpu,
        "output_tok_s_gpu": float(requests.output.sum()) * per_gpu,
        "mean_ttft_ms": float(ttft.mean()),
        "median_ttft_ms": float(np.median(ttft)),
        "p99_ttft_ms": float(np.percentile(ttft, 99)),
        "in_flight": float(run.e2e().sum()) / seconds,
    }
    if tpot.size:
        return out | {"mean_tpot_ms": float(tpot.mean()), "median_tpot_ms": float(np.median(tpot))}
    return out | {"mean_tpot_ms": math.nan, "median_tpot_ms": math.nan}
