"""The only powers of ten and of 1024 in the repository.

Every number inside the package is in SI base units (byte, second, FLOP, watt) unless its name carries a unit suffix
(``_ms``, ``_us``, ``_gb``). Profiles state value and unit; :func:`to_si` converts.
"""

from __future__ import annotations

KILO, MEGA, GIGA, TERA, PETA = 1e3, 1e6, 1e9, 1e12, 1e15
KIBI, MEBI, GIBI = 1024.0, 1024.0**2, 1024.0**3
MILLI, MICRO = 1e-3, 1e-6
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
