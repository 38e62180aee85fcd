"""The fit of host, front end and kernels without tables to runs of several models: what was planted is found again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simulator import shipped_measurements
from simulator.fitting.fit import fit
from simulator.fitting.hosts import CURVE_ERROR, POINTS, Together, left_out, log_errors, model_of, softened
from simulator.measurements import read_csv
from simulator.measurements.cells import Cell, cells_of

CLIENTS = (1, 4, 16)


@pytest.fixture(scope="module")
def cells() -> list[Cell]:
    """Runs of two models with and without an index at a few concurrencies."""
    rows = [
        row
        for row in read_csv(shipped_measurements("atom_models.csv")).points
        if row.model in ("GLM-5", "Llama-3.3-70B-Instruct") and row.concurrency in CLIENTS and row.hardware == "MI355X"
    ]
    return cells_of(rows)


def planted(cells: list[Cell], spreads: dict[str, float]) -> tuple[list[Cell], np.ndarray]:
    """The same runs as they would be if these parameters were so many prior spreads away."""
    problem = Together(cells)
    moved = np.array([spreads.get(name, 0.0) for name in problem.prior.names])
    x = problem.prior.mean + moved * np.sqrt(np.diag(problem.prior.covariance))
    said = iter(np.exp(problem.predict(x)).tolist())
    made = [
        replace(cell, observations=tuple(replace(o, value=next(said)) for o in cell.observations))
        for cell in problem.cells
    ]
    return made, x


def test_planted_parameters_are_found(cells: list[Cell]) -> None:
    """A slower launch, a longer walk and a slower choice of keys, from runs without noise."""
    spreads = {"host.launch_us": 1.5, "attention.fp8.walk_ns": 1.5, "index.walk_ns": 1.0, "frontend.delay_ms": -1.0}
    made, x = planted(cells, spreads)
    found = fit(Together(made))
    assert {model_of(cell) for cell in made} == {"glm-5", "llama-3.3-70b"}
    assert found.converged
    errors = dict(zip(found.problem.prior.names, (found.x - x) / found.stderr, strict=True))
    assert {name: error for name, error in errors.items() if abs(error) > 1.0 and name in spreads} == {}
    # and of what runs of these models cannot show, nothing is claimed
    shrinkage = dict(zip(found.problem.prior.names, found.shrinkage, strict=True))
    assert shrinkage["host.launch_us"] < 0.5
    assert shrinkage["attention.fp8.walk_ns"] < 0.5
    assert max(abs(error) for errors in log_errors(made, found.x).values() for error in errors) < 0.05


def test_a_model_that_is_left_out_is_predicted_by_the_others(cells: list[Cell]) -> None:
    """With one truth for all, what one model shows of the front end holds for the other."""
    made, _ = planted(cells, {"frontend.delay_ms": 1.0})
    blind = {name: log_errors([c for c in made if model_of(c) == name])["ttft"] for name in ("glm-5", "llama-3.3-70b")}
    held = left_out(made, model_of)
    assert set(held) == set(blind)
    for name, errors in blind.items():
        assert np.mean(np.abs(held[name]["ttft"])) < 0.5 * np.mean(np.abs(errors)), name


def test_a_curve_counts_for_two_points(cells: list[Cell]) -> None:
    """The error that a model keeps along a curve is not averaged away by measuring more points of it."""
    for before, after in zip(cells, softened(cells), strict=True):
        for one, other in zip(before.observations, after.observations, strict=True):
            if "tpot" in one.metric:
                each = np.sqrt(len(CLIENTS) / POINTS) if before.configuration.concurrency in CLIENTS else 1.0
                assert other.sd <= np.hypot(one.sd, each * CURVE_ERROR["tpot"]) * (1 + 1e-12)
                assert other.sd >= np.hypot(one.sd, CURVE_ERROR["tpot"]) * (1 - 1e-12)
