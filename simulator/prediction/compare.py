"""MTP against Off at matched interactivity: sweep concurrency and TP, take both fronts, read both at one place."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from simulator.errors import InputError
from simulator.facts.deployment import check_deployment
from simulator.prediction.frontier import INTERACTIVITY, THROUGHPUT, Frontier, pareto_front
from simulator.prediction.matched import Band, Comparison, MatchedPoint, Spec, read_fronts
from simulator.prediction.several import CONCURRENCIES, predict
from simulator.results.table import Result
from simulator.serving.scenario import Scenario, make_scenario
from simulator.speculation.acceptance import OFF

CURVES = (INTERACTIVITY, THROUGHPUT, "cost_usd_per_mtok", "tok_s_per_mw", "concurrency")
BANDS = (THROUGHPUT, "cost_usd_per_mtok")
"""Metrics that a comparison gives 90 % intervals for: the ends are splined as curves of their own."""

Rows = tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Matched(Result):
    """A comparison with what it was read from.

    Attributes:
        meta: every input, as of a prediction.
        comparison: bands and sentences.
        rows: per interactivity MTP, then Off, with intervals; what does not exist there is None.
        frontier: the swept points on each front, by rising interactivity.
        fronts: the same as splined curves.
    """

    meta: Mapping[str, Any]
    comparison: Comparison
    rows: Rows
    frontier: Mapping[Spec, Rows]
    fronts: Mapping[Spec, Frontier]

    def records(self) -> Rows:
        """The rows."""
        return self.rows

    def document(self) -> Mapping[str, Any]:
        """``meta``, ``rows``, ``sentences``, ``band`` (None: the curves do not overlap), ``bands``, ``frontier``."""
        c = self.comparison
        return {
            "meta": self.meta,
            "rows": self.rows,
            "sentences": c.sentences,
            "band": c.band,
            "bands": {"mtp": c.mtp_band, "off": c.off_band},
            "frontier": self.frontier,
        }


def compare(
    scenario: Scenario | None = None,
    concurrencies: Sequence[int] | None = None,
    *,
    tp: Sequence[int] = (),
    at: Sequence[float] = (),
    method: str = "des",
    seed: int = 0,
    cost_basis: str = "hyperscaler",
    intervals: bool = True,
) -> Matched:
    """Compare a scenario with MTP to the same scenario without, each at its best concurrency and TP.

    Args:
        scenario: with speculation on; None: the default one with MTP 3, on TP2 and TP4.
        concurrencies: swept; those whose caches do not fit are left out and noted. None: 4 to 256 in powers of two.
        tp: tensor parallelism degrees swept; none: the scenario's own.
        at: interactivities in tok/s/user; none: three to five round ones inside the band where both curves exist.
        method: as of :func:`simulator.prediction.predict.predict`, like the arguments that follow.
        seed: of lengths and accepted drafts.
        cost_basis: ``hyperscaler``, ``neocloud`` or ``rental``.
        intervals: give 90 % intervals of throughput and cost, at the predicted interactivity.

    Raises:
        InputError: speculation is off, or nothing fits in memory.

    Example:
        >>> from simulator import compare
        >>> print(compare(at=[44], method="closed-form", intervals=False).comparison.sentences[0])
        at 44 tok/s/user MTP delivers 32 % more tok/s/GPU and each token costs 24 % less
    """
    if scenario is None:
        scenario, tp = make_scenario(mtp=3), tp or (2, 4)
    if scenario.speculation.tokens == 0:
        raise InputError("--mtp: expected a depth of 1 or more to compare with Off, found 0")
    for value in at:
        if not (math.isfinite(value) and value > 0):
            raise InputError(f"--at: expected interactivities above 0 tok/s/user, found {value:g}")
    sides: dict[Spec, Scenario] = {"mtp": scenario, "off": replace(scenario, speculation=OFF)}
    scenarios = {spec: [with_tp(side, n) for n in tp] or [side] for spec, side in sides.items()}
    tables = {
        spec: predict(
            variants,
            CONCURRENCIES if concurrencies is None else concurrencies,
            method=method,
            seed=seed,
            cost_basis=cost_basis,
            intervals=intervals,
            over_memory="leave-out",
        )
        for spec, variants in scenarios.items()
    }
    fronts = {spec: _front(table.rows) for spec, table in tables.items()}
    points = tuple(at) or round_interactivities(fronts["mtp"].band, fronts["off"].band)
    comparison = read_fronts(fronts["mtp"], fronts["off"], points)
    return Matched(
        meta={**tables["mtp"].meta, "left_out": [note for t in tables.values() for note in t.meta["left_out"]]},
        comparison=comparison,
        rows=tuple(_row(point, fronts[point.spec]) for point in comparison.points),
        frontier={spec: _on_front(table.rows) for spec, table in tables.items()},
        fronts=fronts,
    )


def with_tp(scenario: Scenario, tp: int) -> Scenario:
    """The same scenario on another number of GPUs.

    Raises:
        InputError: the shape cannot be divided like that.
    """
    if isinstance(tp, bool) or not isinstance(tp, int) or tp < 1:
        raise InputError(f"--tp: expected a whole number of at least 1, found {tp!r}")
    deployment = scenario.deployment.model_copy(update={"tp": tp})
    check_deployment(deployment)
    return replace(scenario, deployment=deployment)


def round_interactivities(mtp_band: Band, off_band: Band) -> tuple[float, ...]:
    """Three to five round numbers inside both bands, in tok/s/user; none if the bands do not overlap.

    Example:
        >>> round_interactivities((25.0, 104.0), (11.0, 90.0))
        (40.0, 60.0, 80.0)
    """
    low, high = max(mtp_band[0], off_band[0]), min(mtp_band[1], off_band[1])
    if low >= high:
        return (low,) if low == high else ()
    exponent = math.floor(math.log10(high - low))
    for power, digit in itertools.product(range(exponent, exponent - 3, -1), (5, 2, 1)):
        step = digit * 10.0**power
        found = range(math.ceil(low / step), math.floor(high / step) + 1)
        if len(found) >= 3:
            chosen = found if len(found) <= 5 else found[len(found) % 2 :: 2]
            return tuple(round(i * step, max(0, -power)) for i in chosen)
    return (low, high)


def _front(rows: Sequence[Mapping[str, Any]]) -> Frontier:
    """The front with every curve that a comparison reads; ``tp`` to tell where a point comes from."""
    ends = [f"{name}{end}" for name in BANDS for end in ("_lo", "_hi") if f"{name}{end}" in rows[0]]
    return Frontier.from_points({name: [row[name] for row in rows] for name in (*CURVES, *ends, "tp")})


def _on_front(rows: Sequence[Mapping[str, Any]]) -> Rows:
    front = pareto_front([row[INTERACTIVITY] for row in rows], [row[THROUGHPUT] for row in rows])
    return tuple(rows[i] for i in front)


def _row(point: MatchedPoint, front: Frontier) -> dict[str, Any]:
    row: dict[str, Any] = dict(point.as_row())
    read = front.at(point.interactivity_tok_s_user)
    row["tp"] = _tp_near(point, front)
    for name in BANDS:
        if f"{name}_lo" in read:
            row |= {f"{name}{end}": read[f"{name}{end}"] for end in ("_lo", "_hi")}
    return {name: None if value != value else value for name, value in row.items()}


def _tp_near(point: MatchedPoint, front: Frontier) -> int | None:
    """TP of the swept points on both sides; None where they differ or where the curve does not exist."""
    if math.isnan(point.total_tok_s_gpu):
        return None
    x, tps = front.columns[INTERACTIVITY].tolist(), front.columns["tp"].tolist()
    left = max(i for i, value in enumerate(x) if value <= point.interactivity_tok_s_user)
    right = min(i for i, value in enumerate(x) if value >= point.interactivity_tok_s_user)
    return int(tps[left]) if tps[left] == tps[right] else None
