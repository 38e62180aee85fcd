"""Frontier points as data: simulate the sweep behind them, take its front, spline it, and read it where they were
read."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from simulator.errors import InputError
from simulator.measurements import FrontierPoint, implied_gpus
from simulator.measurements.cells import Observation
from simulator.measurements.configuration import Configuration, recipe_of_run
from simulator.prediction.frontier import Frontier, Rule, front_rule
from simulator.traffic.sweeps import Grid, parse_grid
from simulator.units import KILO

FRONTIER_NOISE = {"total_tok_s_gpu": 0.008, "concurrency": 0.04}
"""Log error of a splined point: run-to-run noise of the runs behind it, and rounding of the concurrency."""

EXCESS = "excess"
"""By how much a replica size rises above a published front point: a front says that none does."""

DEFAULT_SWEEP = {
    spec: parse_grid("sweep", text) for spec, text in (("off", "2:4..256;4:4..16"), ("mtp", "2:4..128;4:4..16"))
}
"""Runs behind a frontier whose file has no column ``sweep``: those of the published table
(``simulator/measurements/published/README.md``)."""


@dataclass(frozen=True)
class Sweep:
    """One series of frontier points and the grid of runs behind it."""

    base: Configuration
    swept: Grid
    rule: Rule
    interactivity: tuple[float, ...]
    observations: tuple[Observation, ...]
    metrics: tuple[str, ...]
    gpus: tuple[int, ...]
    lines: tuple[tuple[str, int], ...]

    @property
    def tp(self) -> tuple[int, ...]:
        """The replica sizes swept, GPUs."""
        return self.swept.tp

    @functools.cached_property
    def grid(self) -> tuple[Configuration, ...]:
        """The runs of the sweep."""
        return tuple(dataclasses.replace(self.base, tp=tp, concurrency=c) for tp, c in self.swept.runs)

    def predict(self, evaluate: Callable[[Configuration], dict[str, float]]) -> list[float]:
        """Logarithms of the splined metrics at the interactivities, in the order of ``observations``.

        Each point is read on the front of the replica size that Little's law says it came from: which size is on top
        changes by jumps as parameters move, and a fit cannot follow jumps. An interactivity outside the simulated band
        is read at its nearest end, less for the distance, so that a fit finds its way back.
        """
        fronts = {gpus: self.frontier(evaluate, (gpus,)) for gpus in {*self.gpus, *self.tp}}
        out = []
        for interactivity, metric, gpus in zip(self.interactivity, self.metrics, self.gpus, strict=True):
            if metric == EXCESS:
                out.append(self._excess(fronts, interactivity, gpus))
                continue
            low, high = fronts[gpus].band
            inside = float(np.clip(interactivity, low, high))
            distance = abs(np.log(interactivity / inside))
            out.append(float(np.log(fronts[gpus].at(inside)[metric])) - 3.0 * distance)
        return out

    def _excess(self, fronts: Mapping[int, Frontier], interactivity: float, gpus: int) -> float:
        published = self.observations[self.interactivity.index(interactivity)].value
        above = 0.0
        for tp in self.tp:
            if tp == gpus:
                continue
            other = fronts[tp]
            if other.band[0] <= interactivity <= other.band[1]:
                above = max(above, float(np.log(other.at(interactivity)["total_tok_s_gpu"] / published)))
        return above

    def frontier(
        self, evaluate: Callable[[Configuration], dict[str, float]], tp: Sequence[int] | None = None
    ) -> Frontier:
        """The front of the simulated sweep, over all replica sizes or those in ``tp``."""
        grid = [c for c in self.grid if tp is None or c.tp in tp]
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
            p.recipe,
        )
        groups.setdefault(key, []).append(p)
    out = []
    for members in groups.values():
        p = members[0]
        if len(members) < 2:
            raise InputError(f"{p.file}: line {p.line}: a frontier series needs at least 2 points, found 1 ({p.spec})")
        swept = sweep_behind(members)
        base = Configuration(
            hardware=p.hardware.lower(),
            model=p.model.lower(),
            engine=(p.engine or engine).lower(),
            precision=p.precision.lower(),
            checkpoint=p.checkpoint or checkpoint,
            tp=min(swept.tp),
            ep=1,
            dp=1,
            kv_dtype=None,
            isl=p.isl,
            osl=p.osl,
            spec_tokens=0 if p.spec == "off" else p.spec_tokens or 3,
            acceptance_length=p.acceptance_length,
            concurrency=1,
            recipe=p.recipe,
        )
        if p.recipe is None and (p.date or p.engine_version):
            base = dataclasses.replace(base, recipe=recipe_of_run(base, p.date, p.engine_version))
        at, observations, metrics, gpus = [], [], [], []
        for m in members:
            for metric, sd in FRONTIER_NOISE.items():
                value = getattr(m, metric)
                if value is not None:
                    at.append(m.interactivity_tok_s_user)
                    observations.append(Observation(metric, float(value), sd))
                    metrics.append(metric)
                    gpus.append(replica_size(m, swept.tp))
            at.append(m.interactivity_tok_s_user)
            observations.append(Observation(EXCESS, 1.0, FRONTIER_NOISE["total_tok_s_gpu"]))
            metrics.append(EXCESS)
            gpus.append(replica_size(m, swept.tp))
        lines = tuple((m.file, m.line) for m in members)
        series = (tuple(at), tuple(observations), tuple(metrics), tuple(gpus), lines)
        out.append(Sweep(base, swept, front_rule(None, [m.date for m in members]), *series))
    return out


def sweep_behind(members: Sequence[FrontierPoint]) -> Grid:
    """The runs behind one series, as its rows state them, else the default.

    Raises:
        InputError: rows of one series that state different sweeps.
    """
    stated = {m.sweep: m for m in reversed(members) if m.sweep is not None}
    if len(stated) > 1:
        (first, a), (second, b) = list(stated.items())[-1:-3:-1]
        raise InputError(
            f"{b.file}: line {b.line}, column 'sweep': found {second}, but line {a.line} of the same frontier has "
            f"{first}; expected one sweep per frontier"
        )
    return next(iter(stated), DEFAULT_SWEEP[members[0].spec])
