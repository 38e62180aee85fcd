"""A published frontier beside the prediction: sweep what the publisher swept, take the fronts, read them where they
were read."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.cost.calibration import load_calibration
from simulator.errors import InputError, unknown_name
from simulator.facts.reading import names
from simulator.files.paths import takes_files, user_path
from simulator.fitting.frontiers import Sweep, replica_size, sweeps_of
from simulator.fitting.headline import METRICS
from simulator.measurements import FrontierPoint
from simulator.measurements.files import shipped_measurements
from simulator.measurements.gathering import gather
from simulator.measurements.importing.known import Stated
from simulator.prediction.compare import BANDS, Rows, front_columns, reading, scope_near
from simulator.prediction.frontier import INTERACTIVITY, THROUGHPUT, pareto_front
from simulator.prediction.frontier import front_rule as rule_of
from simulator.prediction.matched import LABELS
from simulator.prediction.predict import predict_one
from simulator.prediction.several import as_grid, split_meta, with_parallelism
from simulator.prediction.ties import TiedFronts
from simulator.results.table import Result
from simulator.serving.scenario import Scenario, resolve_calibration
from simulator.traffic.sweeps import Grid

SERIES = ("hardware", "model", "precision", "isl", "osl")


@dataclass(frozen=True)
class Against(Result):
    """Published points of a frontier, predicted.

    Attributes:
        meta: every input, as of a prediction; ``sweep`` is the runs per curve, ``front_rule`` how fronts are read.
        rows: one per published point: metric as published, ``predicted_`` and ``error_`` (predicted / published - 1),
            ``tp`` as Little's law reads it from the published figures, and ``tie``: a sentence, or None.
        sentences: the largest error of each metric, ties, and what could not be read.
        fronts: the predicted fronts of each curve, in the order of ``curves``.
        curves: what tells the curves apart: hardware, model, precision, lengths, off or mtp.
        swept: the predicted runs of each curve on its front.
    """

    meta: Mapping[str, Any]
    rows: Rows
    sentences: tuple[str, ...]
    fronts: tuple[TiedFronts, ...]
    curves: tuple[Mapping[str, Any], ...]
    swept: tuple[Rows, ...]

    def records(self) -> Rows:
        """The rows."""
        return self.rows

    def document(self) -> Mapping[str, Any]:
        """``meta``, ``rows``, ``sentences``, and per curve what it is, and the swept ``points`` on its front."""
        curves = [{**c, "points": points} for c, points in zip(self.curves, self.swept, strict=True)]
        return {"meta": self.meta, "rows": self.rows, "sentences": self.sentences, "curves": curves}


def compare_against(
    against: str | Path,
    calibration: str | None = None,
    *,
    sweep: Grid | str | Sequence[str] = (),
    engine: str = "sglang",
    checkpoint: str | None = None,
    force: bool = False,
    front_rule: str | None = None,
    method: str = "des",
    seed: int = 0,
    cost_basis: str = "hyperscaler",
    intervals: bool = True,
    known: Stated = None,
) -> Against:
    """Compare a published frontier with the prediction, point by point.

    What was swept decides what is on a front, so the publisher's own sweep is run: column ``sweep`` of the file, or
    else that of the published table that ships. Where noise cannot tell two replica sizes apart, the front is read of
    the size that Little's law reads from the published figures, and the row says so.

    Args:
        against: a frontier that ships (its file, or the calibration that was fitted to it), or a path of a CSV file.
        calibration: name or path; None: the shipped one that covers the rows' hardware, model, precision, engine and
            lengths, else the kernel priors.
        sweep: instead of the file's, ``["2:4..256", "4:4,8,16"]``.
        engine: behind rows that name none.
        checkpoint: of rows that name none; None: the precision's default.
        force: apply a calibration outside what it was fitted to.
        front_rule: ``each`` or ``derived``; None: by the date of the rows, ``derived`` since 12 August 2026.
        method: ``des`` (discrete events) or ``closed-form``.
        seed: of lengths and accepted drafts.
        cost_basis: ``hyperscaler``, ``neocloud`` or ``rental``.
        intervals: add 90 % intervals of throughput and cost.
        known: what the file does not hold, as of :func:`simulator.read_results`.

    Raises:
        InputError: no such frontier, a file of runs, faults in it, rows no profile describes, or a calibration of
            something else without ``force``.

    Example:
        >>> from simulator import compare_against
        >>> found = compare_against("inferencex-mi355x-fp4-1k1k", method="closed-form", intervals=False)
        >>> [(row["spec"], row["tp"]) for row in found.rows if row["tie"]]
        [('off', 4)]
    """
    path = published_frontier(against)
    table = gather([path], known)
    if table.kind != "frontier":
        raise InputError(
            f"--against {against}: a file of runs; expected points of a frontier: interactivity_tok_s_user and "
            "total_tok_s_gpu, and neither tp nor latencies. For runs there is mtpsim evaluate"
        )
    own = as_grid(sweep) if sweep else None
    curves, fronts, swept, metas, notes = [], [], [], [], []
    rows: dict[tuple[str, int], dict[str, Any]] = {}
    points = {(p.file, p.line): p for p in table.frontier}
    for series in sweeps_of(table.frontier, engine, checkpoint):
        one = series if own is None else dataclasses.replace(series, swept=own)
        members = [points[place] for place in one.lines]
        rule = rule_of(front_rule, [p.date for p in members])
        scenarios = _scenarios(one, calibration, force)
        tables = [
            predict_one(
                scenario,
                clients,
                method=method,
                seed=seed,
                cost_basis=cost_basis,
                intervals=intervals,
                over_memory="queue",
            )
            for scenario, (_, clients) in zip(scenarios, one.swept.sizes, strict=True)
        ]
        runs = tuple(row for t in tables for row in t.rows)
        tied = TiedFronts.from_points(front_columns(runs), rule)
        front = tuple(runs[i] for i in pareto_front(*([r[name] for r in runs] for name in (INTERACTIVITY, THROUGHPUT))))
        for p in members:
            rows[p.file, p.line] = _row(p, tied, one.tp) | scope_near(p.interactivity_tok_s_user, front)
        spec = members[0].spec
        curves.append({**{name: getattr(members[0], name) for name in SERIES}, "spec": spec, "sweep": str(one.swept)})
        fronts.append(tied)
        swept.append(front)
        metas += [
            {**with_parallelism(t, s).meta, "front_rule": rule, "spec": spec, "sweep": str(one.swept)}
            for t, s in zip(tables, scenarios, strict=True)
        ]
        notes += _outside(scenarios[0])
    shared, different = split_meta(metas)
    sources = list(dict.fromkeys(p.source for p in table.frontier if p.source))
    meta = {"against": str(against), "file": path.name, "sha256": table.sha256, "sources": sources, **shared}
    found = tuple(rows[place] for place in points)
    return Against(
        meta={**meta, "scenarios": different} if any(different) else meta,
        rows=found,
        sentences=(*_sentences(found), *dict.fromkeys(notes)),
        fronts=tuple(fronts),
        curves=tuple(curves),
        swept=tuple(swept),
    )


def published_frontier(name: str | Path) -> Path:
    """Path of a frontier: a file, one that ships with or without ``.csv``, or that a shipped calibration was fitted to.

    Raises:
        InputError: no such file or name; those that ship are named.

    Example:
        >>> published_frontier("inferencex-mi355x-fp4-1k1k").name
        'inferencex_frontier_fp4_1k1k.csv'
    """
    if takes_files():
        path = user_path("--against", name)
        if path.is_file() or path.parent != Path():
            return path
    shipped = _shipped()
    found = shipped.get(str(name).removesuffix(".csv").lower().replace("_", "-"))
    if found is None:
        raise unknown_name("published frontier", str(name), shipped)
    return shipped_measurements(found)


def _shipped() -> dict[str, str]:
    """Name -> shipped frontier file: of the file itself, and of the calibrations that were fitted to it."""
    folder = shipped_measurements("inferencex_frontier_fp4_1k1k.csv").parent
    files = {p.name: p for p in folder.glob("*frontier*.csv")}
    out = {name.removesuffix(".csv").replace("_", "-"): name for name in files}
    for calibration in names("calibration"):
        for source in load_calibration(calibration).data:
            if source.file in files:
                out[calibration] = source.file
    return out


def _scenarios(sweep: Sweep, calibration: str | None, force: bool) -> list[Scenario]:
    """One scenario per replica size of the sweep."""
    chosen, wrong = resolve_calibration(calibration, sweep.base.deployment, force, sweep.base.isl)
    return [dataclasses.replace(sweep.base, tp=tp).scenario(chosen, wrong) for tp in sweep.tp]


def _outside(scenario: Scenario) -> list[str]:
    """A sentence if no shipped calibration covers the rows."""
    chosen, isl = scenario.calibration, scenario.workload.isl
    if not chosen.data:
        return ["no calibration covers these rows: the prediction rests on kernel priors alone"]
    if isl not in chosen.scope.isl:
        fitted = ", ".join(map(str, chosen.scope.isl))
        return [f"calibration {chosen.name} was fitted to inputs of {fitted} tokens, and these rows have {isl}"]
    return []


def _row(point: FrontierPoint, tied: TiedFronts, swept: Sequence[int]) -> dict[str, Any]:
    at = point.interactivity_tok_s_user
    sizes = tied.sizes(at)
    known = point.concurrency is not None
    size = replica_size(point, sizes) if known and sizes else None
    read = tied.favour(at, size).at(at)
    found = {name: None if value != value else value for name, value in read.items()}
    row: dict[str, Any] = {"spec": point.spec, "interactivity_tok_s_user": at}
    for metric in METRICS:
        published, predicted = getattr(point, metric), found.get(metric)
        row[metric] = published
        row[f"predicted_{metric}"] = predicted
        row[f"error_{metric}"] = None if published is None or predicted is None else predicted / published - 1.0
        if metric in BANDS and f"{metric}_lo" in found:
            row |= {f"{metric}{end}": found[f"{metric}{end}"] for end in ("_lo", "_hi")}
    row["tp"] = replica_size(point, swept) if known else None
    row["tie"] = _tie(tied, at, size)
    return row | {name: getattr(point, name) for name in SERIES}


def _tie(tied: TiedFronts, at: float, size: int | None) -> str | None:
    others = tied.others(at, size)
    if not others:
        return None
    chosen = "the front of all runs" if size is None else f"TP{size}, which Little's law reads from the published row"
    found = "; ".join(f"TP{tp} would give {reading(read)}" for tp, read in others.items())
    return (
        f"a tie of replica sizes, whose points differ by less than run-to-run noise: read on {chosen} "
        f"({reading(tied.favour(at, size).at(at))}); {found}"
    )


def _sentences(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    out = []
    errors = {
        metric: [(abs(e), e, row) for row in rows if (e := row[f"error_{metric}"]) is not None] for metric in METRICS
    }
    worst = [
        f"{100 * e:+.1f} % in {WORDS[metric]} ({_place(row)})"
        for metric, found in errors.items()
        if found
        for _, e, row in [max(found, key=lambda entry: entry[0])]
    ]
    if worst:
        out.append(f"largest errors: {', '.join(worst)}")
    for row in rows:
        if row["predicted_total_tok_s_gpu"] is None:
            out.append(f"{_place(row)}: the predicted front does not exist there, and nothing is extrapolated")
        elif row["tie"]:
            out.append(f"{_place(row)}: {row['tie']}")
    return out


WORDS = {
    "total_tok_s_gpu": "throughput",
    "cost_usd_per_mtok": "cost",
    "tok_s_per_mw": "tok/s/MW",
    "concurrency": "concurrency",
}


def _place(row: Mapping[str, Any]) -> str:
    return f"{LABELS[row['spec']]} at {row['interactivity_tok_s_user']:g} tok/s/user"
