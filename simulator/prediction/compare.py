"""MTP against Off at matched interactivity: sweep concurrency and TP, take both fronts, read both at one place."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simulator.bounds import number
from simulator.errors import InputError
from simulator.prediction.frontier import INTERACTIVITY, THROUGHPUT, Frontier, pareto_front
from simulator.prediction.frontier import front_rule as rule_of
from simulator.prediction.matched import LABELS, Band, Comparison, MatchedPoint, Spec, read_alone, read_fronts, read_one
from simulator.prediction.several import CONCURRENCIES, as_grid, predict, with_tp
from simulator.prediction.ties import TiedFronts
from simulator.results.table import Result, ResultTable
from simulator.serving.scenario import Scenario, check_decodes, make_scenario
from simulator.serving.scope import WORDS
from simulator.speculation.acceptance import OFF
from simulator.traffic.sweeps import Grid

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
        ties: sentences on interactivities where noise cannot tell two replica sizes apart, and both matter.
    """

    meta: Mapping[str, Any]
    comparison: Comparison
    rows: Rows
    frontier: Mapping[Spec, Rows]
    fronts: Mapping[Spec, Frontier]
    ties: tuple[str, ...] = ()

    def records(self) -> Rows:
        """The rows."""
        return self.rows

    def document(self) -> Mapping[str, Any]:
        """``meta``, ``rows``, ``sentences``, ``band`` (None: no overlap), ``bands``, ``frontier``, ``ties``."""
        c = self.comparison
        return {
            "meta": self.meta,
            "rows": self.rows,
            "sentences": c.sentences,
            "band": c.band,
            "bands": {"mtp": c.mtp_band, "off": c.off_band},
            "frontier": self.frontier,
            "ties": self.ties,
        }


def compare(
    scenario: Scenario | None = None,
    concurrencies: Sequence[int] | None = None,
    *,
    tp: Sequence[int] = (),
    at: Sequence[float] = (),
    sweep: Grid | str | Sequence[str] = (),
    front_rule: str | None = None,
    method: str = "des",
    seed: int = 0,
    cost_basis: str = "hyperscaler",
    intervals: bool = True,
) -> Matched:
    """Compare a scenario with MTP to the same scenario without, each at its best concurrency and TP.

    Args:
        scenario: with speculation on; None: the default one with MTP 3, on TP2 and TP4. Of a model that has no MTP
            layer, Off is read alone.
        concurrencies: swept; those whose caches do not fit are left out and noted. None: 4 to 256 in powers of two.
        tp: tensor parallelism degrees swept; none: the scenario's own.
        at: interactivities in tok/s/user; none: three to five round ones inside the band where both curves exist.
        sweep: instead of ``concurrencies`` and ``tp``, as of :func:`simulator.prediction.several.predict`: which runs
            are behind a front decides what is on it.
        front_rule: ``each`` metric splined on its own, or cost and tok/s/MW ``derived`` from the splined throughput;
            None: each.
        method: as of :func:`simulator.prediction.predict.predict`, like the arguments that follow.
        seed: of lengths and accepted drafts.
        cost_basis: ``hyperscaler``, ``neocloud`` or ``rental``.
        intervals: give 90 % intervals of throughput and cost, at the predicted interactivity.

    Raises:
        InputError: speculation is off, or nothing fits in memory.

    Example:
        >>> from simulator import compare
        >>> print(compare(at=[44], method="closed-form", intervals=False).comparison.sentences[0])
        at 44 tok/s/user MTP delivers 40 % more tok/s/GPU and each token costs 28 % less
    """
    if scenario is None:
        scenario, tp = make_scenario(mtp=3), tp or (() if sweep else (2, 4))
    alone = scenario.deployment.model.draft is None
    if scenario.speculation.tokens == 0 and not alone:
        raise InputError("--mtp: expected a depth of 1 or more to compare with Off, found 0")
    check_decodes(scenario)
    check_at(at)
    rule = rule_of(front_rule)
    grid = as_grid(sweep) if sweep else None
    if grid is not None and tp:
        raise InputError("--sweep states the TP of each run: expected no --tp beside it")
    sides: dict[Spec, Scenario] = {} if alone else {"mtp": scenario}
    sides["off"] = scenario.drafting(OFF)
    scenarios = {spec: [with_tp(side, n) for n in tp] or [side] for spec, side in sides.items()}
    clients = concurrencies if grid is not None or concurrencies is not None else CONCURRENCIES
    tables = {
        spec: predict(
            variants,
            clients,
            sweep=grid or (),
            method=method,
            seed=seed,
            cost_basis=cost_basis,
            intervals=intervals,
            over_memory="leave-out",
        )
        for spec, variants in scenarios.items()
    }
    return compare_tables(tables, at=at, front_rule=rule, sweep=grid, alone=alone)


def compare_tables(
    tables: Mapping[Spec, ResultTable],
    *,
    at: Sequence[float] = (),
    front_rule: str | None = None,
    sweep: Grid | str | Sequence[str] | None = None,
    alone: bool = False,
) -> Matched:
    """Compare predictions that were made already, as :func:`compare` does: their fronts at matched interactivity.

    Args:
        tables: ``mtp``, ``off`` or both -> what :func:`~simulator.predict` gave for one deployment.
        at: interactivities in tok/s/user; none: three to five round ones.
        front_rule: as of :func:`compare`.
        sweep: the runs behind the tables, for the meta block.
        alone: there is ``off`` and no ``mtp`` because the model has no MTP layer, which is then said.

    Raises:
        InputError: no table, or an interactivity that is not above 0.

    Example:
        >>> from simulator import compare_tables, make_scenario, predict
        >>> scenarios = {"mtp": make_scenario(mtp=3), "off": make_scenario()}
        >>> tables = {spec: predict(one, method="closed-form", intervals=False) for spec, one in scenarios.items()}
        >>> compare_tables(tables, at=[44]).comparison.sentences[0][:34]
        'at 44 tok/s/user MTP delivers 21 %'
    """
    if not tables:
        raise InputError("expected the table of mtp, of off or of both, found none")
    check_at(at)
    rule = rule_of(front_rule)
    tied = {spec: TiedFronts.from_points(front_columns(table.rows), rule) for spec, table in tables.items()}
    fronts = {spec: one.front for spec, one in tied.items()}
    one = next(iter(fronts.values()))
    points = tuple(at) or round_interactivities(*(fronts.get(spec, one).band for spec in LABELS))
    frontier = {spec: _on_front(table.rows) for spec, table in tables.items()}
    comparison = _read(fronts, points, alone)
    grid = None if sweep is None else as_grid(sweep)
    return Matched(
        meta={
            **next(iter(tables.values())).meta,
            "sweep": None if grid is None else str(grid),
            "front_rule": rule,
            "left_out": [note for t in tables.values() for note in t.meta["left_out"]],
        },
        comparison=comparison,
        rows=tuple(
            _row(point, fronts[point.spec]) | scope_near(point.interactivity_tok_s_user, frontier[point.spec])
            for point in comparison.points
        ),
        frontier=frontier,
        fronts=fronts,
        ties=tuple(text for spec in tables for value in points for text in _tie(spec, tied[spec], value)),
    )


def check_at(at: Sequence[float]) -> None:
    """Refuse interactivities that are not above 0 tok/s/user.

    Raises:
        InputError: names the option.
    """
    for value in at:
        if number("--at", value, wanted := "interactivities above 0 tok/s/user") <= 0:
            raise InputError(f"--at: expected {wanted}, found {value:g}")


def _read(fronts: Mapping[Spec, Frontier], at: Sequence[float], alone: bool) -> Comparison:
    if len(fronts) == 2:
        return read_fronts(fronts["mtp"], fronts["off"], at)
    [(spec, front)] = fronts.items()
    return read_alone(front, at) if alone else read_one(spec, front, at)


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


def front_columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Every curve that a comparison reads off predicted rows; ``tp`` to tell where a point comes from."""
    ends = [f"{name}{end}" for name in BANDS for end in ("_lo", "_hi") if f"{name}{end}" in rows[0]]
    return {name: [row[name] for row in rows] for name in (*CURVES, *ends, "tp")}


def _tie(spec: Spec, tied: TiedFronts, interactivity: float) -> list[str]:
    """A sentence on a tie at an interactivity, if it matters."""
    others = tied.others(interactivity, None)
    if not others:
        return []
    found = "; ".join(f"TP{tp} gives {reading(read)}" for tp, read in others.items())
    here = reading(tied.front.at(interactivity))
    return [
        f"at {interactivity:.10g} tok/s/user the front of {LABELS[spec]} rests on a tie of replica sizes, whose points "
        f"differ by less than run-to-run noise: {here} here, {found}"
    ]


def reading(read: Mapping[str, float]) -> str:
    """What a front gives at a place, in words.

    Example:
        >>> reading({"total_tok_s_gpu": 562.38, "concurrency": 14.02})
        '562 tok/s/GPU with 14.0 clients'
    """
    if math.isnan(read[THROUGHPUT]):
        return "nothing"
    return f"{read[THROUGHPUT]:.0f} tok/s/GPU with {read['concurrency']:.1f} clients"


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


def scope_near(x: float, front: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """``scope`` and ``scope_reasons`` of a point read between two swept ones: the worse of theirs.

    Args:
        x: interactivity, tok/s/user.
        front: swept points by rising interactivity.
    """
    below = [row for row in front if row[INTERACTIVITY] <= x][-1:]
    above = [row for row in front if row[INTERACTIVITY] >= x][:1]
    worse = max((*below, *above), key=lambda row: WORDS.index(row["scope"]), default=front[0])
    return {name: worse[name] for name in ("scope", "scope_reasons")}


def _tp_near(point: MatchedPoint, front: Frontier) -> int | None:
    """TP of the swept points on both sides; None where they differ or where the curve does not exist."""
    if math.isnan(point.total_tok_s_gpu):
        return None
    x, tps = front.columns[INTERACTIVITY].tolist(), front.columns["tp"].tolist()
    left = max(i for i, value in enumerate(x) if value <= point.interactivity_tok_s_user)
    right = min(i for i, value in enumerate(x) if value >= point.interactivity_tok_s_user)
    return int(tps[left]) if tps[left] == tps[right] else None
