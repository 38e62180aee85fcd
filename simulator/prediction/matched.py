"""MTP against Off at matched interactivity: a table, and the sentences a reader needs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Literal

from simulator.errors import InputError
from simulator.prediction.frontier import Frontier

Band = tuple[float, float]
Spec = Literal["mtp", "off"]

LABELS: dict[Spec, str] = {"mtp": "MTP", "off": "Off"}
SAME = 0.005
"""Relative difference up to which two numbers are called the same; below it a whole per cent would read 0."""


@dataclass(frozen=True)
class MatchedPoint:
    """One curve at one interactivity; NaN is what is not known there (outside the curve's band, or no such column)."""

    spec: Spec
    interactivity_tok_s_user: float
    total_tok_s_gpu: float
    cost_usd_per_mtok: float
    tok_s_per_mw: float
    concurrency: float

    def as_row(self) -> dict[str, str | float | None]:
        """The fields in order, with None for NaN, which JSON does not have."""
        return {name: None if value != value else value for name, value in asdict(self).items()}


@dataclass(frozen=True)
class Comparison:
    """The answer of :func:`read_fronts`.

    Attributes:
        points: for each interactivity asked for, MTP and then Off.
        mtp_band: interactivities (tok/s/user) where the MTP curve exists; None for a model without MTP.
        off_band: the same of Off; None where MTP was read alone.
        band: where both exist; None when they nowhere do.
        sentences: one per interactivity asked for, then one on the band.
    """

    points: tuple[MatchedPoint, ...]
    mtp_band: Band | None
    off_band: Band | None
    band: Band | None
    sentences: tuple[str, ...]


def read_fronts(mtp: Frontier, off: Frontier, at: Sequence[float], names: Mapping[Spec, str] = LABELS) -> Comparison:
    """Read both curves at the same interactivities; where one does not exist, say so rather than extrapolate.

    A gain in throughput is ``higher / lower - 1``; a saving in cost is ``1 - cheaper / dearer``, so it stays below
    100 %. Each is stated for the side that has it. Differences up to 0.5 % are called the same.

    Args:
        mtp: front of the runs with multi-token prediction.
        off: front of the runs without.
        at: interactivities in tok/s/user, finite and positive.
        names: of both sides in the sentences, where they differ in something else than drafts.

    Raises:
        InputError: an interactivity is not finite and positive.

    Example:
        >>> mtp = Frontier.from_points({"interactivity_tok_s_user": [44, 84], "total_tok_s_gpu": [2221.9, 1278.7]})
        >>> off = Frontier.from_points({"interactivity_tok_s_user": [44, 64], "total_tok_s_gpu": [1835.8, 1061.5]})
        >>> for sentence in read_fronts(mtp, off, [44]).sentences:
        ...     print(sentence)
        at 44 tok/s/user MTP delivers 21 % more tok/s/GPU
        both curves exist from 44.0 to 64.0 tok/s/user
    """
    for value in at:
        if not (math.isfinite(value) and value > 0.0):
            raise InputError(f"an interactivity must be finite and positive (tok/s/user); found {value}")
    low, high = max(mtp.band[0], off.band[0]), min(mtp.band[1], off.band[1])
    band = (low, high) if low <= high else None
    pairs = [(_read("mtp", mtp, value), _read("off", off, value)) for value in at]
    sentences = [_sentence(a, b, mtp.band, off.band, names) for a, b in pairs]
    return Comparison(
        points=tuple(point for pair in pairs for point in pair),
        mtp_band=mtp.band,
        off_band=off.band,
        band=band,
        sentences=(*sentences, _band_sentence(mtp.band, off.band, band, names)),
    )


def read_alone(off: Frontier, at: Sequence[float]) -> Comparison:
    """Off alone at interactivities (tok/s/user), of a model that has no MTP layer."""
    sentences = ("the model has no MTP layer: Off alone", f"the Off curve exists {_span(off.band)}")
    return Comparison(tuple(_read("off", off, value) for value in at), None, off.band, None, sentences)


def read_one(spec: Spec, front: Frontier, at: Sequence[float]) -> Comparison:
    """One curve alone at interactivities (tok/s/user), where the other one was not asked for."""
    points = tuple(_read(spec, front, value) for value in at)
    sentences = [_alone(point) for point in points if not math.isnan(point.total_tok_s_gpu)]
    sentences.append(f"the {LABELS[spec]} curve exists {_span(front.band)}")
    drafts = spec == "mtp"
    return Comparison(points, front.band if drafts else None, None if drafts else front.band, None, tuple(sentences))


def _alone(point: MatchedPoint) -> str:
    cost = "" if math.isnan(point.cost_usd_per_mtok) else f" at {point.cost_usd_per_mtok:.3f} USD per million tokens"
    return (
        f"at {point.interactivity_tok_s_user:.10g} tok/s/user {LABELS[point.spec]} delivers "
        f"{point.total_tok_s_gpu:.0f} tok/s/GPU{cost}"
    )


def _read(spec: Spec, frontier: Frontier, interactivity: float) -> MatchedPoint:
    metrics = frontier.at(interactivity)
    return MatchedPoint(
        spec=spec,
        interactivity_tok_s_user=float(interactivity),
        total_tok_s_gpu=metrics["total_tok_s_gpu"],
        cost_usd_per_mtok=metrics.get("cost_usd_per_mtok", math.nan),
        tok_s_per_mw=metrics.get("tok_s_per_mw", math.nan),
        concurrency=metrics.get("concurrency", math.nan),
    )


def _sentence(mtp: MatchedPoint, off: MatchedPoint, mtp_band: Band, off_band: Band, names: Mapping[Spec, str]) -> str:
    where = f"at {mtp.interactivity_tok_s_user:.10g} tok/s/user"
    absent = [
        f"the {names[point.spec]} curve exists only {_span(band)}"
        for point, band in ((mtp, mtp_band), (off, off_band))
        if math.isnan(point.total_tok_s_gpu)
    ]
    if absent:
        return f"{where} no comparison is possible: {' and '.join(absent)}, and nothing is extrapolated"
    more, less = (mtp, off) if mtp.total_tok_s_gpu >= off.total_tok_s_gpu else (off, mtp)
    gain = more.total_tok_s_gpu / less.total_tok_s_gpu - 1.0
    if gain <= SAME:
        both = f"{names['mtp']} and {names['off']}"
        return f"{where} {both} deliver the same tok/s/GPU{_cost_clause(mtp, off, None, names)}"
    delivers = f"{names[more.spec]} delivers {100.0 * gain:.0f} % more tok/s/GPU"
    return f"{where} {delivers}{_cost_clause(mtp, off, more.spec, names)}"


def _cost_clause(mtp: MatchedPoint, off: MatchedPoint, faster: Spec | None, names: Mapping[Spec, str]) -> str:
    """The second half of the sentence; empty when a price is not known."""
    if math.isnan(mtp.cost_usd_per_mtok) or math.isnan(off.cost_usd_per_mtok):
        return ""
    cheap, dear = (mtp, off) if mtp.cost_usd_per_mtok <= off.cost_usd_per_mtok else (off, mtp)
    saving = 1.0 - cheap.cost_usd_per_mtok / dear.cost_usd_per_mtok if dear.cost_usd_per_mtok > 0.0 else 0.0
    if saving <= SAME:
        return f" {'and' if faster is None else 'but'} each token costs the same"
    percent = f"{100.0 * saving:.0f}" if saving < 0.995 else "over 99"
    if cheap.spec == faster:
        return f" and each token costs {percent} % less"
    return f" but each token costs {percent} % less with {names[cheap.spec]}"


def _band_sentence(mtp_band: Band, off_band: Band, band: Band | None, names: Mapping[Spec, str]) -> str:
    if band is not None:
        return f"both curves exist {_span(band)}"
    return (
        f"the two curves do not overlap: {names['mtp']} exists {_span(mtp_band)}, {names['off']} {_span(off_band)}; "
        "no comparison at matched interactivity is possible"
    )


def _span(band: Band) -> str:
    """The band to one decimal, rounded inwards so that its printed ends lie on the curve; in full if it is narrower."""
    tenth = Decimal("0.1")
    low = Decimal(repr(band[0])).quantize(tenth, ROUND_CEILING)
    high = Decimal(repr(band[1])).quantize(tenth, ROUND_FLOOR)
    if low < high:
        return f"from {low} to {high} tok/s/user"
    return f"at {band[0]!r} tok/s/user" if band[0] == band[1] else f"from {band[0]!r} to {band[1]!r} tok/s/user"
