"""Frontier points as data: simulate the sweep behind them, take its front, spline it, and read it where they were
read."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from simulator.errors import InputError
from simulator.measurements import FrontierPoint, implied_gpus
from simulator.measurements.cells import Observation
from simulator.measurements.configuration import Configuration
from simulator.prediction.frontier import Frontier
from simulator.units import KILO

FRONTIER_NOISE = {"total_tok_s_gpu": 0.008, "concurrency": 0.04}
"""Log error of a splined point: run-to-run noise of the runs behind it, and rounding of the concurrency."""

EXCESS = "excess"
"""By how much a replica size rises above a published front point: a front says that none does."""

DEFAULT_TP = (2, 4)
DEFAULT_CONCURRENCY = {"off": (4, 8, 16, 32, 64, 128, 256), "mtp": (4, 8, 16, 32, 64, 128)}
"""The published sweep: TP2 at concurrency 4..256 (MTP 4..128) and TP4 at 4..16
(``simulator/measurements/published/README.md``)."""
WIDE_TP_CONCURRENCY = 16


@dataclass(frozen=True)
class Sweep:
    """One series of frontier points and the grid of runs behind it."""

    base: Configuration
    tp: tuple[int, ...]
    concurrency: tuple[int, ...]
    interactivity: tuple[float, ...]
    observations: tuple[Observation, ...]
    metrics: tuple[str, ...]
    gpus: tuple[int, ...]
    lines: tuple[tuple[str, int], ...]

    def grid(self) -> list[Configuration]:
        """The runs of the sweep: all concurrencies at the smallest TP, up to 16 at the wider ones."""
        smallest = min(self.tp)
        return [
            dataclasses.replace(self.base, tp=tp, concurrency=c)
            for tp in self.tp
            for c in self.concurrency
            if tp == smallest or c <= WIDE_TP_CONCURRENCY
        ]

    def predict(self, evaluate: Callable[[Configuration], dict[str, float]]) -> list[float]:
        """Logarithms of the splined metrics at the interactivities, in the order of ``observations``.

        Each point is read on the front of the replica size that Little's law says it came from: which size is on top
        changes by jumps as parameters move, and a fit cannot follow jumps. An interactivity outside the simulated band
        is read at its nearest end, less for the distance, so that a fit finds its way back.
        """
        fronts = {gpus: self.frontier(evaluate, (gpus,)) for gpus in set(self.gpus)}
        out = []
        for interactivity, metric, gpus in zip(self.interactivity, self.metrics, self.gpus, strict=True):
            if metric == EXCESS:
                out.append(self._excess(evaluate, interactivity, gpus))
                continue
            low, high = fronts[gpus].band
            inside = float(np.clip(interactivity, low, high))
            distance = abs(np.log(interactivity / inside))
            out.append(float(np.log(fronts[gpus].at(inside)[metric])) - 3.0 * distance)
        return out

    def _excess(self, evaluate: Callable[[Configuration], dict[str, float]], interactivity: float, gpus: int) -> float:
        published = self.observations[self.interactivity.index(interactivity)].value
        above = 0.0
        for tp in self.tp:
            if tp == gpus:
                continue
            other = self.frontier(evaluate, (tp,))
            if other.band[0] <= interactivity <= other.band[1]:
                above = max(above, float(np.log(other.at(interactivity)["total_tok_s_gpu"] / published)))
        return above

    def frontier(
        self, evaluate: Callable[[Configuration], dict[str, float]], tp: Sequence[int] | None = None
    ) -> Frontier:
        """The front of the simulated sweep, over all replica sizes or those in ``tp``."""
        grid = [c for c in self.grid() if tp is None or c.tp in tp]
        found = [evaluate(c) for c in grid]
        return Frontier.from_points(
            {
                "interactivity_tok_s_user": np.array([KILO / f["median_tpot_ms"] for f in found]),
                "total_tok_s_gpu": np.array([f["total_tok_s_gpu"] for f in found]),
                "concurrency": np.array([float(c.concurrency) for c in grid]),
            }
        )


def replica_size(point: FrontierPoint, sizes: Sequence[int]) -> int:
    """The replica size nearest to what Little's law reads from a point; the smallest if it gives no concurrency."""
    if point.concurrency is None:
        return min(sizes)
    implied = implied_gpus(
        point.concurrency, point.interactivity_tok_s_user, point.isl, point.osl, point.total_tok_s_gpu
    )
    return min(sizes, key=lambda tp: abs(math.log(implied / tp)))


def sweeps_of(points: Sequence[FrontierPoint], engine: str, checkpoint: str | None) -> list[Sweep]:
    """Group frontier points into series.

    Args:
        points: rows of a frontier file.
        engine: engine behind the frontier where the rows do not name one.
        checkpoint: checkpoint where the rows do not name one; None means the precision's default.

    Raises:
        InputError: a series with a single point, or one that no profile can describe.
    """
    groups: dict[tuple[object, ...], list[FrontierPoint]] = {}
    for p in points:
        key = (
            p.hardware,
            p.model,
            p.precision,
            p.isl,
            p.osl,
            p.spec,
            p.engine,
            p.checkpoint,
            p.spec_tokens,
            p.acceptance_length,
        )
        groups.setdefault(key, []).append(p)
    out = []
    for members in groups.values():
        p = members[0]
        if len(members) < 2:
            raise InputError(f"{p.file}: line {p.line}: a frontier series needs at least 2 points, found 1 ({p.spec})")
        base = Configuration(
            hardware=p.hardware.lower(),
            model=p.model.lower(),
            engine=(p.engine or engine).lower(),
            precision=p.precision.lower(),
            checkpoint=p.checkpoint or checkpoint,
            tp=min(DEFAULT_TP),
            ep=1,
            dp=1,
            kv_dtype=None,
            isl=p.isl,
            osl=p.osl,
            spec_tokens=0 if p.spec == "off" else p.spec_tokens or 3,
            acceptance_length=p.acceptance_length,
            concurrency=1,
        )
        at, observations, metrics, gpus = [], [], [], []
        for m in members:
            for metric, sd in FRONTIER_NOISE.items():
                value = getattr(m, metric)
                if value is not None:
                    at.append(m.interactivity_tok_s_user)
                    observations.append(Observation(metric, float(value), sd))
                    metrics.append(metric)
                    gpus.append(replica_size(m, DEFAULT_TP))
            at.append(m.interactivity_tok_s_user)
            observations.append(Observation(EXCESS, 1.0, FRONTIER_NOISE["total_tok_s_gpu"]))
            metrics.append(EXCESS)
            gpus.append(replica_size(m, DEFAULT_TP))
        lines = tuple((m.file, m.line) for m in members)
        series = (tuple(at), tuple(observations), tuple(metrics), tuple(gpus), lines)
        out.append(Sweep(base, DEFAULT_TP, DEFAULT_CONCURRENCY[p.spec], *series))
    return out
