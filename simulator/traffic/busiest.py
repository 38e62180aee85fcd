"""The busiest spell of a traffic file: the rate and burstiness that a fleet must be sized for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulator.errors import InputError
from simulator.traffic.describe import cv_of_gaps
from simulator.traffic.trace import Rates, Trace
from simulator.traffic.traces import read_traffic
from simulator.units import SECONDS, duration_text

SPELL = 10 * SECONDS["min"]
"""Long enough for queues to settle, short enough not to average a peak away."""
MOST_CV = 20.0
FEWEST = 20
"""Requests from which a rate can be told."""


@dataclass(frozen=True)
class Spell:
    """A spell of traffic.

    Attributes:
        rate: requests/s.
        cv: coefficient of variation of the gaps.
        lengths: as ``--lengths`` states those of the file; None: the file has none.
        text: in words.
    """

    rate: float
    cv: float
    lengths: str | None
    text: str


def busiest_spell(path: str) -> Spell:
    """The ten minutes of a trace with the most requests, or its whole where it is shorter; of rates the greatest.

    Raises:
        InputError: as of :func:`simulator.traffic.traces.read_traffic`, or too few requests to tell a rate.
    """
    found = read_traffic(path)
    return _of_rates(path, found) if isinstance(found, Rates) else _of_trace(path, found)


def _of_trace(path: str, trace: Trace) -> Spell:
    length = min(SPELL, trace.span)
    if trace.count < FEWEST or length <= 0:
        raise InputError(
            f"{path}: {trace.count} requests within {trace.span:g} s tell no rate; expected at least {FEWEST} over time"
        )
    ends = np.searchsorted(trace.send, trace.send + length, side="left" if length == SPELL else "right")
    counts = ends - np.arange(trace.count)
    first = int(np.argmax(counts))
    inside = trace.send[first : int(ends[first])]
    cv = min(MOST_CV, cv_of_gaps(inside) or 0.0)
    rate = float(counts[first]) / length
    text = f"busiest {duration_text(length)} of trace {path}, with its lengths"
    return Spell(rate, round(cv, 3), f"empirical:{path}", "; ".join([text, *trace.notes()]))


def _of_rates(path: str, found: Rates) -> Spell:
    at = int(np.argmax(found.rates))
    cv = 1.0 if found.gaps is None else found.gaps[at].cv
    return Spell(float(found.rates[at]), cv, None, f"greatest rate of {path}")
