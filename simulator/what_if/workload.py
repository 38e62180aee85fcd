"""The same question across lengths, replica sizes, precisions and hardware: where does MTP pay there?"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

from simulator.bounds import check_seed
from simulator.errors import InputError
from simulator.files.limits import within
from simulator.prediction.predict import derived, versions
from simulator.prediction.several import CONCURRENCIES, split_meta
from simulator.results import words
from simulator.serving.scenario import Scenario, cost_basis_price, make_scenario
from simulator.serving.scope import judge
from simulator.what_if.acceptance import fallen, study_meta
from simulator.what_if.backends import LOCAL, Backend, events_grid
from simulator.what_if.gain import THROUGHPUT, off_of, solve
from simulator.what_if.grid import Progress, silent, trusted_grid
from simulator.what_if.ranges import BYTES_OF_POINT, check_drafts, check_method
from simulator.what_if.study import Study

DEFAULT_CONCURRENCIES = (4, 32, 128)


def what_if_workload(
    scenarios: Sequence[Scenario] | None = None,
    concurrencies: Sequence[int] | None = None,
    *,
    method: str = "des",
    seed: int = 0,
    cost_basis: str = "hyperscaler",
    intervals: bool = True,
    backend: Backend = LOCAL,
    progress: Progress = silent,
) -> Study:
    """Gain over Off and break-even acceptance of scenarios that differ in lengths, TP, precision or hardware.

    Table ``points``: one row per scenario and concurrency. ``off_decode_share`` is the part of the engine's time that
    Off spends decoding, the only part that drafts can shorten; ``gain_over_off`` is a fraction. A concurrency whose
    caches do not fit with drafts is left out and noted.

    Args:
        scenarios: each with drafts and an acceptance; None: the default one with MTP 3 on TP2 and TP4, at 1024 and 8192
            input and 128 and 1024 output tokens.
        concurrencies: clients; None: 4, 32 and 128.
        method: ``des`` or ``closed-form``, which gives way to events where it is not to be trusted.
        seed: of lengths and accepted drafts.
        cost_basis: ``hyperscaler``, ``neocloud`` or ``rental``.
        intervals: give 90 % intervals of the break-even.
        backend: where discrete events run.
        progress: told how many configurations are done.

    Raises:
        InputError: no scenario, one without drafts, or nothing fits in memory.
    """
    if scenarios is None:
        grid_of = itertools.product((2, 4), (1024, 8192), (128, 1024))
        scenarios = [make_scenario(tp=tp, isl=isl, osl=osl, mtp=3) for tp, isl, osl in grid_of]
    if not scenarios:
        raise InputError("expected at least one scenario, found none")
    check_method(method)
    check_seed(seed)
    for scenario in scenarios:
        check_drafts(scenario)
    counts = list(DEFAULT_CONCURRENCIES if concurrencies is None else concurrencies)
    within("points", 2 * len(scenarios) * len(counts), "configurations of the study", bytes_each=BYTES_OF_POINT)
    kept = [(s, [c for c in counts if s.memory.fits(c)]) for s in scenarios]
    if not any(fits for _s, fits in kept):
        scenarios[0].check_memory(min(counts or CONCURRENCIES))
    every = [side for s, _fits in kept for side in (s, off_of(s))]
    if method == "des":
        grid, how = events_grid(every, counts, seed=seed, backend=backend, progress=progress)
    else:
        width = len(counts)
        grid, how = trusted_grid(every, counts, seed=seed, together=lambda i, j: i // 2 * width + j, progress=progress)
    pairs = [(s, count) for s, fits in kept for count in fits]
    evens = iter(solve(pairs, method=method, seed=seed, intervals=intervals))
    rows = []
    for i, (s, fits) in enumerate(kept):
        price = cost_basis_price(s.deployment, cost_basis)
        for count in fits:
            at = {name: (float(grid[name][2 * i, counts.index(count)])) for name in grid}
            off = {name: (float(grid[name][2 * i + 1, counts.index(count)])) for name in grid}
            even = next(evens).as_row()
            row = _inputs(s) | {"concurrency": count, "spec_tokens": s.speculation.tokens}
            row["acceptance_length"] = s.speculation.acceptance_length
            for name in (THROUGHPUT, "mean_tpot_ms"):
                row |= {name: at[name], f"off_{name}": off[name]}
            row["cost_usd_per_mtok"] = derived(at, {}, price, None)["cost_usd_per_mtok"]
            row["off_cost_usd_per_mtok"] = derived(off, {}, price, None)["cost_usd_per_mtok"]
            row["gain_over_off"] = at[THROUGHPUT] / off[THROUGHPUT] - 1.0
            row["off_decode_share"] = 1.0 - off["prefill_share"]
            row["method"] = str(how[2 * i, counts.index(count)])
            row["mtp_pays"] = even["mtp_pays"]
            row |= {f"break_even_length{end}": even[f"acceptance_length{end}"] for end in ("", "_lo", "_hi")}
            rows.append(row | judge(s, count).as_row())
    metas = [study_meta(s, method, seed, cost_basis, cost_basis_price(s.deployment, cost_basis)) for s in scenarios]
    shared, own = split_meta(metas)
    left_out = _left_out(kept, counts)
    meta = {**shared, "scenarios": own, "left_out": left_out, "versions": versions()}
    return Study(
        "workload", meta, {"points": tuple(rows)}, (*_sentences(rows), *fallen(rows), *left_out, words.scope(rows))
    )


def _inputs(s: Scenario) -> dict[str, Any]:
    d = s.deployment
    return {
        "hardware": d.hardware.name,
        "precision": d.weights.precision,
        "tp": d.tp,
        "isl": s.workload.isl,
        "osl": s.workload.osl,
        "calibration": s.calibration.name,
    }


def _name(row: dict[str, Any]) -> str:
    return f"{row['hardware']} {row['precision'].upper()} TP{row['tp']} {row['isl']}/{row['osl']}"


def _left_out(kept: Sequence[tuple[Scenario, Sequence[int]]], counts: Sequence[int]) -> list[str]:
    """What has no memory and where, places with the same reason together."""
    places: dict[str, list[str]] = {}
    for s, fits in kept:
        missing = ", ".join(str(c) for c in counts if c not in fits)
        if missing:
            why = (
                f"concurrency {missing} left out, since at most {s.max_concurrency} requests fit in memory with drafts"
            )
            places.setdefault(why, []).append(_name(_inputs(s)))
    return [f"{why}: {'; '.join(names)}" for why, names in places.items()]


def _sentences(rows: Sequence[dict[str, Any]]) -> list[str]:
    if not rows:
        return []
    ordered = sorted(rows, key=lambda row: float(row["gain_over_off"]))
    out = []
    for what, row in (("least", ordered[0]), ("most", ordered[-1])):
        out.append(
            f"MTP gains {what} on {_name(row)} at {row['concurrency']} clients: {100 * row['gain_over_off']:+.0f} %; "
            f"Off spends {100 * row['off_decode_share']:.0f} % of its time decoding there"
        )
    losing = [row for row in rows if row["gain_over_off"] < 0.0]
    if losing:
        out.append(f"MTP loses in {len(losing)} of {len(rows)} cases")
    if len({row["calibration"] for row in rows}) > 1:
        names = ", ".join(sorted({row["calibration"] for row in rows}))
        out.append(f"rows rest on different calibrations ({names}): differences between them are less sure than gains")
    gains = [row["gain_over_off"] for row in rows]
    shares = [row["off_decode_share"] for row in rows]
    if len(rows) > 3 and (r := _correlation(gains, shares)) > 0.5:
        out.append(
            f"gain follows the time spent decoding (correlation {r:.2f}): "
            "long prompts and short outputs leave less of it"
        )
    return out


def _correlation(x: Sequence[float], y: Sequence[float]) -> float:
    mx, my = sum(x) / len(x), sum(y) / len(y)
    xy = sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True))
    xx, yy = sum((a - mx) ** 2 for a in x), sum((b - my) ** 2 for b in y)
    return xy / math.sqrt(xx * yy) if xx * yy > 0 else 0.0
