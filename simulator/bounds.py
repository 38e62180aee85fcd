"""Numbers that users give, as text or as Python values: finite, decimal, and small enough to compute with."""

from __future__ import annotations

import math
import re
from typing import Any

from simulator.errors import InputError, brief

MOST_WHOLE = 10**15
"""No option takes a larger whole number; floats and 64-bit integers hold it exactly."""
MOST_NUMBER = 1e15
MOST_SEED = 2**32 - 2
"""Of the random generators that libraries seed with 32 bits, one of them with the next number."""

_WHOLE = re.compile(r"\s*[-+]?[0-9]+\s*", re.ASCII)
_DECIMAL = re.compile(r"\s*[-+]?(?:\.[0-9]+|[0-9]+\.?[0-9]*)(?:e[-+]?[0-9]+)?\s*", re.ASCII | re.IGNORECASE)


def parse_whole(text: str) -> int:
    """A whole number written with the digits 0 to 9.

    Raises:
        ValueError: anything else, and more digits than any quantity has.

    Example:
        >>> parse_whole(" 16 ")
        16
    """
    if _WHOLE.fullmatch(text) is None or len(text) > 100:
        raise ValueError("expected a whole number")
    return int(text)


def parse_number(text: str) -> float:
    """A finite number written with the digits 0 to 9, a point and a power of ten.

    Raises:
        ValueError: anything else, such as ``nan``, ``inf``, ``1_000``, or too large to hold.

    Example:
        >>> parse_number("1.5e3")
        1500.0
    """
    if _DECIMAL.fullmatch(text) is None:
        finite = "finite " if text.strip().lower().lstrip("+-") in ("nan", "inf", "infinity") else ""
        raise ValueError(f"expected a {finite}number")
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("expected a finite number")
    return value


def whole(option: str, value: Any, low: int = 1, high: int = MOST_WHOLE) -> int:
    """A checked whole number.

    Raises:
        InputError: names the option, what was expected and what was found.

    Example:
        >>> whole("--jobs", 4)
        4
    """
    # numpy's whole numbers too
    if isinstance(value, bool) or not hasattr(value, "__index__") or not low <= (found := int(value)) <= high:
        raise InputError(f"{option}: expected a whole number from {low} to {high}, found {brief(value)}")
    return found


def small_enough(option: str, value: Any) -> int:
    """A whole number of a size that can be computed with; its own bounds are for the caller to check.

    Raises:
        InputError: not whole, or of more than 15 digits.
    """
    if isinstance(value, bool) or not hasattr(value, "__index__") or abs(value) > MOST_WHOLE:
        raise InputError(f"{option}: expected a whole number of at most 15 digits, found {brief(value)}")
    return int(value)


def number(option: str, value: Any, what: str = "a finite number") -> float:
    """A checked number; its own bounds are for the caller to check.

    Args:
        option: for the message.
        value: to be checked.
        what: was expected, for the message.

    Raises:
        InputError: not a number, not finite, or beyond :data:`MOST_NUMBER`.
    """
    try:
        found = math.nan if isinstance(value, bool | str) else float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not abs(found) <= MOST_NUMBER:
        raise InputError(f"{option}: expected {what}, found {brief(value)}")
    return found


def check_seed(seed: Any) -> int:
    """A seed of random numbers.

    Raises:
        InputError: not a whole number from 0 to :data:`MOST_SEED`.
    """
    if isinstance(seed, bool) or not hasattr(seed, "__index__") or seed < 0:
        raise InputError(f"--seed: expected a whole number of at least 0, found {brief(seed)}")
    if seed > MOST_SEED:
        raise InputError(f"--seed: expected a whole number of at most {MOST_SEED}, found {brief(seed)}")
    return int(seed)
