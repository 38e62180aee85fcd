"""Words to the user on standard error, which may be closed or full."""

from __future__ import annotations

import contextlib
import sys

from simulator.results.printable import printable


def tell(text: str) -> None:
    """One line; where it cannot be written the work goes on without it."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"mtpsim: {printable(text)}\n")
        sys.stderr.flush()
