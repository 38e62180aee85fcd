"""What is shown to a user without a traceback: bad input (exit status 2), and a machine that fails (exit status 1)."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

BRIEF = 80


class InputError(ValueError):
    """Bad input. The message names the file, key or option, what was found and what was expected."""


class MachineError(Exception):
    """Neither the input nor the program is at fault: a full disk, a closed pipe, a worker that died.

    The message names the place; notes (:pep:`678`) say what is kept.
    """


def unknown_name(what: str, name: str, known: Iterable[str]) -> InputError:
    """An :class:`InputError` for a name that is not known, with the nearest match if there is one."""
    names = sorted(known)
    close = difflib.get_close_matches(name[:BRIEF].lower(), names, n=1, cutoff=0.4)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return InputError(f"unknown {what} {brief(name)}{hint} (known: {', '.join(names)})")


def brief(value: Any) -> str:
    """A value as a message shows it: as Python writes it, but short, whatever it is.

    Example:
        >>> brief("much"), brief(10**5000)
        ("'much'", 'a whole number of more than 100 digits')
    """
    if isinstance(value, int) and abs(value) >= 10**100:
        return "a whole number of more than 100 digits"
    try:
        text = repr(value[: 2 * BRIEF] if isinstance(value, str | bytes | list | tuple) else value)
    except ValueError:  # a number of too many digits somewhere inside
        return f"a {type(value).__name__}"
    return text if len(text) <= BRIEF else f"{text[:BRIEF]}..."
