"""Our trace: CSV with ``arrival_s``, ``input_tokens`` and ``output_tokens``, in any order, other columns ignored."""

from __future__ import annotations

from simulator.traffic.formats.cells import csv_rows, time_of
from simulator.traffic.formats.head import Head
from simulator.traffic.formats.requests import requests_of
from simulator.traffic.trace import Trace

NAME = "a trace (CSV)"
COLUMNS = ("arrival_s", "input_tokens", "output_tokens")


def recognises(head: Head) -> bool:
    """By its columns."""
    return head.header >= set(COLUMNS)


def read(text: str, path: str) -> Trace:
    """Times in seconds.

    Raises:
        InputError: the first faulty lines by number.
    """
    return requests_of(NAME, path, csv_rows(text, path, COLUMNS), COLUMNS, time_of, may_fail=False)
