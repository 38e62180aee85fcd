"""Which inputs move the answer: variance-based (Sobol) indices by SALib, and a tornado of one input at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.bounds import check_seed, small_enough
from simulator.errors import InputError
from simulator.files.limits import within
from simulator.prediction.intervals import Z90
from simulator.prediction.predict import check_concurrencies
from simulator.serving.batch import Case
from simulator.serving.replica import build_replica
from simulator.serving.scenario import Scenario, make_scenario
from simulator.serving.scope import judge
from simulator.serving.trusted import CLOSED_FORM, closed_form_or_events
from simulator.what_if.acceptance import INVALID, study_meta
from simulator.what_if.factors import Factor, Values, factors_of
from simulator.what_if.gain import THROUGHPUT, off_of
from simulator.what_if.grid import CHUNK, Progress, silent
from simulator.what_if.ranges import BYTES_OF_POINT
from simulator.what_if.study import Study

Array = NDArray[np.float64]
PARAMETERS = (
    "comm.latency_us",
    "routing.skew",
    "routing.correlation",
    "moe.bf16.bandwidth_eff",
    "attention.verify_reload",
    "gdn.bandwidth_eff",
    "host.step_us",
    "host.draft_us",
)
"""Parameters of the cost model that a study varies; the first is the latency of an all-reduce."""
SAMPLES = 256
"""Sobol base samples N, a power of two; N (factors + 2) configurations are evaluated."""
RUNS = 1
"""Independent runs of a point that goes by events: inputs move the answer by far more than their average would."""
ANSWERS = {"gain": "gain over Off, a fraction", "throughput": "tok/s/GPU with MTP"}


def what_if_sensitivity(
    scenario: Scenario | None = None,
    concurrency: int = 32,
    *,
    samples: int = SAMPLES,
    seed: int = 0,
    progress: Progress = silent,
) -> Study:
    """First-order and total Sobol indices (Saltelli sampling, SALib) of gain and throughput, and tornado data.

    Inputs vary independently and uniformly over the ranges in the table. ``first`` is the part of the variance that the
    input explains alone, ``total`` with all its interactions; ``*_ci`` is the half-width of a 90 % bootstrap interval.
    The tornado moves one input to either end, everything else as given. By the closed form, and by
    discrete events where that is not to be trusted.

    Tables: ``indices`` (answer, input, indices) and ``tornado`` (answer, input, values at both ends, sorted by swing).

    Args:
        scenario: with drafts; None: the default one with MTP 3.
        concurrency: clients.
        samples: base samples N, a power of two.
        seed: of the sampling and the bootstrap.
        progress: told how many configurations are done.

    Raises:
        InputError: no drafts, a bad concurrency or number of samples.
    """
    scenario = scenario or make_scenario(mtp=3)
    from SALib.analyze import sobol as analysis
    from SALib.sample import sobol as sampling

    check_concurrencies([concurrency])
    check_seed(seed)
    small_enough("--samples", samples)
    if isinstance(samples, bool) or samples < 16 or samples & (samples - 1):
        raise InputError(f"--samples: expected a power of two of at least 16, found {samples}")
    scenario.check_memory(concurrency)
    verdict = judge(scenario, concurrency)
    factors = factors_of(scenario, PARAMETERS)
    within("draws", samples * (len(factors) + 2), f"--samples {samples}", bytes_each=BYTES_OF_POINT)
    problem = {"num_vars": len(factors), "names": [f.name for f in factors], "bounds": [[0.0, 1.0]] * len(factors)}
    shares = sampling.sample(problem, samples, calc_second_order=False, seed=seed)
    points = np.array([[f.at(s) for f, s in zip(factors, row, strict=True)] for row in shares])
    nominal = np.array([f.nominal for f in factors])
    ends = [_moved(nominal, i, end) for i, f in enumerate(factors) for end in (f.low, f.high)]
    found, how = evaluate(scenario, concurrency, factors, np.array([*points, nominal, *ends]), seed, progress)
    indices: list[dict[str, Any]] = []
    tornado: list[dict[str, Any]] = []
    for answer, y in found.items():
        n = points.shape[0]
        logs = np.log1p(y[:n]) if answer == "gain" else np.log(y[:n])
        # SALib takes seed 0 for none
        result = analysis.analyze(problem, logs, calc_second_order=False, conf_level=0.9, seed=seed + 1)
        bars: list[dict[str, Any]] = []
        for i, f in enumerate(factors):
            index = {"first": result["S1"][i], "first_ci": result["S1_conf"][i]}
            index |= {"total": result["ST"][i], "total_ci": result["ST_conf"][i]}
            row = {"answer": answer, "input": f.name} | {key: float(v) for key, v in index.items()}
            indices.append(row | verdict.as_row())
            low, high = float(y[n + 1 + 2 * i]), float(y[n + 2 + 2 * i])
            bar: dict[str, Any] = {"answer": answer, "input": f.name, "meaning": f.meaning, "range": f.source}
            bar |= {end: f.shown(getattr(f, end)) for end in ("low", "high", "nominal")}
            bar |= {f"{end}_text": f.text(getattr(f, end)) for end in ("low", "high")}
            bar |= verdict.as_row()
            bars.append(bar | {"at_low": low, "at_high": high, "at_nominal": float(y[n]), "swing": abs(high - low)})
        tornado += sorted(bars, key=lambda bar: -float(bar["swing"]))
    indices.sort(key=lambda row: (list(found).index(row["answer"]), -row["total"]))
    meta = study_meta(scenario, "closed-form", seed, "hyperscaler", None)
    meta |= {"concurrency": concurrency, "samples": samples, "evaluations": len(points), "answers": ANSWERS}
    meta |= {"acceptance_length": scenario.speculation.acceptance_length}
    share = sum(one != CLOSED_FORM for one in how) / len(how)
    warning = [f"{100 * share:.0f} % of the points by discrete events: {INVALID}"] if share else []
    gains = np.log1p(found["gain"][: len(points)])
    return Study(
        kind="sensitivity",
        meta=meta,
        tables={"indices": tuple(indices), "tornado": tuple(tornado)},
        sentences=(*_sentences(indices, tornado, gains), *warning, f"scope: {verdict.text}"),
    )


def evaluate(
    scenario: Scenario,
    concurrency: int,
    factors: Sequence[Factor],
    points: Array,
    seed: int = 0,
    progress: Progress = silent,
) -> tuple[dict[str, Array], list[str]]:
    """The answers at points of shape (n, factors): ``gain`` over Off, and ``throughput`` with MTP in tok/s/GPU; and
    what settled each point."""
    metrics, how = _sides(scenario, concurrency, factors, points, seed, progress)
    sides = metrics[THROUGHPUT]
    return {"gain": sides[0] / sides[1] - 1.0, "throughput": sides[0]}, how


def apply(scenario: Scenario, factors: Sequence[Factor], point: Array) -> tuple[Scenario, Values]:
    """The scenario and the parameters of one point."""
    values = scenario.calibration.values()
    for f, value in zip(factors, point, strict=True):
        scenario, values = f.change(scenario, values, float(value))
    return scenario, values


def _sides(
    scenario: Scenario, concurrency: int, factors: Sequence[Factor], points: Array, seed: int, progress: Progress
) -> tuple[dict[str, Array], list[str]]:
    """Metrics with MTP and without, each of shape (2, n), and what settled each point."""
    out: list[dict[str, Array]] = []
    settled: list[str] = []
    chunk = CHUNK // 16
    for start in range(0, len(points), chunk):
        cases: list[Case] = []
        for point in points[start : start + chunk]:
            changed, values = apply(scenario, factors, point)
            for side in (changed, off_of(changed)):
                replica = build_replica(side.deployment, side.speculation, values)
                ask, cap = (side.workload, side.speculation), max(1, side.slots)
                cases.append(Case(replica, *ask, concurrency, cap, scenario.deployment.tp, seed, RUNS))
        flat, how = closed_form_or_events(cases, np.arange(len(cases)) // 2)
        settled += how[0::2]
        out.append({name: np.stack((column[0::2], column[1::2])) for name, column in flat.items()})
        progress(min(start + chunk, len(points)), len(points))
    return {name: np.concatenate([part[name] for part in out], axis=1) for name in out[0]}, settled


def _moved(nominal: Array, i: int, value: float) -> Array:
    out = nominal.copy()
    out[i] = value
    return out


def _sentences(indices: Sequence[dict[str, Any]], tornado: Sequence[dict[str, Any]], gains: Array) -> list[str]:
    top = [row for row in indices if row["answer"] == "gain"][:3]
    names = ", ".join(f"{row['input']} ({100 * row['total']:.0f} %)" for row in top)
    low, high = (math.expm1(float(np.mean(gains)) + sign * Z90 * float(np.std(gains))) for sign in (-1.0, 1.0))
    bar = next(row for row in tornado if row["answer"] == "gain")
    return [
        f"the gain is {100 * bar['at_nominal']:+.0f} % as given; with all inputs in their ranges {100 * low:+.0f} % to "
        f"{100 * high:+.0f} % in 90 % of cases",
        f"the variance of the gain is due to {names}, interactions included",
        f"alone, {bar['input']} moves the gain most: {100 * bar['at_low']:+.0f} % to {100 * bar['at_high']:+.0f} %",
    ]
