"""Fit the host and the front end of an engine to published runs of several models on several accelerators.

Kernels stay where the tables of each accelerator have them: what runs of many models have in common is then the host's.
A model's own error is common to its curve, so a curve counts for little more than one point of it; and the next model
differs from these as much as any, so spreads are no smaller than the generic ones."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray

from simulator.cost.calibration import COST_MODEL
from simulator.cost.parameters import registry, values_of
from simulator.cost.priors import layered
from simulator.facts.hardware import Hardware
from simulator.facts.identity import known_hardware, known_model
from simulator.fitting.fit import Fit, fit
from simulator.fitting.prior import Prior, default_prior
from simulator.fitting.problem import Problem
from simulator.measurements import MeasuredPoint
from simulator.measurements.cells import Cell, cells_of, kind_of

Array = NDArray[np.float64]

CURVE_ERROR = {"tpot": 0.08, "total_tok_s_gpu": 0.08, "ttft": 0.2, "tail": 0.2}
"""Log error that a model keeps all along a curve with kernels that nobody fitted to it."""
POINTS = 2.0
"""Independent points that a curve counts for."""
JOBS = 2
ODD = 1.0
"""Spreads of a point, wide as :func:`softened` makes them, beyond which a run counts linearly."""
LAUNCHES = ("host.launch_us",)
"""What the host takes in prefills. What it takes in a decode step cannot be told from what a model's kernels take:
fitted without one model, it predicts that model worse than the generic prior does."""
KERNELS = ("attention.bf16.walk_ns", "attention.fp8.walk_ns", "index.bandwidth_eff", "index.walk_ns")
"""Kernels that tables of some vendors leave out, and whose part of a step grows with the context alone."""
HEARD = 0.9
"""Posterior over prior spread, below which runs say something of a parameter."""


def host_prior(hardware: Hardware) -> Prior:
    """The generic priors of front end and prefills and of kernels that no table of the accelerator has, with its other
    parameters."""
    whole, found = default_prior(False, hardware), layered(hardware)

    def open_(name: str) -> bool:
        unmeasured = name in KERNELS and found.layers[name] == "generic"
        return unmeasured or name in LAUNCHES or name.startswith("frontend.")

    at = [i for i, name in enumerate(whole.names) if open_(name)]
    names = tuple(whole.names[i] for i in at)
    return Prior(names, whole.mean[at], whole.covariance[np.ix_(at, at)], found.known)


class Together(Problem):
    """Runs on several accelerators under one host: each has its own kernels."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        """``cells`` of one engine on accelerators of one vendor."""
        by: dict[str, list[Cell]] = defaultdict(list)
        for cell in cells:
            by[known_hardware(cell.configuration.deployment.hardware)].append(cell)
        self.parts = [_alone(members) for members in by.values()]
        first = self.parts[0]
        super().__init__([cell for part in self.parts for cell in part.cells], [], first.prior, first.fixed)

    def predict(self, x: Array, exact: bool = True) -> Array:
        """Logarithms of all predictions, accelerator by accelerator."""
        return np.concatenate([part.predict(x, exact) for part in self.parts])


def _alone(cells: Sequence[Cell]) -> Problem:
    prior = host_prior(cells[0].configuration.deployment.hardware)
    return Problem(cells, [], prior, values_of(prior.known))


def softened(cells: Iterable[Cell]) -> list[Cell]:
    """The same cells with a model's own error along each curve in the spread of every point."""
    cells = list(cells)
    points = Counter(_curve(cell) for cell in cells)
    out = []
    for cell in cells:
        each = math.sqrt(max(1.0, points[_curve(cell)] / POINTS))
        softer = tuple(
            replace(o, sd=math.hypot(o.sd, each * CURVE_ERROR[kind_of(o.metric)])) for o in cell.observations
        )
        out.append(replace(cell, observations=softer))
    return out


def _curve(cell: Cell) -> Any:
    return replace(cell.configuration, concurrency=0, acceptance_length=None)


KINDS = ("total_tok_s_gpu", "tpot", "ttft")
"""Kinds of metrics that a run of a model may have, by a part of their names."""


def log_errors(cells: Sequence[Cell], x: Array | None = None) -> dict[str, list[float]]:
    """Logarithms of predicted over measured by kind of metric, at the priors of front end and prefills or at ``x``."""
    problem = Together(cells)
    errors = iter((problem.predict(problem.prior.mean if x is None else x) - problem.y).tolist())
    out: dict[str, list[float]] = defaultdict(list)
    for cell in problem.cells:
        for observation in cell.observations:
            out[next(kind for kind in KINDS if kind in observation.metric)].append(next(errors))
    return out


def left_out(cells: Sequence[Cell], group: Callable[[Cell], str]) -> dict[str, dict[str, list[float]]]:
    """:func:`log_errors` of each group of cells, with what :func:`fit_host` fits to the others."""
    names = sorted({group(cell) for cell in cells})

    def predicted(name: str) -> dict[str, list[float]]:
        others = softened(cell for cell in cells if group(cell) != name)
        return log_errors([cell for cell in cells if group(cell) == name], fit(Together(others), odd=ODD).x)

    return dict(zip(names, Parallel(n_jobs=JOBS)(delayed(predicted)(name) for name in names), strict=True))


def model_of(cell: Cell) -> str:
    """The model of a cell, as it ships."""
    return known_model(cell.configuration.deployment.model)


def hardware_of(cell: Cell) -> str:
    """The accelerator of a cell, as it ships."""
    return known_hardware(cell.configuration.deployment.hardware)


@dataclass(frozen=True)
class HostFit:
    """A fitted host: the fit and the content of its file."""

    found: Fit
    content: dict[str, Any]


def fit_host(
    rows: Sequence[MeasuredPoint], engine: str, vendor: str, data: Sequence[tuple[str | Path, str]] = ()
) -> HostFit:
    """Fit host and front end of one engine on accelerators of one vendor.

    Args:
        rows: measured runs of that engine there.
        engine: name of its profile.
        vendor: of the accelerators.
        data: files that the rows are from, with their SHA-256.

    Raises:
        InputError: a row that no profile describes.
    """
    cells = softened(cells_of(rows, allow_dequant=True))
    found = fit(Together(cells), odd=ODD)
    deployments = [cell.configuration.deployment for cell in cells]
    parameters = {}
    for i, name in enumerate(found.problem.prior.names):
        if name in KERNELS and found.shrinkage[i] > HEARD:
            continue
        p = found.problem.prior.known[name]
        parameters[name] = {
            "value": float(f"{p.from_internal(float(found.x[i])):.4g}"),
            "unit": registry()[name].unit,
            "sd": round(math.hypot(float(found.stderr[i]), p.sd), 3),
            "moved_sd": round(float(found.moved[i]), 2),
        }
    content = {
        "name": f"{engine}-{vendor}",
        "engine": engine,
        "vendor": vendor,
        "cost_model": COST_MODEL,
        "data": [
            {"file": Path(path).name, "sha256": sha, "rows": sum(row.file == str(path) for row in rows)}
            for path, sha in data
        ],
        "models": sorted({known_model(d.model) for d in deployments}),
        "hardware": sorted({known_hardware(d.hardware) for d in deployments}),
        "parameters": parameters,
    }
    return HostFit(found, content)
