"""Our trace as JSONL: one object a line with ``arrival_s``, ``input_tokens`` and ``output_tokens``."""

from __future__ import annotations

from simulator.traffic.formats.cells import jsonl_rows, time_of
from simulator.traffic.formats.head import Head
from simulator.traffic.formats.own_csv import COLUMNS
from simulator.traffic.formats.requests import requests_of
from simulator.traffic.trace import Trace

NAME = "a trace (JSONL)"


def recognises(head: Head) -> bool:
    """By one of its keys; what the line lacks is said when it is read."""
    return bool(head.first_object.keys() & set(COLUMNS))


def read(text: str, path: str) -> Trace:
    """Times in seconds.

    Raises:
        InputError: the first faulty lines by number.
    """
    return requests_of(NAME, path, jsonl_rows(text, path, COLUMNS), COLUMNS, time_of, may_fail=False)
