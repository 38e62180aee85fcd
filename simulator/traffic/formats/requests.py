"""Requests of a file as a trace: failed ones left out with a count."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from simulator.errors import InputError
from simulator.traffic.formats.cells import Kind, Row, number_of, parse_rows, tokens_of
from simulator.traffic.trace import Trace


def requests_of(
    kind: str, path: str, rows: Iterable[Row], names: Sequence[str], time: Kind, *, may_fail: bool, scale: float = 1.0
) -> Trace:
    """A trace of rows of arrival, input tokens and output tokens.

    Args:
        kind: name of the format.
        path: of the file, for messages.
        rows: as of :func:`simulator.traffic.formats.cells.csv_rows`.
        names: of the three columns, for messages.
        time: reads an arrival.
        may_fail: an output of 0 tokens is a failed request, as its publisher says, and no fault of the file.
        scale: seconds in the unit of the arrivals.

    Raises:
        InputError: the first faulty lines by number, or no request with an output.
    """
    failed = 0

    def answered() -> Iterator[Row]:
        nonlocal failed
        for line, cells in rows:
            if may_fail and has_failed(cells[2]):
                failed += 1
            else:
                yield line, cells

    table = parse_rows(path, answered(), names, (time, tokens_of, tokens_of))
    if not table.size:
        every = f"all {failed} requests failed (no output)" if failed else "no rows"
        raise InputError(f"{path}: {kind} without requests: {every}")
    return Trace(
        kind=kind,
        send=table[:, 0] * scale,
        prompt=table[:, 1].astype(np.int64),
        output=table[:, 2].astype(np.int64),
        failed=failed,
    ).on_own_clock()


def has_failed(output: Any) -> bool:
    """Whether a request has no output, by the cell that holds its tokens."""
    try:
        return number_of(output) == 0
    except (ValueError, TypeError):
        return False
