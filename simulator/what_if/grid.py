"""The closed form over many scenarios at once, on all local cores."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from simulator.serving.batch import Case
from simulator.serving.closed_loop import closed_form_load, closed_form_metrics
from simulator.serving.replica import Replica, build_replica
from simulator.serving.scenario import Scenario
from simulator.serving.trusted import closed_form_or_events

Array = NDArray[np.float64]
Progress = Callable[[int, int], None]
"""Called with what is done and what there is to do, in configurations."""

CHUNK = 8192
"""Configurations per call of the kernel."""


def silent(done: int, total: int) -> None:
    """No progress."""


def closed_form_grid(
    scenarios: Sequence[Scenario],
    concurrencies: Sequence[int],
    *,
    values: Mapping[str, float] | None = None,
    progress: Progress = silent,
) -> dict[str, Array]:
    """Expected metrics of every scenario at every concurrency, each array of shape (scenarios, concurrencies).

    Acceptance is not part of a replica, so scenarios that differ in it alone share one. Requests beyond what fits in
    memory queue. The kernel releases the GIL: chunks run on as many threads as there are cores.

    Args:
        scenarios: what runs.
        concurrencies: clients.
        values: parameters of the cost model instead of those of each scenario's calibration.
        progress: told after each chunk.
    """
    replicas: list[Replica] = []
    known: dict[tuple[object, ...], tuple[int, int]] = {}
    counts = np.asarray(concurrencies, dtype=float)
    loads = np.empty((len(scenarios), counts.size, 7))
    which = np.empty((len(scenarios), counts.size), dtype=np.int64)
    gpus = np.empty((len(scenarios), counts.size))
    calibrations = {id(s.calibration): s.calibration for s in scenarios}
    parameters = {key: values or calibration.values() for key, calibration in calibrations.items()}
    for i, s in enumerate(scenarios):
        key = (id(s.deployment), id(s.calibration), s.speculation.tokens, s.workload.isl + s.workload.osl)
        if key not in known:
            replicas.append(build_replica(s.deployment, s.speculation, parameters[id(s.calibration)]))
            known[key] = len(replicas) - 1, max(1, s.max_concurrency)
        which[i], cap = known[key]
        loads[i] = closed_form_load(s.workload, s.speculation, 1, cap)
        loads[i, :, 0] = counts
        loads[i, :, 6] = np.minimum(cap, counts)
        gpus[i] = s.deployment.tp
    flat = _in_chunks(replicas, which.ravel(), loads.reshape(-1, 7), gpus.ravel(), progress)
    return {name: column.reshape(len(scenarios), counts.size) for name, column in flat.items()}


def _in_chunks(
    replicas: list[Replica], which: NDArray[np.int64], loads: Array, gpus: Array, progress: Progress
) -> dict[str, Array]:
    total = which.size
    parts = [slice(start, start + CHUNK) for start in range(0, total, CHUNK)]
    if len(parts) == 1:
        progress(0, total)
        return closed_form_metrics(replicas, which, loads, gpus)
    found = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        futures = [pool.submit(closed_form_metrics, replicas, which[p], loads[p], gpus[p]) for p in parts]
        for p, future in zip(parts, futures, strict=True):
            found.append(future.result())
            progress(min(p.stop, total), total)
    return {name: np.concatenate([f[name] for f in found]) for name in found[0]}


def trusted_grid(
    scenarios: Sequence[Scenario],
    concurrencies: Sequence[int],
    *,
    seed: int = 0,
    together: Callable[[int, int], int] | None = None,
    progress: Progress = silent,
) -> tuple[dict[str, Array], NDArray[np.str_]]:
    """Like :func:`closed_form_grid`, by discrete events where the closed form is not to be trusted.

    Args:
        scenarios: what runs.
        concurrencies: clients.
        seed: of lengths and accepted drafts of the events.
        together: (scenario, concurrency) by number -> the group that goes by events as a whole, so that what is
            compared was settled in one way; None: everything at one concurrency.
        progress: told after each chunk.

    Returns:
        The metrics, and per scenario and concurrency what settled it.
    """
    group = together or (lambda _i, j: j)
    shape = (len(scenarios), len(concurrencies))
    cases = cases_of(scenarios, concurrencies, seed)
    progress(0, len(cases))
    groups = [group(i, j) for i in range(shape[0]) for j in range(shape[1])]
    found, how = closed_form_or_events(cases, groups)
    progress(len(cases), len(cases))
    return {name: column.reshape(shape) for name, column in found.items()}, np.array(how).reshape(shape)


def cases_of(scenarios: Sequence[Scenario], concurrencies: Sequence[int], seed: int) -> list[Case]:
    """Every scenario at every concurrency, concurrencies innermost. Requests beyond what fits in memory queue."""
    replicas: dict[tuple[object, ...], Replica] = {}
    out = []
    for s in scenarios:
        key = (id(s.deployment), id(s.calibration), s.speculation.tokens)
        if key not in replicas:
            replicas[key] = build_replica(s.deployment, s.speculation, s.calibration.values())
        cap, tp = max(1, s.max_concurrency), s.deployment.tp
        out += [Case(replicas[key], s.workload, s.speculation, int(c), cap, tp, seed) for c in concurrencies]
    return out
