"""One series: an accelerator at one draft depth over all runs of the sweep, as the public functions predict it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from simulator import api
from simulator.errors import InputError
from simulator.page.choices import NO_CALIBRATION
from simulator.page.state import MOST_CLIENTS, MOST_RUNS, State
from simulator.results.table import ResultTable
from simulator.serving.scenario import Scenario
from simulator.traffic.sweeps import Grid, parse_grid

MOST_GPUS = 64
PRIORS = "kernel-priors"


@dataclass(frozen=True)
class Series:
    """What decides the points of one series, and nothing else: a key that answers are kept by."""

    model: str
    hardware: str
    engine: str
    recipe: str
    precision: str
    checkpoint: str
    calibration: str
    isl: int
    osl: int
    sweep: tuple[str, ...]
    mtp: int
    acceptance: str

    @property
    def name(self) -> str:
        """What tells it from the other series of a state, such as ``mi355x/3``."""
        return f"{self.hardware}/{self.mtp}"

    @property
    def grid(self) -> Grid:
        """The runs of its sweep."""
        return runs(self.sweep)

    def arguments(self) -> dict[str, Any]:
        """The arguments of :func:`simulator.make_scenario`, those alone that are not the default."""
        stated = {
            "hardware": self.hardware if self.hardware != "mi355x" else None,
            "model": self.model if self.model != "qwen3.5-397b-a17b" else None,
            "engine": self.engine if self.engine != "sglang" else None,
            "recipe": self.recipe,
            "precision": None if self.checkpoint else self.precision,
            "checkpoint": self.checkpoint,
            "calibration": PRIORS if self.calibration == NO_CALIBRATION else self.calibration,
            "isl": self.isl if self.isl != 1024 else None,
            "osl": self.osl if self.osl != 1024 else None,
            "mtp": self.mtp,
        }
        found = {name: value for name, value in stated.items() if value}
        return found | (acceptance_arguments(self.acceptance) if self.mtp else {})

    def scenario(self, tp: int | None = None) -> Scenario:
        """The scenario on one replica size; None: the first of the sweep.

        Raises:
            InputError: what the profiles cannot do.
        """
        return api.make_scenario(tp=tp or self.grid.tp[0], **self.arguments())

    def predict(self, intervals: bool) -> ResultTable:
        """The points, of those runs that fit in memory, on the cost basis ``hyperscaler``.

        Raises:
            InputError: what the profiles cannot do, or nothing fits.
        """
        return api.predict(
            self.scenario(),
            sweep=self.grid,
            intervals=intervals,
            over_memory="leave-out",
        )


Points = Callable[[Series, bool], ResultTable]
"""Where the points of a series come from: computed, or kept from before; with or without intervals."""


def computed(series: Series, intervals: bool) -> ResultTable:
    """The points of a series, computed now."""
    return series.predict(intervals)


def runs(sweep: tuple[str, ...]) -> Grid:
    """The runs of a sweep, not too many of them.

    Raises:
        InputError: not a sweep, or too many or too large runs.
    """
    grid = parse_grid("sweep", sweep)
    for tp, clients in grid.sizes:
        if tp > MOST_GPUS:
            raise InputError(f"sweep: expected at most {MOST_GPUS} GPUs of a replica, found {tp}")
        if len(clients) > MOST_RUNS or max(clients) > MOST_CLIENTS:
            raise InputError(
                f"sweep: expected at most {MOST_RUNS} concurrencies of at most {MOST_CLIENTS} clients for TP{tp}, "
                f"found {len(clients)} up to {max(clients)}"
            )
    return grid


def series_of(state: State) -> list[Series]:
    """The series of a state: every accelerator at every depth."""
    return [
        Series(
            model=state.model,
            hardware=hardware,
            engine=state.engine,
            recipe=state.recipe,
            precision=state.precision,
            checkpoint=state.checkpoint,
            calibration=state.calibration,
            isl=state.isl,
            osl=state.osl,
            sweep=tuple(sorted(state.sweep)),
            mtp=k,
            acceptance=state.acceptance if k else "fitted",
        )
        for hardware in state.hardware
        for k in sorted(state.mtp)
    ]


def acceptance_arguments(acceptance: str) -> dict[str, Any]:
    """How :func:`simulator.make_scenario` is told of an acceptance; nothing for the fitted or published one.

    Example:
        >>> acceptance_arguments("length:2.85"), acceptance_arguments("fitted")
        ({'acceptance_length': 2.85}, {})
    """
    kind, _, value = acceptance.partition(":")
    if kind == "fitted":
        return {}
    return {f"acceptance_{kind}": value if kind == "profile" else float(value)}
