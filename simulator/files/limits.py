"""How much is taken on before anyone is asked, and whether numbers outside every plausible range are meant.

Both hold for what is computed inside a ``with`` block, or for one command line (``--limit``, ``--allow-implausible``).
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field, fields, replace
from typing import Any

from simulator.errors import InputError, unknown_name

GIGABYTE = 1e9


def _limit(default: float, meaning: str) -> Any:
    return field(default=default, metadata={"meaning": meaning})


@dataclass(frozen=True)
class Limits:
    """The most of each kind, and whether implausible numbers are taken.

    Attributes:
        implausible: numbers outside their plausible range are taken as they are.
    """

    yaml_mb: float = _limit(4, "size of a YAML file, MB")
    file_mb: float = _limit(512, "size of a CSV, JSON or trace file, MB")
    rows: float = _limit(5e6, "rows of one file")
    points: float = _limit(1e6, "points of one sweep")
    requests: float = _limit(2e7, "requests simulated at once")
    draws: float = _limit(1e6, "samples of an interval or a study")
    memory_gb: float = _limit(4, "memory that one command is estimated to need, GB")
    implausible: bool = False


LIMITS: dict[str, str] = {f.name.replace("_", "-"): f.metadata["meaning"] for f in fields(Limits) if f.metadata}
"""Name as written after ``--limit`` -> meaning."""

_DEFAULT = Limits()
_current: ContextVar[Limits] = ContextVar("limits", default=_DEFAULT)


def current() -> Limits:
    """The limits that hold now."""
    return _current.get()


@contextlib.contextmanager
def limits(*, implausible: bool | None = None, **most: float) -> Iterator[Limits]:
    """Raise or lower limits, and take implausible numbers, inside a ``with`` block.

    Args:
        implausible: take numbers of profiles that lie outside their plausible range.
        most: any of ``yaml_mb``, ``file_mb``, ``rows``, ``points``, ``requests``, ``draws`` and ``memory_gb``.

    Raises:
        InputError: no such limit, or not a number above zero.

    Example:
        >>> from simulator import limits
        >>> with limits(rows=1e7) as now:
        ...     print(now.rows)
        10000000.0
    """
    for name, value in most.items():
        if name.replace("_", "-") not in LIMITS:
            raise unknown_name("limit", name, LIMITS)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
            raise InputError(f"limit {name}: expected a number above zero, found {value!r}")
    changes: dict[str, Any] = most if implausible is None else {**most, "implausible": implausible}
    changed = replace(current(), **changes)
    token = _current.set(changed)
    try:
        yield changed
    finally:
        _current.reset(token)


def within(name: str, found: float, where: str, *, bytes_each: float = 0.0) -> None:
    """Refuse before memory is taken.

    Args:
        name: of the limit, such as ``requests``.
        found: how many there would be, in the unit of the limit.
        where: option, file or argument that asks for them.
        bytes_each: memory that each of them takes, held against ``memory_gb``; 0: little.

    Raises:
        InputError: above the limit, with the number, the estimate and the option that raises it.
    """
    most, needed, room = getattr(current(), name.replace("-", "_")), found * bytes_each / GIGABYTE, current().memory_gb
    over = {limit: asked for limit, asked, has in ((name, found, most), ("memory-gb", needed, room)) if asked > has}
    if not over:
        return
    reasons = {
        name: f"{_text(found)} is over the limit of {_text(most)} ({LIMITS[name]})",
        "memory-gb": f"about {_text(needed)} GB of memory for {_text(found)} are over the limit of {_text(room)} GB",
    }
    options = " ".join(f"--limit {limit}={_raised(asked)}" for limit, asked in over.items())
    why = ", and ".join(reasons[limit] for limit in over)
    raise InputError(f"{where}: {why}; {options} {'allow' if len(over) > 1 else 'allows'} it")


def _text(number: float) -> str:
    return f"{number:,.0f}" if number >= 1000 or number == int(number) else f"{number:.4g}"


def _raised(found: float) -> str:
    return f"{math.ceil(found)}" if found >= 10 else f"{found * 1.05:.3g}"
