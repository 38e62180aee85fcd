"""Lists of numbers on the command line: ``4,8,16``, and ``4..256`` for the powers of two from 4 to 256."""

from __future__ import annotations

from simulator.errors import InputError
from simulator.traffic.sweeps import parse_ints, split_list

__all__ = ["parse_floats", "parse_ints"]


def parse_floats(option: str, text: str) -> list[float]:
    """Numbers in the order given.

    Raises:
        InputError: names the option, and what is not a number.

    Example:
        >>> parse_floats("--at", "44,64.5")
        [44.0, 64.5]
    """
    out = []
    for part in split_list(option, text):
        try:
            out.append(float(part))
        except ValueError:
            raise InputError(f"{option}: expected numbers separated by commas, found {part!r}") from None
    return out
