"""Units found out by consistency: latencies in seconds, throughput in thousands.

TPOT and throughput are seen by Little's law. TTFT is a few percent of it, so a TTFT in seconds is seen by what it
cannot be: no request gets its first token in a fraction of one decoding step.
"""

from __future__ import annotations

from dataclasses import replace

from simulator.measurements.littles_law import honest_band, little_ratio
from simulator.measurements.rows import MeasuredPoint
from simulator.units import KILO

FASTEST_TPOT_MS = 0.5
"""Below this a TPOT is read as seconds: 2,000 tok/s/user. The shipped rows have 4 to 113 ms."""
TTFT_STEPS = 0.2
"""A TTFT below this many TPOT is read as seconds; the shipped rows have 9.4 to 114 TPOT, in seconds 0.0094 to 0.114."""
BLUNT_STEPS = 0.05
"""Below this many TPOT also where Little's law fails for another reason."""
UNUSUAL_STEPS = 5.0
"""Above this many TPOT a TTFT is taken to be in milliseconds whatever Little's law says."""
SECONDS = "{found}, which looks like seconds; expected milliseconds"
THOUSANDS = "{found}, which looks like thousand tok/s; expected tok/s per GPU"


def wrong_units(row: MeasuredPoint) -> list[tuple[str, str]]:
    """The (column, what was found and expected) of every figure of a row in a wrong unit.

    A unit is called wrong when Little's law fails as the row stands and holds after the conversion, or when the TTFT is
    shorter than a decoding step can be and the conversion does not break Little's law.
    """
    faults: list[tuple[str, str]] = []
    for name in ("mean_tpot_ms", "median_tpot_ms"):
        value = getattr(row, name)
        if value is not None and value < FASTEST_TPOT_MS:
            row = replace(row, **{name: KILO * value})
            faults.append((name, SECONDS.format(found=f"{value:g}")))
    converted, ttft_faults = _ttft_in_seconds(row)
    faults += ttft_faults
    if _holds(converted):
        return faults
    thousand = replace(
        converted, total_tok_s_gpu=_kilo(row.total_tok_s_gpu), output_tok_s_gpu=_kilo(row.output_tok_s_gpu)
    )
    if _holds(thousand):
        for name in ("total_tok_s_gpu", "output_tok_s_gpu"):
            if (value := getattr(row, name)) is not None:
                faults.append((name, THOUSANDS.format(found=f"{value:g}")))
    return faults


def _ttft_in_seconds(row: MeasuredPoint) -> tuple[MeasuredPoint, list[tuple[str, str]]]:
    faults: list[tuple[str, str]] = []
    converted = row
    for statistic in ("mean", "median"):
        name = f"{statistic}_ttft_ms"
        ttft = getattr(row, name)
        tpots = (getattr(row, f"{statistic}_tpot_ms"), row.mean_tpot_ms, row.median_tpot_ms)
        tpot = next((t for t in tpots if t is not None), None)
        if tpot is None and row.interactivity_tok_s_user is not None:
            tpot = KILO / row.interactivity_tok_s_user
        if ttft is None or tpot is None:
            continue
        if ttft >= UNUSUAL_STEPS * tpot:
            continue
        trial = replace(row, **{name: KILO * ttft})
        if ttft >= TTFT_STEPS * tpot:
            wrong = not _holds(row) and _holds(trial)
        else:
            wrong = ttft < BLUNT_STEPS * tpot or _holds(trial) or little_ratio(trial) is None
        if wrong:
            converted = replace(converted, **{name: KILO * ttft})
            faults.append((name, SECONDS.format(found=f"{ttft:g} beside a TPOT of {tpot:g} ms")))
    return converted, faults


def _kilo(value: float | None) -> float | None:
    return None if value is None else KILO * value


def _holds(row: MeasuredPoint) -> bool:
    ratio = little_ratio(row)
    low, high = honest_band(row)
    return ratio is not None and low <= ratio <= high
