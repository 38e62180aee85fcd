"""The only powers of ten and of 1024 in the repository.

Every number inside the package is in SI base units (byte, second, FLOP, watt) unless its name carries a unit suffix
(``_ms``, ``_us``, ``_gb``). Profiles state value and unit; :func:`to_si` converts.
"""

from __future__ import annotations

import re

from simulator.errors import InputError, brief

KILO, MEGA, GIGA, TERA, PETA = 1e3, 1e6, 1e9, 1e12, 1e15


KIBI, MEBI, GIBI = 1024.0, 1024.0**2, 1024.0**3


MILLI, MICRO, NANO = 1e-3, 1e-6, 1e-9


SECONDS_PER_HOUR = 3600.0


# dimension -> unit -> factor to the SI value of that dimension
DIMENSIONS: dict[str, dict[str, float]] = {
    "bytes": {"B": 1.0, "KB": KILO, "MB": MEGA, "GB": GIGA, "TB": TERA, "KiB": KIBI, "MiB": MEBI, "GiB": GIBI},
    "bytes/s": {"B/s": 1.0, "MB/s": MEGA, "GB/s": GIGA, "TB/s": TERA, "GiB/s": GIBI},
    "FLOP/s": {"FLOP/s": 1.0, "GFLOP/s": GIGA, "TFLOP/s": TERA, "PFLOP/s": PETA},
    "seconds": {"s": 1.0, "ms": MILLI, "us": MICRO},
    "hertz": {"Hz": 1.0, "MHz": MEGA, "GHz": GIGA},
    "watts": {"W": 1.0, "kW": KILO, "MW": MEGA},
    "USD/h": {"USD/h": 1.0},
    "count": {"count": 1.0},
    "fraction": {"fraction": 1.0, "percent": 1e-2},
    "tokens": {"tokens": 1.0},
    "bytes/element": {"B/element": 1.0},
}


def to_si(value: float, unit: str, dimension: str) -> float:
    """Convert ``value`` in ``unit`` to the SI value of ``dimension``.

    Raises:
        ValueError: the unit does not belong to the dimension; the message lists the units that do.
    """
    units = DIMENSIONS[dimension]
    if unit not in units:
        raise ValueError(f"unit {unit!r} is not a unit of {dimension}; expected one of {', '.join(units)}")
    return value * units[unit]


SECONDS: dict[str, float] = {
    "us": MICRO,
    "ms": MILLI,
    "s": 1.0,
    "min": SECONDS_PER_HOUR / 60,
    "h": SECONDS_PER_HOUR,
    "d": 24 * SECONDS_PER_HOUR,
}
"""Seconds of each unit."""


LONGEST_DURATION = 1e9
"""Seconds: 32 years."""


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
        raise InputError(f"{option}: {example}, found {brief(text)}")
    number, unit = match[1], match[2].lower().replace("µ", "u")
    if not unit:
        raise InputError(f"{option}: {example}, found {brief(text)} without a unit")
    if unit not in SECONDS:
        raise InputError(f"{option}: unknown unit {brief(match[2])} in {brief(text)}; known: {', '.join(SECONDS)}")
    try:
        value = float(number) * SECONDS[unit]
    except ValueError:
        raise InputError(f"{option}: {example}, found {brief(text)}") from None
    if not 0 < value <= LONGEST_DURATION:
        most = duration_text(LONGEST_DURATION)
        raise InputError(f"{option}: expected more than zero and at most {most}, found {brief(text)}")
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
