"""What an unquoted word of a YAML file means: nothing, true or false, a number, else text.

The core schema of YAML 1.2 without its octal and hexadecimal numbers. Older readers take ``off``, ``2026-08-01``,
``1:30`` and ``1_000`` for a truth, a date and two numbers; here they are the text that they look like, and what two
readers would count differently (``010``, ``0x1F``) is refused where it stands.
"""

from __future__ import annotations

import math
import re

MOST_DIGITS = 30
"""A longer whole number is a slip of the keyboard or an attack, not a quantity."""

WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NUMERIC = frozenset("0123456789+-.")
_WHOLE = re.compile(r"[-+]?[0-9]+", re.ASCII)
DECIMAL = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
"""A number, whole or not, with or without a power of ten."""
_OTHER_BASE = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|0[0-9_]*[0-9])", re.ASCII)
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


def scalar(text: str) -> str | float | int | bool | None:
    """The value of an unquoted word.

    Raises:
        ValueError: a number that is infinite, not a number, of too many digits, or of another base than ten.

    Example:
        >>> scalar("8.0"), scalar("1e-3"), scalar("off"), scalar("2023-13-45"), scalar("~")
        (8.0, 0.001, 'off', '2023-13-45', None)
    """
    if text in WORDS:
        return WORDS[text]
    if text[0] not in _NUMERIC:
        return text
    if _OTHER_BASE.fullmatch(text):
        raise ValueError(f"numbers are decimal and begin with no 0, found {shortened(text)}; quote it if it is text")
    if _WHOLE.fullmatch(text):
        if len(text.lstrip("+-")) > MOST_DIGITS:
            raise ValueError(f"a number of {len(text.lstrip('+-')):,} digits; expected at most {MOST_DIGITS}")
        return int(text)
    if _NOT_FINITE.fullmatch(text):
        raise ValueError(f"expected a finite number, found {text}")
    if DECIMAL.fullmatch(text):
        value = float(text)
        if not math.isfinite(value):
            raise ValueError(f"expected a finite number, found {shortened(text)}, which is too large for one")
        return value
    return text


def shortened(text: str, most: int = 60) -> str:
    """A text for a message: its beginning, and how long it is."""
    return text if len(text) <= most else f"{text[:most]}... ({len(text):,} characters)"
