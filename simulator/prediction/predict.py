"""Predict one scenario at a list of concurrencies: the published metrics, cost, power, memory, bound and intervals."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.bounds import check_seed
from simulator.cost.explain import RoundKernels, explain_round
from simulator.errors import InputError, brief, unknown_name
from simulator.facts.launch import NONE
from simulator.prediction.intervals import Z90, relative_sd
from simulator.results.table import ResultTable
from simulator.serving.batch import Case, expected_batch
from simulator.serving.replica import build_replica
from simulator.serving.scenario import Scenario, cost_basis_price, describe
from simulator.serving.scope import judge
from simulator.serving.trusted import CLOSED_FORM, EVENTS, closed_form_or_events
from simulator.units import GIGA, KILO, MEGA, SECONDS_PER_HOUR

Array = NDArray[np.float64]
METHODS = (EVENTS, CLOSED_FORM)
INTERVAL_METRICS = (
    "total_tok_s_gpu",
    "output_tok_s_gpu",
    "mean_tpot_ms",
    "median_tpot_ms",
    "mean_ttft_ms",
    "median_ttft_ms",
    "p99_ttft_ms",
    "mean_e2e_ms",
)


def predict_one(
    scenario: Scenario,
    concurrencies: Sequence[int],
    *,
    method: str = "des",
    seed: int = 0,
    cost_basis: str = "hyperscaler",
    intervals: bool = True,
    over_memory: str = "refuse",
) -> ResultTable:
    """Expected metrics of the closed-loop benchmark, one row per concurrency.

    Args:
        scenario: what runs.
        concurrencies: closed-loop clients, each >= 1.
        method: ``des`` (discrete events, mean of independent runs) or ``closed-form``, which gives way to events where
            it is not to be trusted; the column ``method`` says what settled a row.
        seed: seed of lengths and accepted drafts.
        cost_basis: ``hyperscaler``, ``neocloud`` or ``rental``.
        intervals: add ``*_lo`` and ``*_hi``, the ends of 90 % intervals.
        over_memory: ``refuse`` a concurrency whose caches do not fit, or ``queue`` requests beyond the largest that
        fits.

    Raises:
        InputError: bad arguments, or what does not fit in memory (with the arithmetic).
    """
    if method not in METHODS:
        raise unknown_name("method", method, METHODS)
    check_seed(seed)
    check_concurrencies(concurrencies)
    if over_memory == "refuse":
        for c in concurrencies:
            scenario.check_memory(c)
    cap = scenario.slots
    if cap < 1:
        scenario.check_memory(1)
    price = cost_basis_price(scenario.deployment, cost_basis)
    values, sampling, how = _metrics(scenario, concurrencies, method, seed, cap)
    spread: dict[str, Array] = {}
    if intervals:
        present = [m for m in INTERVAL_METRICS if m in values]
        spread = relative_sd(
            scenario,
            concurrencies,
            present,
            lambda m: sampling.get(m, np.zeros(len(concurrencies))),
            methods=how,
            seed=seed,
        )
    rows = []
    parameters = scenario.calibration.values()
    kernels = RoundKernels.of(scenario.deployment, scenario.speculation, parameters, ideal=False)
    for i, c in enumerate(concurrencies):
        measured = {name: float(column[i]) for name, column in values.items()}
        bounds: dict[str, float] = {}
        for name, sd in spread.items():
            bounds[f"{name}_lo"] = measured[name] * float(np.exp(-Z90 * sd[i]))
            bounds[f"{name}_hi"] = measured[name] * float(np.exp(Z90 * sd[i]))
        rows.append(_row(scenario, c, how[i], measured, bounds, price, cap, kernels, parameters))
    return ResultTable(_meta(scenario, method, seed, cost_basis, price, intervals), tuple(rows))


def check_concurrencies(concurrencies: Sequence[int]) -> None:
    """Refuse an empty list and values that are not whole numbers of at least 1.

    Raises:
        InputError: names the option and what was found.
    """
    if not concurrencies:
        raise InputError("--concurrency: expected at least one value, found none")
    for c in concurrencies:
        if isinstance(c, bool) or not isinstance(c, int | np.integer) or not 1 <= c <= 1_000_000:
            raise InputError(f"--concurrency: expected whole numbers from 1 to 1000000, found {brief(c)}")


def _metrics(
    scenario: Scenario, concurrencies: Sequence[int], method: str, seed: int, cap: int
) -> tuple[dict[str, Array], dict[str, Array], list[str]]:
    """Metrics, the relative standard deviation of one run by sampling, and what settled each concurrency."""
    replica = build_replica(scenario.deployment, scenario.speculation, scenario.calibration.values())
    gpus, ask = scenario.deployment.gpus, (scenario.workload, scenario.speculation)
    cases = [Case(replica, *ask, int(c), cap, gpus, seed) for c in concurrencies]
    if method == CLOSED_FORM:
        found, how = closed_form_or_events(cases)
        if scenario.workload.osl == 1:  # a single token has no time per output token, whatever a formula says
            found = {name: values for name, values in found.items() if "tpot" not in name}
    else:
        results, how = expected_batch(cases), [EVENTS] * len(cases)
        found = {k: np.array([r.get(k, 0.0) for r in results]) for k in {k: 0 for r in results for k in r}}
    means = {k: v for k, v in found.items() if not k.startswith("sd_")}
    return means, {k[3:]: v for k, v in found.items() if k.startswith("sd_")}, how


def _row(
    scenario: Scenario,
    concurrency: int,
    how: str,
    m: dict[str, float],
    bounds: dict[str, float],
    price: float | None,
    cap: int,
    kernels: RoundKernels,
    parameters: Mapping[str, float],
) -> dict[str, Any]:
    d, s, w = scenario.deployment, scenario.speculation, scenario.workload
    row: dict[str, Any] = {
        "concurrency": concurrency,
        "tp": d.tp,
        "ep": d.ep,
        "dp": d.dp,
        **({"pp": d.pp} if d.pp > 1 else {}),
        "spec": "mtp" if s.tokens else "off",
        "spec_tokens": s.tokens,
        "acceptance_length": s.acceptance_length,
        "isl": w.isl,
        "osl": w.osl,
        "recipe": d.launch.recipe or NONE,
        "method": how,
    }
    row |= m | bounds
    row |= derived(m, bounds, price, d.hardware.all_in_power)
    running = min(concurrency, cap)
    row["hbm_used_gb"] = scenario.memory.used(running) / GIGA
    context = w.mean_isl + 0.5 * w.mean_osl
    batch = max(1.0, m.get("decode_batch", float(running)))
    row["bound_by"] = explain_round(d, s, parameters, batch, context, kernels).bound_by
    return row | judge(scenario, concurrency).as_row()


def derived(
    m: dict[str, float], bounds: dict[str, float], price: float | None, power: float | None
) -> dict[str, float | None]:
    """Interactivity, cost and tok/s/MW by the published identities; the ends of their intervals swap where they
    invert."""
    out: dict[str, float | None] = {}
    for end, flip in (("", ""), ("_lo", "_hi"), ("_hi", "_lo")):
        source = m if end == "" else bounds
        if f"total_tok_s_gpu{end}" not in source:
            continue
        tpot = source.get(f"median_tpot_ms{flip}")
        total = source[f"total_tok_s_gpu{end}"]
        inverse = source[f"total_tok_s_gpu{flip}"]
        out[f"interactivity_tok_s_user{end}"] = KILO / tpot if tpot else None
        out[f"cost_usd_per_mtok{end}"] = None if price is None else price / (inverse * SECONDS_PER_HOUR / MEGA)
        out[f"tok_s_per_mw{end}"] = None if power is None else total * MEGA / power
    return out


def _meta(
    scenario: Scenario, method: str, seed: int, cost_basis: str, price: float | None, intervals: bool
) -> dict[str, Any]:
    s = scenario.speculation
    meta = describe(scenario)
    meta |= {
        "acceptance_source": s.source.text,
        "acceptance_positions": list(s.probabilities),
        "method": method,
        "seed": seed,
        "cost_basis": cost_basis,
        "usd_per_gpu_hour": price,
        "all_in_kw_per_gpu": _kilowatts(scenario.deployment.hardware.all_in_power),
        "intervals": "90 %" if intervals else None,
        "versions": versions(),
    }
    return meta


def _kilowatts(watts: float | None) -> float | None:
    return None if watts is None else watts / KILO


_version = functools.cache(metadata.version)


def versions() -> dict[str, str]:
    """Versions of what decides the numbers."""
    return {name: _version(name) for name in ("mtpsim", "numpy", "numba")}
