"""Traffic from files: traces of requests and rates over time, in any of the formats of ``formats/``.

A malformed row is refused by its line number, as is one that is out of order.
"""

from __future__ import annotations

from simulator.errors import InputError
from simulator.files.paths import user_path
from simulator.files.reading import check_rows, decoded, read_bytes
from simulator.traffic.formats import own_csv, rates
from simulator.traffic.formats.cells import csv_rows, parse_rows, tokens_of
from simulator.traffic.formats.head import Head
from simulator.traffic.formats.registry import PROFILES, SESSIONS, TRACES, format_of
from simulator.traffic.trace import Rates, Trace

BYTES_OF_ROW = 400
"""Memory that a row takes while it is read, an estimate."""
OTHERS = "of Mooncake, Azure or BurstGPT, or windows of ServeGen"


def read_traffic(path: str) -> Trace | Rates:
    """What a traffic file holds, by its content.

    Raises:
        InputError: no known format, or the first faulty lines by number.
    """
    return traffic_in(opened(path))


def traffic_in(head: Head) -> Trace | Rates:
    """What a traffic file holds that is already open.

    Raises:
        InputError: as of :func:`read_traffic`.
    """
    found = format_of(head)
    if found is None:
        raise _unknown(head, own_csv.COLUMNS)
    read: Trace | Rates = found.read(head.text, head.path)
    return read


def read_trace(path: str) -> Trace:
    """The requests of a trace.

    Raises:
        InputError: as of :func:`read_traffic`, or a file of rates.
    """
    found = read_traffic(path)
    if isinstance(found, Rates):
        raise InputError(f"{path}: {found.kind}, without requests; expected a trace")
    return found


def read_profile(path: str) -> Rates:
    """The rates of a profile.

    Raises:
        InputError: no known format, a trace, or the first faulty lines by number.
    """
    head = opened(path)
    found = format_of(head)
    if found in SESSIONS and found is not None:
        found.read(head.text, path)
    if found in TRACES and found is not None:
        raise InputError(f"{path}: this is {found.NAME}: give it as --trace; expected rates over time")
    if found not in PROFILES or found is None:
        raise _unknown(head, rates.COLUMNS)
    read: Rates = found.read(head.text, path)
    return read


def read_pairs(path: str) -> tuple[tuple[int, int], ...]:
    """Pairs of (input, output) tokens, in file order: of a CSV file with these columns, or of a trace.

    Raises:
        InputError: lists the first faulty lines by number.
    """
    head = opened(path)
    names = own_csv.COLUMNS[1:]
    if not head.header >= set(names) and format_of(head) in (*TRACES, *SESSIONS):
        trace = read_trace(path)
        return tuple(zip(trace.prompt.tolist(), trace.output.tolist(), strict=True))
    table = parse_rows(path, csv_rows(head.text, path, names), names, (tokens_of, tokens_of), ordered=False)
    if not table.size:
        raise InputError(f"{path}: no rows")
    return tuple((int(a), int(b)) for a, b in table)


def opened(path: str) -> Head:
    """The text of a traffic file.

    Raises:
        InputError: it cannot be read, or is larger than the limits allow.
    """
    data = read_bytes(user_path("trace", path), path)
    check_rows(data, path, bytes_each=BYTES_OF_ROW)
    return Head(decoded(data, path), path)


def _unknown(head: Head, columns: tuple[str, ...]) -> InputError:
    others = f", or a trace {OTHERS}" if columns == own_csv.COLUMNS else ", or windows of ServeGen"
    names = "keys" if head.is_json else "columns"
    return InputError(f"{head.path}: line 1: expected the {names} {', '.join(columns)}{others}, found {head.found}")
