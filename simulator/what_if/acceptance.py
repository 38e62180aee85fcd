"""Throughput, TPOT, cost and gain over Off as a function of acceptance, and where MTP begins to pay."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.bounds import check_seed
from simulator.errors import InputError
from simulator.prediction.predict import derived, versions
from simulator.results import words
from simulator.serving.scenario import Scenario, cost_basis_price, describe, make_scenario
from simulator.serving.scope import judge
from simulator.serving.trusted import FELL_BACK
from simulator.speculation.acceptance import from_rate, rate_of_length
from simulator.what_if.backends import LOCAL, Backend, events_grid
from simulator.what_if.gain import EDGE, THROUGHPUT, BreakEven, break_evens, off_of, with_length
from simulator.what_if.grid import Progress, closed_form_grid, silent, trusted_grid
from simulator.what_if.ranges import check_drafts, check_lengths, check_method, check_rates, chosen_concurrencies, span
from simulator.what_if.study import Study

Array = NDArray[np.float64]
SHOWN = ("total_tok_s_gpu", "output_tok_s_gpu", "mean_tpot_ms", "median_tpot_ms", "mean_ttft_ms", "prefill_share")
INVALID = "the closed form is not valid there"


def what_if_acceptance(
    scenario: Scenario | None = None,
    concurrencies: Sequence[int] | None = None,
    *,
    rates: Sequence[float] | None = None,
    lengths: Sequence[float] | None = None,
    method: str = "des",
    seed: int = 0,
    cost_basis: str = "hyperscaler",
    intervals: bool = True,
    backend: Backend = LOCAL,
    progress: Progress = silent,
) -> Study:
    """Metrics over concurrency x acceptance, the break-even acceptance per concurrency, and the sensitivity.

    Tables: ``points`` (one row per acceptance and concurrency; ``gain_over_off`` is a fraction,
    ``dlog_throughput_dlength`` per token, ``dlog_throughput_drate`` per unit of rate), ``break_even`` and ``off``.

    Args:
        scenario: with drafts; its depth is kept. A stated acceptance is one more point, and a sentence says what it
            gains; any other is not used. None: the default one with MTP 3.
        concurrencies: clients; None: those of 4 to 256 that fit. Requests beyond what fits queue, which is noted.
        rates: acceptance rates in [0, 1], the same at each position; None with no lengths: 0 to 1 in 21 steps.
        lengths: acceptance lengths in [1, k + 1], instead of rates.
        method: ``des`` (discrete events) or ``closed-form``; derivatives are the closed form's.
        seed: of lengths and accepted drafts.
        cost_basis: ``hyperscaler``, ``neocloud`` or ``rental``.
        intervals: give 90 % intervals of the break-even.
        backend: where discrete events run.
        progress: told how many configurations are done.

    Raises:
        InputError: no drafts, values out of range, or an empty range.

    Example:
        >>> from simulator import make_scenario, what_if_acceptance
        >>> study = what_if_acceptance(make_scenario(mtp=3, isl=8192), [32], rates=[0, 0.5, 1], method="closed-form")
        >>> [row["gain_over_off"] > 0 for row in study.tables["points"]]
        [False, False, True]
    """
    scenario = scenario or make_scenario(mtp=3)
    check_drafts(scenario)
    check_method(method)
    check_seed(seed)
    counts = chosen_concurrencies(scenario, concurrencies)
    price = cost_basis_price(scenario.deployment, cost_basis)
    own = scenario.speculation.acceptance_length
    stated = scenario.speculation.source.kind == "stated"
    found_lengths = _lengths(scenario, rates, lengths)
    if stated and not any(math.isclose(own, length) for length in found_lengths):
        found_lengths = sorted([*found_lengths, own])
    variants = [with_length(scenario, length) for length in found_lengths]
    everything = [*variants, off_of(scenario)]
    if method == "des":
        grid, how = events_grid(everything, counts, seed=seed, backend=backend, progress=progress)
    else:
        grid, how = trusted_grid(everything, counts, seed=seed, progress=progress)
    slopes = _slopes(scenario, found_lengths, counts)
    even = break_evens(scenario, counts, method=method, seed=seed, intervals=intervals)
    points = []
    for i, (length, variant) in enumerate(zip(found_lengths, variants, strict=True)):
        rate = rate_of_length(length, scenario.speculation.tokens)
        for j, count in enumerate(counts):
            row = _row(variant, count, {name: float(grid[name][i, j]) for name in SHOWN}, price)
            row["acceptance_rate"] = rate
            row["method"] = str(how[i, j])
            row["gain_over_off"] = float(grid[THROUGHPUT][i, j] / grid[THROUGHPUT][-1, j]) - 1.0
            row["dlog_throughput_dlength"] = float(slopes[i, j])
            row["dlog_throughput_drate"] = float(slopes[i, j]) * _length_by_rate(rate, scenario.speculation.tokens)
            points.append(row)
    off = [
        _row(everything[-1], count, {name: float(grid[name][-1, j]) for name in SHOWN}, price)
        for j, count in enumerate(counts)
    ]
    return Study(
        kind="acceptance",
        meta=study_meta(scenario, method, seed, cost_basis, price) | {"intervals": "90 %" if intervals else None},
        tables={"points": tuple(points), "break_even": tuple(e.as_row() for e in even), "off": tuple(off)},
        sentences=(
            *(_gains(points, own) if stated else ()),
            *map(sentence, even),
            *_queueing(scenario, counts),
            *fallen(points),
            words.scope([*points, *off]),
        ),
    )


def study_meta(scenario: Scenario, method: str, seed: int, cost_basis: str, price: float | None) -> dict[str, Any]:
    """The inputs of a study."""
    d = scenario.deployment
    return describe(scenario) | {
        "tp": d.tp,
        "ep": d.ep,
        "dp": d.dp,
        "spec_tokens": scenario.speculation.tokens,
        "max_concurrency": scenario.max_concurrency,
        "method": method,
        "seed": seed,
        "cost_basis": cost_basis,
        "usd_per_gpu_hour": price,
        "versions": versions(),
    }


def sentence(e: BreakEven) -> str:
    """One break-even in words."""
    where = f"at {e.concurrency} clients"
    if e.length is None and e.gain_at_worst > 0:
        return f"{where} MTP {e.spec_tokens} pays at any acceptance"
    ends = ""
    if e.sd:
        low = f"over {e.spec_tokens + 1}" if e.low is None else f"{e.low:.2f}"
        high = f"over {e.spec_tokens + 1}" if e.high is None else f"{e.high:.2f}"
        ends = f" (90 %: {low} to {high})"
    if e.length is None:
        return f"{where} MTP {e.spec_tokens} does not pay even if all drafts are accepted{ends}"
    rate = rate_of_length(e.length, e.spec_tokens)
    return f"{where} MTP {e.spec_tokens} pays above {e.length:.2f} tokens per round{ends}, a rate of {rate:.2f}"


def _gains(points: Sequence[Mapping[str, Any]], length: float) -> list[str]:
    """What a stated acceptance gains at each concurrency."""
    return [
        f"at {row['concurrency']} clients MTP {row['spec_tokens']} gains {100 * row['gain_over_off']:+.0f} % at "
        f"{row['acceptance_length']:.2f} tokens per round, as stated"
        for row in points
        if math.isclose(row["acceptance_length"], length)
    ]


def _lengths(scenario: Scenario, rates: Sequence[float] | None, lengths: Sequence[float] | None) -> list[float]:
    k = scenario.speculation.tokens
    if rates is not None and lengths is not None:
        raise InputError("--rates and --acceptance-lengths: expected one way to state acceptance, found both")
    if lengths is not None:
        check_lengths(lengths, k)
        return list(lengths)
    if rates is None:
        rates = span("--rates", 0.0, 1.0)
    check_rates(rates)
    return [from_rate(rate, k).acceptance_length for rate in rates]


def _length_by_rate(rate: float, k: int) -> float:
    return sum(i * rate ** (i - 1) for i in range(1, k + 1))


def _row(scenario: Scenario, count: int, metrics: Mapping[str, float], price: float | None) -> dict[str, Any]:
    s = scenario.speculation
    power = scenario.deployment.hardware.all_in_power
    out: dict[str, Any] = {"concurrency": count, "spec_tokens": s.tokens, "acceptance_length": s.acceptance_length}
    return out | dict(metrics) | derived(dict(metrics), {}, price, power) | judge(scenario, count).as_row()


def _slopes(scenario: Scenario, lengths: Sequence[float], counts: Sequence[int]) -> Array:
    """d log(throughput) / d length by central differences of the closed form, shape (lengths, concurrencies)."""
    k = scenario.speculation.tokens
    step = EDGE * k
    ends = [(max(1.0, x - step), min(1.0 + k, x + step)) for x in lengths]
    flat = closed_form_grid([with_length(scenario, x) for pair in ends for x in pair], counts)[THROUGHPUT]
    widths = np.array([high - low for low, high in ends])
    slopes: Array = (np.log(flat[1::2]) - np.log(flat[0::2])) / widths[:, None]
    return slopes


def _queueing(scenario: Scenario, counts: Sequence[int]) -> list[str]:
    beyond = [c for c in counts if c > scenario.max_concurrency]
    if not beyond:
        return []
    return [
        f"at {', '.join(map(str, beyond))} clients requests queue: at most {scenario.max_concurrency} fit "
        f"in memory with drafts, {off_of(scenario).max_concurrency} without"
    ]


def fallen(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Where the closed form gave way to events."""
    counts = sorted({int(row["concurrency"]) for row in rows if row["method"] == FELL_BACK})
    return [f"at {', '.join(map(str, counts))} clients by discrete events: {INVALID}"] if counts else []
