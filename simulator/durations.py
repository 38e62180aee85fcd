"""Durations as people write them: ``2s``, ``25ms``, ``1.5h``."""

from __future__ import annotations

import math
import re

from simulator.errors import InputError
from simulator.units import MICRO, MILLI, SECONDS_PER_HOUR

SECONDS: dict[str, float] = {
    "us": MICRO,
    "ms": MILLI,
    "s": 1.0,
    "min": SECONDS_PER_HOUR / 60,
    "h": SECONDS_PER_HOUR,
    "d": 24 * SECONDS_PER_HOUR,
}
"""Seconds of each unit."""

_PATTERN = re.compile(r"\s*([-+]?[0-9.]+(?:e[-+]?[0-9]+)?)\s*([a-zµ]*)\s*", re.IGNORECASE)


def parse_duration(option: str, text: str) -> float:
    """Seconds of a duration with its unit.

    Raises:
        InputError: no number, no unit, an unknown unit, or not more than zero; the message names the option.

    Example:
        >>> parse_duration("--ttft-p99", "2s"), parse_duration("--tpot-p95", "25ms"), parse_duration("--duration", "1h")
        (2.0, 0.025, 3600.0)
    """
    example = "expected a duration such as 2s, 25ms or 1h"
    match = _PATTERN.fullmatch(text)
    if match is None:
        raise InputError(f"{option}: {example}, found {text!r}")
    number, unit = match[1], match[2].lower().replace("µ", "u")
    if not unit:
        raise InputError(f"{option}: {example}, found {text!r} without a unit")
    if unit not in SECONDS:
        raise InputError(f"{option}: unknown unit {match[2]!r} in {text!r}; known: {', '.join(SECONDS)}")
    try:
        value = float(number) * SECONDS[unit]
    except ValueError:
        raise InputError(f"{option}: {example}, found {text!r}") from None
    if not (math.isfinite(value) and value > 0):
        raise InputError(f"{option}: expected more than zero, found {text!r}")
    return value


def duration_text(seconds: float) -> str:
    """A duration in the unit that reads best.

    Example:
        >>> duration_text(0.02534), duration_text(2.0), duration_text(5400.0)
        ('25.3 ms', '2 s', '1.5 h')
    """
    for unit, size in (("h", SECONDS["h"]), ("min", SECONDS["min"]), ("s", 1.0), ("ms", MILLI)):
        if abs(seconds) >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / MICRO:.3g} us"
