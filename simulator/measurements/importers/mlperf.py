"""MLPerf loadgen: ``mlperf_log_summary.txt``, recognised to say why it cannot be compared."""

from __future__ import annotations

import re

from simulator.errors import InputError
from simulator.measurements.importing.content import Content
from simulator.measurements.importing.taken import Record

NAME = "MLPerf loadgen summary"
NEEDS = "nothing that would help: it counts samples, not tokens"
_SCENARIO = re.compile(r"(?m)^Scenario\s*:\s*(\w+)")


def recognises(head: Content) -> bool:
    """By its title."""
    return "MLPerf Results Summary" in head.text[:2000]


def read(content: Content) -> list[Record]:
    """Nothing.

    Raises:
        InputError: always, with the reason.
    """
    found = _SCENARIO.search(content.text)
    scenario = found[1] if found else "unknown"
    loop = "offline: all samples are there at once, so there is neither a concurrency nor a rate"
    if scenario.lower() != "offline":
        loop = "its latencies are of whole samples, without the time to the first token"
    raise InputError(
        f"{content.name}: an MLPerf loadgen summary, scenario {scenario}: it counts samples and no tokens, and "
        f"{loop}; expected a file with token throughput and TTFT or TPOT, such as that of a serving benchmark"
    )
