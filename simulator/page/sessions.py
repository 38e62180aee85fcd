"""One series of replayed sessions: an accelerator at one draft depth over numbers of live sessions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from simulator import api
from simulator.page.one import chosen
from simulator.page.series import Series, series_of
from simulator.page.state import State
from simulator.results.table import ResultTable

DURATION = "20min"
"""Window of every replay: that of the published benchmark in its fast mode."""


@dataclass(frozen=True)
class Played:
    """What decides the points of one series, and nothing else: a key that answers are kept by."""

    series: Series
    tp: int
    concurrency: tuple[int, ...]
    prefix_cache: str
    host_cache_ratio: float

    def scenario_arguments(self) -> dict[str, Any]:
        """The arguments of :func:`simulator.make_scenario`, without fixed lengths."""
        return {"tp": self.tp, **self.series.arguments()}

    def arguments(self) -> dict[str, Any]:
        """The arguments of :func:`simulator.replay` that are not the default, beside the cost basis."""
        found: dict[str, Any] = {"concurrency": list(self.concurrency), "duration": DURATION}
        found |= {"prefix_cache": self.prefix_cache} if self.prefix_cache != "on" else {}
        return found | ({"host_cache_ratio": self.host_cache_ratio} if self.host_cache_ratio else {})


Replays = Callable[[Played, bool], ResultTable]
"""Where the points of a series come from: replayed, or kept from before; with or without intervals."""


def replayed(played: Played, intervals: bool) -> ResultTable:
    """The points of a series, replayed now.

    Raises:
        InputError: what the profiles cannot do, or no request fits.
    """
    scenario = api.make_scenario(**played.scenario_arguments())
    found = api.replay(scenario, **played.arguments(), intervals=intervals)
    return ResultTable(found.meta, found.rows)


def played_of(state: State) -> list[Played]:
    """The series of a state: every accelerator at every depth, on one replica size.

    Raises:
        InputError: a name or TP that is not known.
    """
    _, tp = chosen(state.model_copy(update={"why_hardware": "", "why_mtp": -1}))
    lengths = {"isl": State().isl, "osl": State().osl}
    return [
        Played(
            series,
            tp,
            tuple(sorted(state.agentic_concurrency)),
            state.agentic_prefix_cache,
            state.agentic_host_cache_ratio,
        )
        for series in series_of(state.model_copy(update=lengths))
    ]
