"""Lists of numbers on the command line: ``4,8,16``, and ``4..256`` for the powers of two from 4 to 256."""

from __future__ import annotations

from simulator.bounds import number, parse_number
from simulator.errors import InputError, brief
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
            found = parse_number(part)
        except ValueError:
            raise InputError(f"{option}: expected numbers separated by commas, found {brief(part)}") from None
        out.append(number(option, found))
    return out
