"""Latency promises: a percentile of TTFT, TPOT or end-to-end latency under a limit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from simulator.errors import InputError
from simulator.units import duration_text, parse_duration

METRICS = ("ttft", "tpot", "e2e")
_NAME = re.compile(r"(ttft|tpot|e2e)-p([0-9]+(?:\.[0-9]+)?)")


@dataclass(frozen=True)
class Promise:
    """``percentile`` % of the requests have a ``metric`` of at most ``limit`` seconds."""

    metric: str
    percentile: float
    limit: float

    @property
    def name(self) -> str:
        """As on the command line, such as ``ttft-p99``."""
        return f"{self.metric}-p{self.percentile:g}"

    @property
    def words(self) -> str:
        """In words."""
        return f"p{self.percentile:g} {self.metric.upper()} of at most {duration_text(self.limit)}"


def parse_promise(text: str) -> Promise:
    """A promise from ``ttft-p99=2s``.

    Raises:
        InputError: another metric, a percentile that is not between 0 and 100, a limit without a known unit.

    Example:
        >>> parse_promise("tpot-p95=25ms")
        Promise(metric='tpot', percentile=95.0, limit=0.025)
    """
    name, equals, limit = text.partition("=")
    name = name.strip().lower()
    match = _NAME.fullmatch(name)
    if match is None:
        raise InputError(f"promise {text!r}: expected {', '.join(METRICS)} with a percentile, such as ttft-p99=2s")
    percentile = float(match[2])
    if not 0 < percentile < 100:
        raise InputError(f"--{name}: expected a percentile above 0 and below 100, found {match[2]}")
    if not equals:
        raise InputError(f"--{name}: expected a limit such as 2s or 25ms, found none")
    return Promise(match[1], percentile, parse_duration(f"--{name}", limit))


def check_promises(promises: Sequence[Promise]) -> None:
    """Refuse a promise that is made twice.

    Raises:
        InputError: names it.
    """
    names = [promise.name for promise in promises]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise InputError(f"--{min(twice)}: promised twice")


def parse_promises(promises: Sequence[str | Promise]) -> list[Promise]:
    """Promises, those in words read by :func:`parse_promise`.

    Raises:
        InputError: as of :func:`parse_promise`.
    """
    return [parse_promise(one) if isinstance(one, str) else one for one in promises]
