"""Lists of numbers on the command line: ``4,8,16``, and ``4..256`` for the powers of two from 4 to 256."""

from __future__ import annotations

import itertools

from simulator.errors import InputError


def parse_ints(option: str, text: str) -> list[int]:
    """Whole numbers and ranges of powers of two, each once, in the order given.

    Raises:
        InputError: names the option, and what is not a number or a range.

    Example:
        >>> parse_ints("--concurrency", "3, 4..32")
        [3, 4, 8, 16, 32]
    """
    found: dict[int, None] = {}
    for part in _parts(option, text):
        low, dots, high = part.partition("..")
        ends = [_whole(option, end) for end in ((low, high) if dots else (low,))]
        found |= dict.fromkeys(_powers(option, part, *ends) if dots else ends)
    return list(found)


def parse_floats(option: str, text: str) -> list[float]:
    """Numbers in the order given.

    Raises:
        InputError: names the option, and what is not a number.

    Example:
        >>> parse_floats("--at", "44,64.5")
        [44.0, 64.5]
    """
    out = []
    for part in _parts(option, text):
        try:
            out.append(float(part))
        except ValueError:
            raise InputError(f"{option}: expected numbers separated by commas, found {part!r}") from None
    return out


def _parts(option: str, text: str) -> list[str]:
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise InputError(f"{option}: expected numbers separated by commas, found {text!r}")
    return parts


def _whole(option: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InputError(
            f"{option}: expected whole numbers such as 4,8,16 or powers of two such as 4..256, found {text!r}"
        ) from None


def _powers(option: str, part: str, low: int, high: int) -> list[int]:
    powers = (2**i for i in itertools.count())
    found = [p for p in itertools.takewhile(lambda p: p <= high, powers) if p >= low]
    if low < 1 or not found:
        raise InputError(f"{option}: expected a range with a power of two in it, such as 4..256, found {part}")
    return found
