"""What holds for every test: nothing is judged by the clock, since other programs may keep the machine busy."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


TESTS = Path(__file__).parent
SLOW = (TESTS / "slow.txt").read_text(encoding="utf-8").split("\n")[:-1]
"""How the names of tests begin that take most of the time of all: refits, trials, notebooks, long pages."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the slow ones, which run with ``-m slow`` only."""
    for item in items:
        name = f"{item.path.relative_to(TESTS).as_posix()}::{item.nodeid.partition('::')[2]}"
        if any(name == one or name.startswith((f"{one}::", f"{one}[")) for one in SLOW):
            item.add_marker(pytest.mark.slow)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for all tests that a browser is missing for."""
    told = [str(report.longrepr[2]) for report in terminalreporter.getreports("skipped") if report.longrepr]
    browser = [reason for reason in told if "browser tests skipped" in reason]
    if browser:
        terminalreporter.write_line(f"{len(browser)} {browser[0].removeprefix('Skipped: ')}")


@pytest.fixture(autouse=True)
def no_bug_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception that no command expects fails the test; the sentence that users get has tests of its own."""

    def raise_it(fault: Exception, arguments: Sequence[str]) -> int:
        raise fault

    monkeypatch.setattr("simulator.cli._admit", raise_it)


@pytest.fixture
def growth() -> Callable[[Callable[[], object], Callable[[], object]], float]:
    """Ratio of the processor time of a large job to that of a small one, each the least of three.

    Time in which other programs run does not count, and what slows one job slows both.
    """

    def cost(job: Callable[[], object]) -> float:
        begin = time.process_time()
        job()
        return time.process_time() - begin

    def ratio(small: Callable[[], object], large: Callable[[], object]) -> float:
        pairs = [(cost(small), cost(large)) for _ in range(3)]
        return min(b for _, b in pairs) / min(a for a, _ in pairs)

    return ratio
