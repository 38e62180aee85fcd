"""What a calibration leaves open, as draws: the metrics of the benchmark under many sets of parameters.

Parameters are drawn in the coordinates of the fit, in which every number is within its bounds. Lengths, drafts and the
draws themselves are the same for all scenarios (common random numbers), so that differences between two of them are
those of the parameters. The draws have exactly the mean and covariance of the posterior: to first order their spread
is not a matter of luck.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from simulator.cost.calibration import ACCEPTANCE, Calibration, length_coordinate, length_of_coordinate
from simulator.serving.batch import Case, expected_batch
from simulator.serving.closed_loop import closed_form_load, closed_form_metrics
from simulator.serving.kept_replicas import replicas_under
from simulator.serving.recorder import Recorder
from simulator.serving.replica import Replica, build_replica
from simulator.serving.scenario import Scenario
from simulator.serving.trusted import CLOSED_FORM
from simulator.speculation.acceptance import Speculation, from_length
from simulator.speculation.rounds import round_moments

Array = NDArray[np.float64]

DRAWS = 200
REQUESTS_PER_DRAW = 320
"""Requests simulated per draw at least: all draws see the same ones, so few show how a metric moves."""
MOST_REQUESTS = 50_000
"""Runs of more requests than this are moved as the closed form moves: so many clients mostly wait."""


def shifts(calibration: Calibration, seed: int, count: int = DRAWS) -> tuple[list[str], Array]:
    """Names of all uncertain quantities, and draws of how far each is from its value, in its own coordinate.

    Returns:
        Names, and an array of shape (count, names) with mean zero and exactly the covariance of the calibration.
    """
    names, covariance = calibration.uncertainty()
    count = max(count, 2 * len(names))
    normal = np.random.default_rng(np.random.SeedSequence([seed, 9_998])).standard_normal((count, len(names)))
    normal -= normal.mean(axis=0)
    white = np.linalg.solve(np.linalg.cholesky(normal.T @ normal / count), normal.T).T
    values, vectors = np.linalg.eigh(covariance)
    # the symmetric root, which is the same on every machine and moves little with the covariance
    return names, white @ ((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T)


def moved(
    scenario: Scenario, names: Sequence[str], drawn: Array, used: set[str]
) -> tuple[list[dict[str, float]], list[Speculation]]:
    """Parameters and acceptance of every draw, shape (draws, names); an acceptance that was stated stays."""
    values, spec, count = scenario.calibration.values(), scenario.speculation, len(drawn)
    columns: dict[str, list[float]] = {}
    specs = [spec] * count
    for name, column in zip(names, drawn.T.tolist(), strict=True):
        if name == ACCEPTANCE:
            if fitted_acceptance(scenario):
                k, at = spec.tokens, length_coordinate(spec.acceptance_length, spec.tokens)
                specs = [from_length(length_of_coordinate(at + delta, k), k) for delta in column]
        elif name in used:
            parameter = scenario.calibration.known[name]
            at = parameter.to_internal(values[name])
            columns[name] = [parameter.from_internal(at + delta) for delta in column]
    rows = zip(*columns.values(), strict=True) if columns else [()] * count
    return [values | dict(zip(columns, row, strict=True)) for row in rows], specs


def fitted_acceptance(scenario: Scenario) -> bool:
    """Whether the acceptance is the calibration's own."""
    return scenario.speculation.tokens > 0 and scenario.speculation.source.kind == "fitted"


def used_parameters(scenario: Scenario) -> set[str]:
    """Parameters that the scenario depends on."""
    recorder = Recorder(scenario.calibration.values())
    build_replica(scenario.deployment, scenario.speculation, recorder)
    return recorder.seen


def drawn_logs(
    scenario: Scenario, concurrencies: Sequence[int], seed: int = 0, method: str = "des"
) -> dict[str, Array]:
    """Logarithms of every metric under every draw, each of shape (concurrencies, draws).

    Args:
        scenario: what runs.
        concurrencies: clients.
        seed: of the draws of parameters, and of lengths and drafts.
        method: ``des``, or ``closed-form`` where that is to be trusted.
    """
    names, drawn = shifts(scenario.calibration, seed)
    used = used_parameters(scenario)
    sets, specs = moved(scenario, names, drawn, used)
    replicas = replicas_under(scenario.deployment, scenario.speculation, sets)
    tables = [
        _closed(scenario, c, replicas, specs)
        if method == CLOSED_FORM or c * scenario.workload.requests_per_client > MOST_REQUESTS
        else {}
        for c in concurrencies
    ]
    events = [i for i, table in enumerate(tables) if not table]
    cases = [case for i in events for case in _cases(scenario, concurrencies[i], replicas, specs, seed)]
    found = expected_batch(cases)
    for place, i in enumerate(events):
        rows = found[place * len(sets) : (place + 1) * len(sets)]
        tables[i] = {name: np.array([row.get(name, np.nan) for row in rows]) for name in rows[0]}
    shared = [name for name in tables[0] if all(name in table for table in tables)]
    return {name: np.log(np.maximum([table[name] for table in tables], 1e-300)) for name in shared}


def _cases(
    scenario: Scenario, concurrency: int, replicas: Sequence[Replica], specs: Sequence[Speculation], seed: int
) -> list[Case]:
    workload, cap = scenario.workload, max(1, scenario.slots)
    runs = max(1, -(-REQUESTS_PER_DRAW // (concurrency * workload.requests_per_client)))
    means = {spec: round_moments(workload.mean_osl, spec).mean for spec in {scenario.speculation, *specs}}
    base = means[scenario.speculation]
    return [
        Case(
            replica,
            workload,
            scenario.speculation,
            concurrency,
            cap,
            scenario.deployment.gpus,
            seed,
            runs,
            means[spec] / base if base > 0.0 else 1.0,
        )
        for replica, spec in zip(replicas, specs, strict=True)
    ]


def _closed(
    scenario: Scenario, concurrency: int, replicas: Sequence[Replica], specs: Sequence[Speculation]
) -> dict[str, Array]:
    cap = max(1, scenario.slots)
    loads = np.array([closed_form_load(scenario.workload, spec, concurrency, cap) for spec in specs])
    gpus = np.full(len(replicas), float(scenario.deployment.gpus))
    return closed_form_metrics(list(replicas), np.arange(len(replicas)), loads, gpus)
