"""Our rate profile: CSV with ``start_s`` and ``requests_per_s``."""

from __future__ import annotations

from simulator.errors import InputError
from simulator.traffic.formats.cells import csv_rows, parse_rows, rate_of, time_of
from simulator.traffic.formats.head import Head
from simulator.traffic.trace import Rates

NAME = "a rate profile"
COLUMNS = ("start_s", "requests_per_s")


def recognises(head: Head) -> bool:
    """By its columns."""
    return head.header >= set(COLUMNS)


def read(text: str, path: str) -> Rates:
    """Start times (s) and the rates (requests/s) that hold from there on.

    Raises:
        InputError: the first faulty lines by number; the first start must be 0 and some rate above 0.
    """
    table = parse_rows(path, csv_rows(text, path, COLUMNS), COLUMNS, (time_of, rate_of))
    if not table.size:
        raise InputError(f"{path}: no rows")
    if table[0, 0] != 0:
        raise InputError(f"{path}: line 2: {COLUMNS[0]}: the profile must start at 0, found {table[0, 0]:g}")
    if not table[:, 1].any():
        raise InputError(f"{path}: no rate above zero")
    return Rates(NAME, table[:, 0], table[:, 1])
