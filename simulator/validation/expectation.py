"""What the model expects of each measured row, with its 90 % interval, and which rows leave it."""

from __future__ import annotations

import functools
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from simulator.errors import InputError
from simulator.measurements.cells import METRICS, measured
from simulator.measurements.configuration import Configuration
from simulator.prediction.intervals import Z90, noise_class
from simulator.prediction.predict import predict_one
from simulator.serving.scenario import Scenario, resolve_calibration
from simulator.serving.scope import Verdict, judge
from simulator.validation.curves import Known
from simulator.validation.reason import Place

BEYOND = 2.0
"""Half-widths of the 90 % interval between measured and expected from which a row is suspicious: beyond the end of the
interval by more than the interval. Normal errors get there once in a thousand times."""

LEAST_HALF = 0.01
"""Half-width (log) of an interval below which rounding alone would leave it."""


@dataclass(frozen=True, slots=True)
class Expected:
    """One metric of one row: measured, expected, and the ends of the 90 % interval, in the unit of the metric.

    ``away``: standard deviation (log) that the interval holds for steps away from what was measured.
    """

    metric: str
    measured: float
    predicted: float
    low: float
    high: float
    away: float = 0.0

    @property
    def ratio(self) -> float:
        """Measured over expected."""
        return self.measured / self.predicted

    @property
    def widths(self) -> float:
        """Distance from the expected value in half-widths of the interval (of its logarithm); positive is slower."""
        half = 0.5 * math.log(self.high / self.low)
        slower = -1.0 if self.metric.endswith("tok_s_gpu") else 1.0
        return slower * math.log(self.ratio) / half

    @property
    def inside(self) -> bool:
        """Whether the interval holds the measured value."""
        return self.low <= self.measured <= self.high

    @property
    def as_labelled(self) -> Expected:
        """With the interval of the labels alone: a wrong label is tried before a step away from the data is blamed."""
        half = 0.5 * math.log(self.high / self.low)
        own = math.exp(math.sqrt(max(half**2 - (Z90 * self.away) ** 2, LEAST_HALF**2)))
        middle = math.sqrt(self.low * self.high)
        return replace(self, low=middle / own, high=middle * own, away=0.0)

    def as_dict(self) -> dict[str, float]:
        """For JSON."""
        return {
            "measured": self.measured,
            "predicted": self.predicted,
            "lo": self.low,
            "hi": self.high,
            "widths": self.widths,
        }


@dataclass(frozen=True)
class Expectations:
    """What is expected of the rows of one report.

    Attributes:
        rows: index of a row -> its metrics.
        scenarios: curve -> the scenario that was predicted.
        refused: curve -> why nothing could be predicted.
        crowded: index of a row whose caches do not all fit at once by the memory account -> requests that fit.
        scopes: index of a row -> where it stands to what the calibration was fitted to. The intervals are those of the
            images that were measured: another image is a cause to name, not a reason to expect less.
    """

    rows: Mapping[int, Mapping[str, Expected]]
    scenarios: Mapping[Configuration, Scenario]
    refused: Mapping[Configuration, str]
    crowded: Mapping[int, int]
    scopes: Mapping[int, Verdict]

    def leaving(self, rows: Iterable[Known], places: Mapping[int, Place]) -> frozenset[Place]:
        """The rows that are suspicious by what is expected of them."""
        return frozenset(
            places[one.index]
            for one in rows
            if any(abs(e.widths) > BEYOND for e in self.rows.get(one.index, {}).values())
        )


def expectations(
    rows: Iterable[Known], calibration: str | None = None, force: bool = False, method: str = "des"
) -> Expectations:
    """Predict every row, each configuration once.

    Args:
        rows: rows that the profiles know.
        calibration: name or path; None: the default of each deployment.
        force: apply a calibration outside what it was fitted to.
        method: ``des`` or ``closed-form``.

    Raises:
        InputError: an unknown calibration, or one made for another hardware, model, engine or precision.
    """
    curves: dict[Configuration, list[Known]] = defaultdict(list)
    for known in rows:
        curves[known.curve].append(known)
    found: dict[int, dict[str, Expected]] = {}
    scenarios: dict[Configuration, Scenario] = {}
    refused: dict[Configuration, str] = {}
    crowded: dict[int, int] = {}
    scopes: dict[int, Verdict] = {}
    for curve, members in curves.items():
        used, forced = resolve_calibration(calibration, curve.deployment, force, curve.isl)
        try:
            scenario = curve.scenario(used, forced)
            counts = sorted({known.row.concurrency for known in members})
            table = predict_one(scenario, counts, method=method, over_memory="queue")
        except InputError as fault:
            refused[curve] = str(fault)
            continue
        scenarios[curve] = scenario
        by_count = {row["concurrency"]: row for row in table.rows}
        verdict = functools.cache(functools.partial(judge, scenario))
        for known in members:
            count, image = known.row.concurrency, known.row.engine_version
            found[known.index] = _compare(known, by_count[count], verdict(count))
            scopes[known.index] = verdict(count, image)
            if known.row.concurrency > scenario.max_concurrency:
                crowded[known.index] = scenario.max_concurrency
    return Expectations(found, scenarios, refused, crowded, scopes)


def _compare(known: Known, row: Mapping[str, float], verdict: Verdict) -> dict[str, Expected]:
    return {
        metric: Expected(
            metric, value, row[metric], row[f"{metric}_lo"], row[f"{metric}_hi"], verdict.spread(noise_class(metric))
        )
        for metric in METRICS
        if (value := measured(known.row, metric)) is not None and metric in row
    }
