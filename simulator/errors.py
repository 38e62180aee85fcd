"""What is shown to a user without a traceback: bad input (exit status 2), and a machine that fails (exit status 1)."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Bad input. The message names the file, key or option, what was found and what was expected."""


class MachineError(Exception):
    """Neither the input nor the program is at fault: a full disk, a closed pipe, a worker that died.

    The message names the place; notes (:pep:`678`) say what is kept.
    """


def unknown_name(what: str, name: str, known: Iterable[str]) -> InputError:
    """An :class:`InputError` for a name that is not known, with the nearest match if there is one."""
    names = sorted(known)
    close = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.4)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return InputError(f"unknown {what} {name!r}{hint} (known: {', '.join(names)})")
