"""The acceptance length that explains a measured MTP curve beside its Off curve: per point, pooled, and whether one
will do.

Each pair of rows is solved by :func:`simulator.validation.pairs.implied_lengths`. Pooled over all pairs, the length of
least squares weighs each by its own variance; what pairs share through the parameters of the calibration does not
average out. One length explains all pairs unless the chi-square of their residuals, with the same covariance, is beyond
95 %.

A curve alone fixes only tokens per round over cost of a round: a round dearer by 10 % with 10 % more tokens gives the
same curve. The calibration tells them apart, no better than it knows the cost of a round; how much of the interval is
due to that is reported, and said when it is most of a wide one.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.stats import chi2

from simulator.errors import InputError
from simulator.measurements import MeasuredPoint
from simulator.measurements import select as selected
from simulator.measurements.configuration import Configuration, configuration
from simulator.measurements.gathering import gather
from simulator.measurements.importing.known import Stated
from simulator.prediction.intervals import Z90
from simulator.prediction.predict import versions
from simulator.results.table import Result
from simulator.serving.scenario import Scenario, resolve_calibration
from simulator.validation.curves import Known, label
from simulator.validation.pairs import Equation, Pair, implied_lengths
from simulator.what_if.streamed import itl_over_tpot, streamed_sentences

Array = NDArray[np.float64]

APART = 1.3
"""Repeated runs whose output speeds differ by more than this factor are not repeats of one another."""
SURE = 0.05
"""Least probability of residuals as large, for one length to explain all pairs."""
VAGUE = 0.25
"""Half-width, as a part of the length above 1, from which an interval is wide."""
OPTIONAL = ("checkpoint", "kv_cache_dtype", "ep", "dp_attention")
"""Columns of the configuration that one side may leave blank; dates, images, sources and notes never part rows."""
STEP = 0.02
"""Tokens over which a residual is differentiated."""


@dataclass(frozen=True)
class Inference(Result):
    """Inferred acceptance lengths, tokens per round, with 90 % intervals.

    Attributes:
        meta: inputs.
        points: one row per pair of rows.
        pooled: ``acceptance_length``, ``lo``, ``hi``, whether ``one_value_explains_all``, the probability of residuals
            as large, and how the interval is made up (standard deviations in tokens).
        curves: the same for each MTP curve on its own.
        sentences: what a reader needs.
    """

    meta: Mapping[str, Any]
    points: tuple[Mapping[str, Any], ...]
    pooled: Mapping[str, Any]
    curves: tuple[Mapping[str, Any], ...]
    sentences: tuple[str, ...]

    def records(self) -> Sequence[Mapping[str, Any]]:
        """The points."""
        return self.points

    def document(self) -> Mapping[str, Any]:
        """``meta``, ``points``, ``pooled``, ``curves``, ``sentences``."""
        return {
            "meta": self.meta,
            "points": self.points,
            "pooled": self.pooled,
            "curves": self.curves,
            "sentences": self.sentences,
        }


def infer_acceptance(
    off: str | Path,
    mtp: str | Path,
    calibration: str | None = None,
    *,
    select: str | None = None,
    force: bool = False,
    method: str = "des",
    known: Stated = None,
) -> Inference:
    """The acceptance length that explains a measured MTP curve beside an Off curve.

    An acceptance length that a row states is not used, except to keep apart runs of one configuration that are no
    repeats of one another (their speeds differ by more than 30 %) and state different lengths; the most numerous of
    them are pooled.

    Args:
        off: file with Off rows, our CSV or a tool's result; others are not used.
        mtp: file with MTP rows; may be the same file.
        calibration: name or path; None: the shipped one that matches.
        select: which MTP rows to use, in the language of ``--select``.
        force: apply a calibration outside what it was fitted to.
        method: ``des`` or ``closed-form``.
        known: what the files do not hold, as of :func:`simulator.read_results`.

    Raises:
        InputError: no Off rows, no MTP rows, or no MTP row with an Off row to compare with.

    Example:
        >>> from simulator import infer_acceptance, shipped_measurements
        >>> file = shipped_measurements("sglang_mi355x_8k1k.csv")
        >>> found = infer_acceptance(file, file, select="precision=FP4", method="closed-form")
        >>> found.pooled["lo"] < 2.8 < found.pooled["hi"]
        True
    """
    off, mtp = str(off), str(mtp)
    off_rows, mtp_rows = _rows(off, "off", known), _rows(mtp, "mtp", known)
    if select:
        mtp_rows = list(selected(mtp_rows, select))
    off_rows, mtp_rows = _filled(off_rows, mtp_rows), _filled(mtp_rows, off_rows)
    groups = _groups(mtp_rows)
    offs = {replace(configuration(row), acceptance_length=None): row for row in off_rows}
    pairs: list[list[Pair]] = []
    used: dict[str, str] = {}
    for name, rows in groups:
        numbered = [Known(i, row, configuration(row)) for i, row in enumerate((*rows, *off_rows))]
        scenarios = _scenarios(numbered, {k.curve for k in numbered[: len(rows)]}, calibration, force, used)
        places = {k.index: (k.row.file, k.row.line) for k in numbered}
        found, _pooled = implied_lengths(numbered, scenarios, places, method)
        pairs.append([replace(p, curve=f"{p.curve}{name}") for p in found if p.equation is not None])
    solved = [p for members in pairs for p in members]
    if not solved:
        raise InputError(_unpaired(off, mtp, list(offs.values()), mtp_rows))
    curves: dict[str, list[Pair]] = defaultdict(list)
    for p in solved:
        curves[p.curve].append(p)
    streamed = {(row.file, row.line): value for row in mtp_rows if (value := itl_over_tpot(row)) is not None}
    kept = max(pairs, key=len)
    pooled = pool(kept)
    others = [pool(members) for members in pairs if members and members is not kept]
    return Inference(
        meta={"off": off, "mtp": mtp, "calibrations": used, "method": method, "versions": versions()},
        points=tuple(_point(p, streamed) for p in solved),
        pooled=pooled,
        curves=tuple({"curve": name, **pool(members)} for name, members in curves.items()),
        sentences=(*_sentences(pooled, len({p.curve for p in kept}), others), *streamed_sentences(mtp_rows)),
    )


def pool(pairs: Sequence[Pair]) -> dict[str, Any]:
    """One length for all pairs, with its 90 % interval and what that is made up of."""
    equations = [p.equation for p in pairs if p.equation is not None]
    most = 1.0 + min(p.spec_tokens for p in pairs)
    shared, own = _covariance(equations)
    covariance = shared + np.diag(own)
    weights = 1.0 / np.diag(covariance)

    def residuals(length: float) -> Array:
        return np.array([e.residual(length) for e in equations])

    def squares(length: float) -> float:
        return float(weights @ residuals(length) ** 2)

    length = float(minimize_scalar(squares, bounds=(1.0, most), method="bounded").x)
    low, high = max(1.0, length - STEP), min(most, length + STEP)
    slopes = (residuals(high) - residuals(low)) / (high - low)
    pull = weights * slopes / float(weights @ slopes**2)
    # where the best length is at an end, the mean residual says how far beyond it would lie
    beyond = length - float(pull @ residuals(length))
    sd = math.sqrt(float(pull @ covariance @ pull))
    best = min(max(beyond, 1.0), most)
    left = residuals(best)
    statistic = float(left @ np.linalg.solve(covariance, left))
    probability = float(chi2.sf(statistic, len(pairs) - 1)) if len(pairs) > 1 else None
    return {
        "acceptance_length": best,
        "lo": min(max(beyond - Z90 * sd, 1.0), most),
        "hi": min(max(beyond + Z90 * sd, 1.0), most),
        "pairs": len(pairs),
        "one_value_explains_all": None if probability is None else probability >= SURE,
        "probability": probability,
        "sd_from_round_cost": math.sqrt(float(pull @ shared @ pull)),
        "sd_from_noise": math.sqrt(float(pull**2 @ own)),
    }


def _covariance(equations: Sequence[Equation]) -> tuple[Array, Array]:
    """Covariance of the log ratios through the parameters, and the variances that they do not share."""
    size = len(equations)
    shared = np.empty((size, size))
    for i, a in enumerate(equations):
        spread = a.solver.mtp.calibration.uncertainty()[1] @ a.gradient
        for j, b in enumerate(equations):
            same = a.solver.mtp.calibration.name == b.solver.mtp.calibration.name
            shared[i, j] = float(b.gradient @ spread) if same else 0.0
    return shared, np.array([e.noise**2 for e in equations])


def _point(p: Pair, streamed: Mapping[tuple[str, int], float]) -> dict[str, Any]:
    """A pair; outside of what any length can give, the nearest end with the interval that reaches it."""
    length, low, high = p.length, p.low, p.high
    if length is None and p.equation is not None:
        e = p.equation
        length = e.solve()
        sd = math.sqrt(float(_covariance([e])[0][0, 0]) + e.noise**2)
        low, high = sorted(e.solve(sign * Z90 * sd) for sign in (-1.0, 1.0))
    return {
        "curve": p.curve,
        "concurrency": p.concurrency,
        "spec_tokens": p.spec_tokens,
        "metric": p.metric,
        "mtp_over_off": p.ratio,
        "acceptance_length": length,
        "lo": low,
        "hi": high,
        "itl_over_tpot": streamed.get(p.places[0]),
        "note": p.absent,
        "places": [{"file": file, "line": line} for file, line in p.places],
    }


def _rows(path: str, spec: str, known: Stated) -> list[MeasuredPoint]:
    table = gather([path], known)
    if table.kind != "points":
        raise InputError(f"{path}: expected measured runs, found points of an interpolated frontier")
    rows = [row for row in table.points if row.spec == spec]
    if not rows:
        what = "no Off curve to compare with" if spec == "off" else "no MTP curve"
        raise InputError(f"{path}: {what}: expected rows with spec={spec}, found none among {len(table.points)}")
    return rows


def _filled(rows: Sequence[MeasuredPoint], others: Sequence[MeasuredPoint]) -> list[MeasuredPoint]:
    """Rows with what they leave blank taken from the other side, where that says one thing.

    A blank is "not published", not "different": only values that both sides state keep rows apart.
    """
    said = {name: {value for row in others if (value := getattr(row, name)) is not None} for name in OPTIONAL}
    only = {name: next(iter(values)) for name, values in said.items() if len(values) == 1}
    return [replace(row, **{name: value for name, value in only.items() if getattr(row, name) is None}) for row in rows]


def _groups(rows: Sequence[MeasuredPoint]) -> list[tuple[str, list[MeasuredPoint]]]:
    """MTP rows without the lengths they state; runs that are no repeats of one another apart, by what they state."""
    stated = {row.acceptance_length for row in rows}
    bare = [replace(row, acceptance_length=None) for row in rows]
    if len(stated) == 1 or not _differ(bare):
        return [("", bare)]
    groups: dict[float | None, list[MeasuredPoint]] = defaultdict(list)
    for row, without in zip(rows, bare, strict=True):
        groups[row.acceptance_length].append(without)
    if len(groups) > 4:
        return [("", bare)]
    return [(f" (rows that state {key or 'nothing'})", members) for key, members in groups.items()]


def _differ(rows: Sequence[MeasuredPoint]) -> bool:
    speeds: dict[Configuration, list[float]] = defaultdict(list)
    for row in rows:
        value = row.total_tok_s_gpu or row.output_tok_s_gpu
        if value:
            speeds[configuration(row)].append(value)
    return any(max(found) > APART * min(found) for found in speeds.values())


def _scenarios(
    known: Sequence[Known],
    drafting: set[Configuration],
    calibration: str | None,
    force: bool,
    used: dict[str, str],
) -> dict[Configuration, Scenario]:
    """Scenarios of the MTP curves and of the Off curves beside them; ``used`` notes the calibrations."""
    wanted = drafting | {replace(curve, spec_tokens=0) for curve in drafting}
    out = {}
    for k in known:
        if k.curve in wanted and k.curve not in out:
            chosen, forced = resolve_calibration(calibration, k.curve.deployment, force, k.curve.isl)
            out[k.curve] = k.curve.scenario(chosen, forced)
            used[chosen.name] = chosen.hash
    return out


def _unpaired(off: str, mtp: str, off_rows: Sequence[MeasuredPoint], mtp_rows: Sequence[MeasuredPoint]) -> str:
    return (
        f"{mtp}: no Off curve to compare with: no row of {off} differs in speculation alone and has the same metric; "
        f"for example {_brief(mtp_rows[0])} against {_brief(off_rows[0])}"
    )


def _brief(row: MeasuredPoint) -> str:
    return f"{label(row)} at concurrency {row.concurrency}"


def _sentences(pooled: Mapping[str, Any], curves: int, others: Sequence[Mapping[str, Any]]) -> list[str]:
    pairs, length, low, high = pooled["pairs"], pooled["acceptance_length"], pooled["lo"], pooled["hi"]
    out = [
        f"{pairs} pair{'s' if pairs > 1 else ''} of {curves} curve{'s' if curves > 1 else ''} imply {length:.2f} "
        f"tokens per round (90 %: {low:.2f} to {high:.2f})"
    ]
    if pooled["one_value_explains_all"] is not None:
        verdict = "explains" if pooled["one_value_explains_all"] else "does not explain"
        out.append(f"one length {verdict} all of them (probability of residuals as large: {pooled['probability']:.2f})")
    out += [
        f"{other['pairs']} pairs are not pooled with them: their runs are no repeats of the others, though of the same "
        f"configuration; they imply {other['acceptance_length']:.2f} (90 %: {other['lo']:.2f} to {other['hi']:.2f})"
        for other in others
    ]
    cost, noise = pooled["sd_from_round_cost"], pooled["sd_from_noise"]
    share = cost**2 / (cost**2 + noise**2)
    out.append(
        f"a curve alone fixes tokens per round over the cost of a round; {100 * share:.0f} % of the variance is what "
        "the calibration does not know of that cost"
    )
    if high - low > 2 * VAGUE * max(length - 1.0, 1.0) and share > 0.5:
        out.append("the data cannot tell a higher acceptance with dearer rounds from a lower one with cheaper rounds")
    return out
