"""What others wrote into a file must not command a terminal or a spreadsheet that shows it."""

from __future__ import annotations

import re

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""C0 but tab and newline, DEL, C1, separators of lines and paragraphs, marks that turn the direction of text, and
halves of characters, which bytes of arguments that are no text become."""

FORMULA = ("=", "+", "-", "@", "\t", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""Beginnings of a cell that a spreadsheet computes, full-width ones too (OWASP, CSV injection)."""

QUOTE = "'"
"""What spreadsheets take for "this is text"."""


def printable(text: str) -> str:
    """The text with control characters spelt out, so that they neither colour, move nor rename a terminal.

    Example:
        >>> print(printable("a\\x1b[31mred\\x07"))
        a\\x1b[31mred\\x07
    """
    return _CONTROL.sub(_spelt, text)


def _spelt(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def safe_cell(text: str) -> str:
    """A text cell for a CSV file: printable, and marked as text where a spreadsheet would compute it.

    A number stays one, such as -5.

    Example:
        >>> safe_cell("=1+1"), safe_cell("-5"), safe_cell("ATOM")
        ("'=1+1", '-5', 'ATOM')
    """
    text = printable(text)
    return QUOTE + text if text.startswith(FORMULA) and not _is_number(text) else text


def plain_cell(text: str) -> str:
    """A cell as it was before :func:`safe_cell` marked it as text."""
    return text[1:] if text.startswith(QUOTE) and text[1:].startswith(FORMULA) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
