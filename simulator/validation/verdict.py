"""Every check on a set of rows, and a verdict per row."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from simulator.errors import InputError
from simulator.facts.hardware import Hardware
from simulator.facts.reading import is_path, load_hardware
from simulator.measurements import FrontierPoint, MeasuredPoint, OpenLoopPoint, Row
from simulator.measurements.files import Files, read_measurements
from simulator.measurements.importing.known import Stated
from simulator.measurements.wrong_units import wrong_units
from simulator.prediction.predict import versions
from simulator.serving.scope import Verdict as Scope
from simulator.units import KILO
from simulator.validation.alternatives import misread
from simulator.validation.consistency.client import check_client
from simulator.validation.consistency.cost import check_cost
from simulator.validation.consistency.finding import describe
from simulator.validation.consistency.gpu_count import check_gpus
from simulator.validation.consistency.labels import check_comparable, check_duplicates
from simulator.validation.consistency.shape import check_shape
from simulator.validation.consistency.throughput import check_throughput
from simulator.validation.consistency.ttft import check_ttft
from simulator.validation.curves import Known, label, open_label, telling
from simulator.validation.expectation import BEYOND, Expectations, Expected, expectations
from simulator.validation.judging import check_expectations
from simulator.validation.known import described, known_rows
from simulator.validation.open_loop import OpenLoop, judge_open
from simulator.validation.pairs import check_pairs, implied_lengths
from simulator.validation.reason import RANK, Place, Reason, Verdict
from simulator.validation.report import UNKNOWN, Report, RowVerdict
from simulator.validation.roofs import ROOF, ROUNDING, Roofs, check_roofs, roofs_of


def validate(
    files: Files,
    calibration: str | None = None,
    *,
    select: str | None = None,
    force: bool = False,
    method: str = "des",
    model: str | None = None,
    allow_dequant: bool = False,
    known: Stated = None,
) -> Report:
    """Check whether measured curves are possible and plausible, row by row.

    Args:
        files: result files of tools, CSV files, folders or patterns of them, or rows of :func:`read_measurements`.
        calibration: name or path; None: the shipped one that matches each row, else the priors.
        select: which rows, such as ``"engine = ATOM and precision = FP8"``.
        force: apply a calibration outside what it was fitted to.
        method: ``des`` or ``closed-form``.
        model: profile name or path to use instead of the model that the rows name, such as one of your own.
        allow_dequant: compute in the next wider format that the hardware has.
        known: what the files do not hold, as of :func:`simulator.read_results`.

    Raises:
        InputError: bad files, an unknown calibration, one made for something else without ``force``, or ``model`` for
            rows of several models.

    Example:
        >>> from simulator import shipped_measurements, validate
        >>> validate(shipped_measurements("sglang_mi355x_8k1k.csv"), select="precision=FP4").verdict
        'clean'
    """
    rows = read_measurements(files, select=select, known=known)
    return judge(rows, calibration, force, method=method, model=model, allow_dequant=allow_dequant)


def judge(
    rows: Sequence[Row],
    calibration: str | None = None,
    force: bool = False,
    *,
    method: str = "des",
    model: str | None = None,
    allow_dequant: bool = False,
) -> Report:
    """Is this measured curve possible and plausible?

    Without a model: identities, labels and neighbours (:mod:`simulator.validation.consistency`), with prices and power
    of the hardware profile. With physics: roofs at any acceptance, the interval that a calibration expects, what else
    the figures fit, and the acceptance that MTP/Off pairs imply. Rows that no profile knows, and frontier points, get
    the first part and are ``unchecked`` unless that finds something.

    Args:
        rows: measured or frontier points, of one or several files.
        calibration: name or path; None: the shipped one that matches each row, else the priors.
        force: apply a calibration outside what it was fitted to.
        method: ``des`` (discrete events) or ``closed-form``.
        model: profile name or path to use instead of the model that the rows name.
        allow_dequant: compute in the next wider format that the hardware has.

    Raises:
        InputError: an unknown calibration, one made for another hardware, model, engine or precision, or ``model`` for
            rows of several models.
    """
    places = {i: (row.file, row.line) for i, row in enumerate(rows)}
    extra_names = telling(rows)
    known, strangers = known_rows(rows, places, model, allow_dequant)
    curves = {one.curve: one for one in known}
    limits = {curve: roofs_of(curve) for curve in curves}
    numbered = [replace(row, file="", line=i) for i, row in enumerate(rows)]
    reasons = [*_alone(rows, numbered, places), *strangers]
    reasons += [reason for one in known for reason in check_roofs(one, places[one.index], limits[one.curve])]
    opened = judge_open(rows, places, calibration, force, model, allow_dequant)
    reasons += opened.reasons
    broken, contradicting = _broken(reasons, places)
    expected = expectations(known, calibration, force, method)
    reasons += _unpredicted(expected, known, places)
    readings = misread(known, expected, contradicting, calibration, force, method)
    misnamed = [one for one in readings if not one.alone]
    perhaps = {one.rows[0].index: one for one in readings if one.alone}
    reasons += [one.reason(places, extra_names) for one in misnamed]
    elsewhere = frozenset(i for one in misnamed for i in one.indices)
    reasons += _together(numbered, places, broken | elsewhere)
    sound = [one for one in known if one.index not in broken and one.index not in elsewhere]
    pairs, pooled = implied_lengths(sound, expected.scenarios, places, method, extra_names)
    reasons += [
        *check_pairs(pairs, expected.leaving(known, places)),
        *check_expectations(known, expected, pairs, places, broken | elsewhere, perhaps),
    ]
    reasons.sort(key=lambda r: (-RANK[r.severity], r.places[0], r.kind == ROOF, r.kind))
    by_index = {one.index: limits[one.curve] for one in known}
    own = _by_place(reasons)
    judged = [
        _judge_open(row, own, opened.expected.get(i, {}), opened.scopes.get(i, UNKNOWN), extra_names)
        if isinstance(row, OpenLoopPoint)
        else _judge(i, row, own, expected, by_index.get(i), extra_names)
        for i, row in enumerate(rows)
    ]
    return Report(
        rows=tuple(judged),
        findings=tuple(reasons),
        pairs=tuple(pairs),
        pooled=tuple(pooled),
        roofs={label(one.row, extra_names): limits[curve] for curve, one in curves.items()},
        meta=_meta(rows, expected, curves, method, extra_names, opened),
    )


def _broken(reasons: Sequence[Reason], places: Mapping[int, Place]) -> tuple[frozenset[int], frozenset[int]]:
    """The rows that cannot be, and those of them whose own figures contradict one another.

    A row that is only beyond a roof may be sound under other labels, which are looked for.
    """
    hard = [reason for reason in reasons if reason.severity == "impossible"]
    all_of, own = ({p for r in hard if roofs or r.kind != ROOF for p in r.places} for roofs in (True, False))
    broken, contradicting = (frozenset(i for i, p in places.items() if p in found) for found in (all_of, own))
    return broken, contradicting


def _alone(rows: Sequence[Row], numbered: Sequence[Row], places: Mapping[int, Place]) -> Iterator[Reason]:
    """The checks without a model that need one row only."""
    hardware = {name: _hardware(name) for name in {row.hardware for row in rows}}
    prices = {n: hw.price.model_dump() if hw is not None and hw.price is not None else {} for n, hw in hardware.items()}
    power = {n: hw.all_in_power / KILO if hw and hw.all_in_power is not None else None for n, hw in hardware.items()}
    for one, f in check_client((row, f) for row in numbered for f in check_gpus(row)):
        yield Reason(f.severity, f.kind, f.message, (places[one.line],), f.data)
    for i, row in enumerate(rows):
        for f in check_cost(row, prices[row.hardware], power[row.hardware]):
            yield Reason(f.severity, f.kind, f.message, (places[i],), f.data)
        if isinstance(row, MeasuredPoint):
            for column, what in wrong_units(row):
                yield Reason("impossible", "wrong_units", f"{column}: found {what}", (places[i],), {"column": column})


def _together(numbered: Sequence[Row], places: Mapping[int, Place], broken: frozenset[int]) -> Iterator[Reason]:
    """The checks without a model that compare rows.

    Neighbours of a row that cannot be are not blamed for it. Rows are numbered through, so that a finding on several
    files names the right ones.
    """
    sound = [row for row in numbered if row.line not in broken]
    found = [
        *check_shape(sound),
        *check_ttft(sound),
        *check_throughput(sound),
        *check_duplicates(numbered),
        *check_comparable(numbered),
    ]
    for f in found:
        message = f.message.rpartition(" (lines ")[0] if f.kind == "duplicate_curve" else f.message
        yield Reason(f.severity, f.kind, message, tuple(places[i] for i in dict.fromkeys(f.lines)), f.data)


def _hardware(name: str) -> Hardware | None:
    try:
        return load_hardware(name if is_path(name) else name.lower())
    except InputError:
        return None


def _unpredicted(expected: Expectations, known: Sequence[Known], places: Mapping[int, Place]) -> Iterator[Reason]:
    where: defaultdict[str, list[Place]] = defaultdict(list)
    for one in known:
        if (why := expected.refused.get(one.curve)) is not None:
            where[why].append(places[one.index])
    for why, found in where.items():
        yield Reason("note", "no_expectation", f"roofs only, no expectation: {why}", tuple(found))


def _by_place(reasons: Sequence[Reason]) -> dict[Place, list[Reason]]:
    """The reasons of each row; notes on several rows are those of no row in particular."""
    own: defaultdict[Place, list[Reason]] = defaultdict(list)
    for reason in reasons:
        if reason.severity != "note" or len(reason.places) == 1:
            for place in dict.fromkeys(reason.places):
                own[place].append(reason)
    return own


def _judge(
    index: int,
    row: Row,
    reasons: Mapping[Place, Sequence[Reason]],
    expected: Expectations,
    limits: Roofs | None,
    extra_names: tuple[str, ...],
) -> RowVerdict:
    own = tuple(reasons.get((row.file, row.line), ()))
    worst: Verdict = max((r.severity for r in own), key=lambda severity: RANK[severity], default="clean")
    found = expected.rows.get(index, {})
    if not found and RANK[worst] < RANK["unchecked"] and not (isinstance(row, FrontierPoint) and described(row)):
        worst = "unchecked"
    return RowVerdict(
        row=row,
        curve=label(row, extra_names) if isinstance(row, MeasuredPoint) else f"{describe(row)} frontier",
        verdict=worst,
        reasons=own,
        expected=found,
        roofs=limits,
        scope=expected.scopes.get(index, UNKNOWN),
    )


def _judge_open(
    row: OpenLoopPoint,
    reasons: Mapping[Place, Sequence[Reason]],
    found: Mapping[str, Expected],
    scope: Scope,
    extra_names: tuple[str, ...],
) -> RowVerdict:
    own = tuple(reasons.get((row.file, row.line), ()))
    worst: Verdict = max((r.severity for r in own), key=lambda severity: RANK[severity], default="clean")
    if not found and RANK[worst] < RANK["unchecked"]:
        worst = "unchecked"
    return RowVerdict(row, open_label(row, extra_names), worst, own, found, scope=scope)


def _meta(
    rows: Sequence[Row],
    expected: Expectations,
    curves: Mapping[Any, Known],
    method: str,
    extra_names: tuple[str, ...],
    opened: OpenLoop,
) -> dict[str, Any]:
    used = {label(curves[curve].row, extra_names): scenario for curve, scenario in expected.scenarios.items()}
    for index, scenario in opened.scenarios.items():
        row = rows[index]
        if isinstance(row, OpenLoopPoint):
            used[open_label(row, extra_names)] = scenario
    return {
        "files": list(dict.fromkeys(row.file for row in rows)),
        "rows": len(rows),
        "calibration": {
            name: {
                "name": s.calibration.name,
                "hash": s.calibration.hash or None,
                "forced_outside": list(s.forced),
                "acceptance_length": s.speculation.acceptance_length,
                "acceptance_source": s.speculation.source.text,
            }
            for name, s in used.items()
        },
        "method": method,
        "intervals": "90 %",
        "suspicious_beyond_half_widths": BEYOND,
        "rounding_of_roofs": ROUNDING,
        "versions": versions(),
    }
