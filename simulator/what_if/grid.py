"""The closed form over many scenarios at once, on all local cores."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.serving.batch import Case
from simulator.serving.closed_loop import closed_form_load, closed_form_metrics
from simulator.serving.replica import Replica, build_replica
from simulator.serving.scenario import Scenario
from simulator.serving.trusted import CLOSED_FORM, FELL_BACK, by_events, polls_of, trusted

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
    asked = _asked(scenarios, concurrencies, values)
    flat = _in_chunks(asked, progress)
    return {name: column.reshape(len(scenarios), len(concurrencies)) for name, column in flat.items()}


@dataclass(frozen=True)
class _Asked:
    """Arguments of the closed form, scenarios outermost: ``which`` replica, loads and GPUs of each configuration."""

    replicas: list[Replica]
    which: NDArray[np.int64]
    loads: Array
    gpus: Array


def _asked(
    scenarios: Sequence[Scenario], concurrencies: Sequence[int], values: Mapping[str, float] | None = None
) -> _Asked:
    replicas: list[Replica] = []
    known: dict[tuple[object, ...], tuple[int, int]] = {}
    counts = np.asarray(concurrencies, dtype=float)
    loads = np.empty((len(scenarios), counts.size, 7))
    which = np.empty((len(scenarios), counts.size), dtype=np.int64)
    gpus = np.empty((len(scenarios), counts.size))
    calibrations = {id(s.calibration): s.calibration for s in scenarios}
    parameters = {key: values or calibration.values() for key, calibration in calibrations.items()}
    for i, s in enumerate(scenarios):
        key = (id(s.deployment), id(s.calibration), s.speculation.tokens, s.workload)
        if key not in known:
            replicas.append(build_replica(s.deployment, s.speculation, parameters[id(s.calibration)]))
            known[key] = len(replicas) - 1, max(1, s.slots)
        which[i], cap = known[key]
        loads[i] = closed_form_load(s.workload, s.speculation, 1, cap)
        loads[i, :, 0] = counts
        loads[i, :, 6] = np.minimum(cap, counts)
        gpus[i] = s.deployment.gpus
    return _Asked(replicas, which.ravel(), loads.reshape(-1, 7), gpus.ravel())


def _in_chunks(asked: _Asked, progress: Progress) -> dict[str, Array]:
    total = asked.which.size
    parts = [slice(start, start + CHUNK) for start in range(0, total, CHUNK)]

    def run(p: slice) -> dict[str, Array]:
        return closed_form_metrics(asked.replicas, asked.which[p], asked.loads[p], asked.gpus[p])

    if len(parts) == 1:
        progress(0, total)
        return run(parts[0])
    found = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for p, one in zip(parts, pool.map(run, parts), strict=True):
            found.append(one)
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
    shape = (len(scenarios), len(concurrencies))
    asked = _asked(scenarios, concurrencies)
    found = _in_chunks(asked, silent)
    polls = polls_of(asked.replicas, asked.which, asked.loads[:, 0])
    ok = trusted(asked.loads, found["prefill_share"], polls)
    groups = np.array([together(i, j) if together else j for i in range(shape[0]) for j in range(shape[1])])
    ok = ~np.isin(groups, groups[~ok])
    progress(int(ok.sum()), ok.size)
    rest = {}
    for at in np.flatnonzero(~ok).tolist():
        s, j = scenarios[at // shape[1]], at % shape[1]
        replica, cap = asked.replicas[asked.which[at]], max(1, s.slots)
        rest[at] = Case(replica, s.workload, s.speculation, int(concurrencies[j]), cap, s.deployment.gpus, seed)
    grid = {name: column.reshape(shape) for name, column in by_events(found, rest).items()}
    progress(ok.size, ok.size)
    return grid, np.where(ok, CLOSED_FORM, FELL_BACK).reshape(shape)


def cases_of(scenarios: Sequence[Scenario], concurrencies: Sequence[int], seed: int) -> list[Case]:
    """Every scenario at every concurrency, concurrencies innermost. Requests beyond what fits in memory queue."""
    replicas: dict[tuple[object, ...], Replica] = {}
    out = []
    for s in scenarios:
        key = (id(s.deployment), id(s.calibration), s.speculation.tokens)
        if key not in replicas:
            replicas[key] = build_replica(s.deployment, s.speculation, s.calibration.values())
        cap, tp = max(1, s.slots), s.deployment.gpus
        out += [Case(replicas[key], s.workload, s.speculation, int(c), cap, tp, seed) for c in concurrencies]
    return out
