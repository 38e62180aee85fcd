"""The page as a file that needs nothing else: its answers are computed before, at the places of a grid."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from simulator.errors import InputError, unknown_name
from simulator.measurements.rows import Row
from simulator.page.choices import PRECISIONS, check_names, choices
from simulator.page.document import document
from simulator.page.grid import Ask, held, rounded
from simulator.page.series import runs
from simulator.page.tabs.check import check
from simulator.units import MEGA

MOST_BYTES = 12 * MEGA
"""Greatest size of a file."""
SERIES = re.compile(r"([A-Z0-9-]+ (?:Off|MTP \d+)): ")
"""A series in words, see :func:`simulator.page.tabs.curve.label`."""


@dataclass(frozen=True)
class Exported:
    """A page as a file.

    Attributes:
        html: the file.
        answers: how many it holds.
        left_out: what was asked for and cannot be, in words.
    """

    html: str
    answers: int
    left_out: tuple[str, ...]


def export(
    ask: Ask,
    measured: Sequence[Row] = (),
    tell: Callable[[int, int], None] | None = None,
    jobs: int = -1,
) -> Exported:
    """The page with all answers of a grid.

    Args:
        ask: what it is to hold.
        measured: rows to judge and to lay over the curve.
        tell: told how many cells of how many are done.
        jobs: processes; -1: one per core.

    Raises:
        InputError: a name that is not known, nothing that can be done, or a file that would be too large.
    """
    check_names(ask.start)
    for engine in ask.engines:
        check_names(ask.start.model_copy(update={"engine": engine}))
    for precision in ask.precisions:
        if precision not in PRECISIONS:
            raise unknown_name("precision", precision, PRECISIONS)
    runs(ask.start.sweep)
    verdicts = rounded(check(measured)) if measured else None
    found = held(ask, tell, jobs)
    grid = {"answers": found.answers, "series": found.series, "check": verdicts}
    html = document({"choices": choices(), "state": ask.start.changed()}, live=False, grid=grid)
    size = len(html.encode())
    if size > MOST_BYTES:
        raise InputError(
            f"the page would have {size / MEGA:.1f} MB; expected at most {MOST_BYTES / MEGA:g}: fewer --hardware, "
            "--engine, --precision, --tp or --mtp, or one pair of --isl and --osl"
        )
    return Exported(html, sum(map(len, found.answers.values())), reasons(found.left_out))


def reasons(left_out: Sequence[str]) -> tuple[str, ...]:
    """Each reason once, behind the series that it is the reason for.

    Example:
        >>> reasons(["H200 Off: no FP4 peak", "H200 Off: no FP4 peak\\nH200 MTP 1: no FP4 peak", "TP2 does not fit"])
        ('H200 Off, H200 MTP 1: no FP4 peak', 'TP2 does not fit')
    """
    found: dict[str, list[str]] = {}
    for line in (line for note in left_out for line in note.splitlines()):
        one = SERIES.match(line)
        labels = found.setdefault(line[one.end() :] if one else line, [])
        if one and one[1] not in labels:
            labels.append(one[1])
    return tuple(f"{', '.join(labels)}: {reason}" if labels else reason for reason, labels in found.items())
