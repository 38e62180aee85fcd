"""Every check on a set of rows, and a verdict per row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from simulator.errors import InputError
from simulator.facts.hardware import Hardware
from simulator.facts.reading import load_hardware
from simulator.measurements import MeasuredPoint, Row
from simulator.measurements.configuration import configuration
from simulator.measurements.files import Files, read_measurements
from simulator.measurements.wrong_units import wrong_units
from simulator.prediction.predict import versions
from simulator.units import KILO
from simulator.validation.consistency.cost import check_cost
from simulator.validation.consistency.finding import describe
from simulator.validation.consistency.gpu_count import check_gpus
from simulator.validation.consistency.labels import check_comparable, check_duplicates
from simulator.validation.consistency.shape import check_shape
from simulator.validation.consistency.ttft import check_ttft
from simulator.validation.curves import Known, label
from simulator.validation.expectation import BEYOND, Expectations, expectations
from simulator.validation.judging import check_expectations
from simulator.validation.pairs import check_pairs, implied_lengths
from simulator.validation.reason import RANK, Place, Reason, Verdict
from simulator.validation.report import Report, RowVerdict
from simulator.validation.roofs import ROUNDING, Roofs, check_roofs, limits_of, roofs_of


def validate(
    files: Files,
    calibration: str | None = None,
    *,
    select: str | None = None,
    force: bool = False,
    method: str = "des",
) -> Report:
    """Check whether measured curves are possible and plausible, row by row.

    Args:
        files: paths of CSV files, or rows of :func:`read_measurements`.
        calibration: name or path; None: the shipped one that matches each row, else the priors.
        select: which rows, such as ``"engine = ATOM and precision = FP8"``.
        force: apply a calibration outside what it was fitted to.
        method: ``des`` or ``closed-form``.

    Raises:
        InputError: bad files, an unknown calibration, or one made for something else without ``force``.

    Example:
        >>> from simulator import shipped_measurements, validate
        >>> validate(shipped_measurements("sglang_mi355x_8k1k.csv"), select="precision=FP4").verdict
        'clean'
    """
    return judge(read_measurements(files, select=select), calibration, force, method=method)


def judge(rows: Sequence[Row], calibration: str | None = None, force: bool = False, *, method: str = "des") -> Report:
    """Is this measured curve possible and plausible?

    Without a model: identities, labels and neighbours (:mod:`simulator.validation.consistency`), with prices and power
    of the hardware profile. With physics: roofs at any acceptance, the interval that a calibration expects, and the
    acceptance that MTP/Off pairs imply. Rows that no profile knows, and frontier points, get the first part and a note.

    Args:
        rows: measured or frontier points, of one or several files.
        calibration: name or path; None: the shipped one that matches each row, else the priors.
        force: apply a calibration outside what it was fitted to.
        method: ``des`` (discrete events) or ``closed-form``.

    Raises:
        InputError: an unknown calibration, or one made for another hardware, model, engine or precision.
    """
    places = {i: (row.file, row.line) for i, row in enumerate(rows)}
    known, strangers = _known(rows, places)
    curves = {one.curve: one for one in known}
    limits = {curve: roofs_of(curve) for curve in curves}
    reasons = [*_alone(rows, places), *strangers]
    reasons += [reason for one in known for reason in check_roofs(one, places[one.index], limits[one.curve])]
    forbidden = {place for reason in reasons if reason.severity == "impossible" for place in reason.places}
    broken = frozenset(i for i, place in places.items() if place in forbidden)
    reasons += _together(rows, places, broken)
    expected = expectations(known, calibration, force, method)
    reasons += [_unpredicted(curve, why, known, places) for curve, why in expected.refused.items()]
    sound = [one for one in known if one.index not in broken]
    pairs, pooled = implied_lengths(sound, expected.scenarios, places, method)
    reasons += [*check_pairs(pairs), *check_expectations(known, expected, pairs, places, broken)]
    reasons.sort(key=lambda r: (-RANK[r.severity], r.places[0], r.kind))
    by_index = {one.index: limits[one.curve] for one in known}
    judged = [_judge(i, row, reasons, expected, by_index.get(i)) for i, row in enumerate(rows)]
    return Report(
        rows=tuple(judged),
        findings=tuple(reasons),
        pairs=tuple(pairs),
        pooled=tuple(pooled),
        roofs={label(one.row): limits[curve] for curve, one in curves.items()},
        meta=_meta(rows, expected, curves, method),
    )


def _alone(rows: Sequence[Row], places: Mapping[int, Place]) -> Iterator[Reason]:
    """The checks without a model that need one row only."""
    hardware = {row.hardware: _hardware(row.hardware) for row in rows}
    for i, row in enumerate(rows):
        hw = hardware[row.hardware]
        prices = hw.price.model_dump() if hw is not None and hw.price is not None else {}
        power = hw.all_in_power / KILO if hw is not None and hw.all_in_power is not None else None
        for f in (*check_gpus(row), *check_cost(row, prices, power)):
            yield Reason(f.severity, f.kind, f.message, (places[i],), f.data)
        if isinstance(row, MeasuredPoint):
            for column, what in wrong_units(row):
                yield Reason("impossible", "wrong_units", f"{column}: found {what}", (places[i],), {"column": column})


def _together(rows: Sequence[Row], places: Mapping[int, Place], broken: frozenset[int]) -> Iterator[Reason]:
    """The checks without a model that compare rows.

    Neighbours of a row that cannot be are not blamed for it. Rows are numbered through, so that a finding on several
    files names the right ones.
    """
    numbered = [replace(row, file="", line=i) for i, row in enumerate(rows)]
    sound = [row for row in numbered if row.line not in broken]
    found = [*check_shape(sound), *check_ttft(sound), *check_duplicates(numbered), *check_comparable(numbered)]
    for f in found:
        message = f.message.rpartition(" (lines ")[0] if f.kind == "duplicate_curve" else f.message
        yield Reason(f.severity, f.kind, message, tuple(places[i] for i in dict.fromkeys(f.lines)), f.data)


def _hardware(name: str) -> Hardware | None:
    try:
        return load_hardware(name.lower())
    except InputError:
        return None


def _known(rows: Sequence[Row], places: Mapping[int, Place]) -> tuple[list[Known], list[Reason]]:
    """The rows that profiles describe, and a note for the others, one per cause."""
    known: list[Known] = []
    absent: dict[str, list[Place]] = {}
    for i, row in enumerate(rows):
        if not isinstance(row, MeasuredPoint):
            why = "a frontier point is interpolated, not a run: no roofs and no expectation"
            absent.setdefault(why, []).append(places[i])
            continue
        try:
            known.append(Known(i, row, configuration(row)))
        except InputError as fault:
            why = str(fault).removeprefix(f"{row.file}: line {row.line}: ")
            absent.setdefault(f"no roofs and no expectation: {why}", []).append(places[i])
    return known, [Reason("note", "no_physics", why, tuple(where)) for why, where in absent.items()]


def _unpredicted(curve: Any, why: str, known: Sequence[Known], places: Mapping[int, Place]) -> Reason:
    where = tuple(places[one.index] for one in known if one.curve == curve)
    return Reason("note", "no_expectation", f"roofs only, no expectation: {why}", where)


def _judge(index: int, row: Row, reasons: Sequence[Reason], expected: Expectations, limits: Roofs | None) -> RowVerdict:
    place = (row.file, row.line)
    own = tuple(r for r in reasons if place in r.places and (r.severity != "note" or len(r.places) == 1))
    worst: Verdict = max((r.severity for r in own), key=lambda severity: RANK[severity], default="clean")
    return RowVerdict(
        row=row,
        curve=label(row) if isinstance(row, MeasuredPoint) else f"{describe(row)} frontier",
        verdict=worst,
        reasons=own,
        expected=expected.rows.get(index, {}),
        limits=limits_of(row, limits) if limits is not None and isinstance(row, MeasuredPoint) else {},
    )


def _meta(rows: Sequence[Row], expected: Expectations, curves: Mapping[Any, Known], method: str) -> dict[str, Any]:
    used = {label(curves[curve].row): scenario for curve, scenario in expected.scenarios.items()}
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
