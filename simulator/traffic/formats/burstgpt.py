"""BurstGPT (Wang et al., arXiv 2401.17644): seconds, tokens of request and response, 0 where it failed."""

from __future__ import annotations

from simulator.traffic.formats.cells import csv_rows, time_of
from simulator.traffic.formats.head import Head
from simulator.traffic.formats.requests import requests_of
from simulator.traffic.trace import Trace

NAME = "a BurstGPT trace"
COLUMNS = ("Timestamp", "Request tokens", "Response tokens")


def recognises(head: Head) -> bool:
    """By its columns."""
    return head.header >= {name.lower() for name in COLUMNS}


def read(text: str, path: str) -> Trace:
    """Times in seconds; requests that failed are left out with a count.

    Raises:
        InputError: the first faulty lines by number.
    """
    return requests_of(NAME, path, csv_rows(text, path, COLUMNS), COLUMNS, time_of, may_fail=True)
