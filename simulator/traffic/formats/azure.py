"""Azure LLM inference traces (Splitwise, ISCA 2024, and later ones): dates, context and generated tokens."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from simulator.traffic.formats.cells import csv_rows
from simulator.traffic.formats.head import Head
from simulator.traffic.formats.requests import requests_of
from simulator.traffic.trace import Trace

NAME = "an Azure trace"
COLUMNS = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
_DATE = re.compile(r"(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d)(\.\d{1,12})?\s*(Z|[-+]\d\d:?\d\d)?", re.ASCII)


def recognises(head: Head) -> bool:
    """By its columns."""
    return head.header >= {name.lower() for name in COLUMNS}


def read(text: str, path: str) -> Trace:
    """Times in seconds from the first request.

    Raises:
        InputError: the first faulty lines by number.
    """
    return requests_of(NAME, path, csv_rows(text, path, COLUMNS), COLUMNS, seconds_of, may_fail=True)


def seconds_of(value: Any) -> float:
    """Seconds since 1970 of a date; a date without a zone is taken as UTC.

    Raises:
        ValueError: not a date.

    Example:
        >>> seconds_of("1970-01-01 00:01:00.5000000")
        60.5
    """
    found = _DATE.fullmatch(value.strip()) if isinstance(value, str) else None
    wrong = "expected a date such as 2023-11-16 18:15:46.6805900"
    if found is None:
        raise ValueError(wrong)
    date, fraction, zone = found.groups()
    try:
        whole = datetime.fromisoformat(date + ("+00:00" if zone in (None, "Z") else zone))
    except ValueError:
        raise ValueError(wrong) from None
    since = (whole - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    if since < 0:
        raise ValueError(wrong)
    return since + float(fraction or 0)
