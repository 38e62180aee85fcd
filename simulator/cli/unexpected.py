"""The one place where an exception that nobody expected ends: in a sentence, with status 1 and no half output.

``MTPSIM_TRACEBACK=1`` shows the traceback before the sentence.
"""

from __future__ import annotations

import os
import shlex
import traceback
from collections.abc import Sequence
from pathlib import Path

TRACEBACK = "MTPSIM_TRACEBACK"
_PACKAGE = Path(__file__).parents[1]


def unexpected(fault: Exception, arguments: Sequence[str]) -> str:
    """What to print on standard error for an exception that no command handled.

    Args:
        fault: as it was caught.
        arguments: of the command line.
    """
    lines = [] if not os.environ.get(TRACEBACK) else ["".join(traceback.format_exception(fault)).rstrip()]
    if isinstance(fault, MemoryError):
        said = f": {_printable(str(fault))}" if str(fault) else ""
        less = "fewer requests, sweep points, samples or --jobs take less"
        return "\n".join([*lines, f"mtpsim: error: not enough memory{said}; {less}"])
    if isinstance(fault, RecursionError):
        return "\n".join([*lines, "mtpsim: error: an input is nested deeper than can be followed"])
    said = f": {_printable(str(fault))}" if str(fault) else ""
    command = _printable(shlex.join(["mtpsim", *arguments]), most=500)
    lines.append(
        f"mtpsim: this is a bug: {type(fault).__name__}{said}, at {_place(fault)}. Nothing was printed or written "
        "after it.\n"
        f"Please send what `mtpsim --version` says, this command line, the files it names, and the traceback, which\n"
        f"{TRACEBACK}=1 in front of it shows:\n  {command}"
    )
    return "\n".join(lines)


def _place(fault: Exception) -> str:
    """File and line of the deepest frame that is this package's own, else of the deepest one."""
    frames = traceback.extract_tb(fault.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(_PACKAGE)]
    if not frames:
        return "an unknown place"
    frame = own[-1] if own else frames[-1]
    path = Path(frame.filename)
    shown = path.relative_to(_PACKAGE.parent) if path.is_relative_to(_PACKAGE) else path.name
    return f"{shown}:{frame.lineno}"


def _printable(text: str, most: int = 200) -> str:
    """One line that a terminal shows as it is."""
    shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    return shown if len(shown) <= most else f"{shown[:most]}..."
