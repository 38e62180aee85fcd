"""From which message size on the engines quantise an all-reduce on the wire."""

from __future__ import annotations

import csv
import functools
import math
from importlib import resources

from simulator.units import MEBI

WIRE_BITS: dict[str, float] = {"bf16": 16.0, "int8": 8.5, "int6": 6.5, "int4": 4.5}
"""Bits per element that travel; blocks of 32 elements share one FP16 scale (ROCm quick reduce)."""


def least_bytes(library: str, gpus: int, fmt: str) -> float:
    """Least bytes of a BF16 message that is quantised; infinite where none is.

    Args:
        library: whose rule, a value of ``Engine.all_reduce_library``.
        gpus: ranks of the all-reduce.
        fmt: on the wire.

    Example:
        >>> least_bytes("quick_reduce", 4, "int8") / 2**20
        16.0
    """
    return _table().get((library, gpus, fmt), math.inf)


@functools.cache
def _table() -> dict[tuple[str, int, str], float]:
    with resources.files("simulator").joinpath("facts", "quick_reduce.csv").open(encoding="utf-8") as file:
        return {
            (row["library"], int(row["tp"]), row["format"]): float(row["least_message_mib"]) * MEBI
            for row in csv.DictReader(file)
        }
