"""Readings of a sweep's labels: the configurations that it may have been, and what they would have measured."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from simulator.errors import InputError
from simulator.facts.formats import BYTES_PER_PARAM
from simulator.measurements import MeasuredPoint
from simulator.measurements.configuration import DEFAULT_DEPTH, Configuration, recipe_of_run
from simulator.prediction.predict import predict_one
from simulator.serving.scenario import resolve_calibration
from simulator.validation.curves import Known

Predicted = tuple[float, float, float]
"""A metric with the ends of its 90 % interval."""
Measured = Mapping[tuple[int, str], float]
"""(index of a row, metric) -> value."""

ACCEPTANCE = "other_acceptance"
"""Kind of the reading in which no label is wrong."""
DEEPER = 7
"""Draft depth tried where the default one cannot give the speed."""
LEAST_LENGTH = 1.5
"""Acceptance length that is told apart from none, tokens per round."""
RANKS = (2, 4, 8, 16)
SHARES = (0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98)
"""Shares of the input that a cache may hold."""
PROMPTS = 0.75
"""Share of the tokens that are input from which a cache of them makes a throughput."""
POINTS = 7
"""Acceptance lengths that are predicted; between them the logarithms are interpolated."""


@dataclass(frozen=True)
class Reading:
    """One reading of a sweep.

    Attributes:
        kind: stable name.
        text: in words; ``{rows}`` stands for how many rows there are.
        free: numbers that were fitted.
        predicted: (index of a row, metric) -> middle, low, high.
        data: the numbers by name.
    """

    kind: str
    text: str
    free: int
    predicted: Mapping[tuple[int, str], Predicted]
    data: Mapping[str, Any] = field(default_factory=dict)

    def words(self, rows: Sequence[object]) -> str:
        """The reading in words."""
        return self.text.replace("{rows}", "one row" if len(rows) == 1 else f"all {len(rows)} rows")


class Repredictor:
    """Predictions of other configurations, each once."""

    def __init__(self, calibration: str | None, force: bool, method: str) -> None:
        """Predict with this calibration where it covers a configuration, else with its default."""
        self.calibration, self.force, self.method = calibration, force, method
        self.known: dict[Configuration, dict[int, Mapping[str, Any]] | None] = {}

    def at(self, curve: Configuration, counts: Sequence[int]) -> dict[int, Mapping[str, Any]] | None:
        """Metrics with their intervals by concurrency, or None where such runs are impossible.

        Args:
            curve: a configuration, whatever its concurrency.
            counts: concurrencies.
        """
        curve = replace(curve, concurrency=0)
        known = self.known.setdefault(curve, {})
        missing = [] if known is None else sorted(set(counts) - set(known))
        if known is not None and missing:
            found = self._predict(curve, missing)
            if found is None:
                self.known[curve] = None
            else:
                known.update(found)
        return self.known[curve]

    def capacity(self, config: Configuration) -> int:
        """Requests that fit in memory at once."""
        return config.scenario(resolve_calibration(None, config.deployment, False, config.isl)[0]).max_concurrency

    def _predict(self, curve: Configuration, counts: Sequence[int]) -> dict[int, Mapping[str, Any]] | None:
        try:
            try:
                used, forced = resolve_calibration(self.calibration, curve.deployment, self.force, curve.isl)
            except InputError:
                used, forced = resolve_calibration(None, curve.deployment, False, curve.isl)
            scenario = curve.scenario(used, forced)
            table = predict_one(scenario, counts, method=self.method, over_memory="queue")
        except InputError:
            return None
        return {row["concurrency"]: row for row in table.rows}


def readings(rows: Sequence[Known], measured: Measured, again: Repredictor) -> Iterator[Reading]:
    """Every reading that can be predicted, for rows of one sweep that are too fast.

    Args:
        rows: of one sweep.
        measured: their values.
        again: predicts.
    """
    yield from _narrower_weights(rows, measured, again)
    yield from _drafting(rows, measured, again)
    yield from _ranks(rows, measured, again)
    yield from _cached(rows, measured, again)


def _predictions(
    rows: Sequence[Known],
    measured: Measured,
    again: Repredictor,
    curve: Configuration,
    scale: float = 1.0,
    share: int = 1,
) -> dict[tuple[int, str], Predicted] | None:
    """What a curve predicts of the rows; throughput times ``scale``, each of ``share`` ranks with its share of
    clients. None where such runs are impossible."""
    clients = {one.index: max(1, round(one.row.concurrency / share)) for one in rows}
    known = again.at(curve, sorted(set(clients.values())))
    if known is None:
        return None
    out: dict[tuple[int, str], Predicted] = {}
    for index, metric in measured:
        found = known[clients[index]]
        by = scale if metric.endswith("tok_s_gpu") else 1.0
        out[index, metric] = (by * found[metric], by * found[f"{metric}_lo"], by * found[f"{metric}_hi"])
    return out


def _narrower_weights(rows: Sequence[Known], measured: Measured, again: Repredictor) -> Iterator[Reading]:
    curve = rows[0].curve
    checkpoints = curve.deployment.model.checkpoints
    stated = BYTES_PER_PARAM[curve.deployment.weights.body]
    for one in checkpoints.values():
        if BYTES_PER_PARAM[one.body] >= stated:
            continue
        other = _with_own_recipe(replace(curve, precision=one.precision, checkpoint=one.repository), rows[0].row)
        found = None if other is None else _predictions(rows, measured, again, other)
        if found is not None:
            narrow, wide = one.precision.upper(), curve.precision.upper()
            text = f"{narrow} runs labelled {wide}: the weights of {one.repository} give them"
            yield Reading("narrower_weights", text, 0, found, {"fits_precision": narrow})


def _with_own_recipe(other: Configuration, row: MeasuredPoint) -> Configuration | None:
    """With the recipe of its own precision on the day of the row, unless the row names one; None if it cannot run."""
    if row.recipe is not None:
        return other
    try:
        return replace(other, recipe=recipe_of_run(replace(other, recipe=None), row.date, row.engine_version))
    except InputError:
        return None


def _drafting(rows: Sequence[Known], measured: Measured, again: Repredictor) -> Iterator[Reading]:
    """MTP runs labelled Off, or of another acceptance than assumed, at the acceptance length that fits best."""
    curve = rows[0].curve
    if curve.deployment.model.draft is None:
        return
    for k in (curve.spec_tokens,) if curve.spec_tokens else (DEFAULT_DEPTH, DEEPER):
        lengths = np.linspace(LEAST_LENGTH, 1.0 + k, POINTS)
        grid = [
            _predictions(rows, measured, again, replace(curve, spec_tokens=k, acceptance_length=float(length)))
            for length in lengths
        ]
        if any(found is None for found in grid):
            return
        length = _best(lengths, [found or {} for found in grid], measured)
        at_end = length >= 1.0 + k - 1e-6 or length <= LEAST_LENGTH + 1e-6
        found = _predictions(rows, measured, again, replace(curve, spec_tokens=k, acceptance_length=length))
        if curve.spec_tokens and (found is None or length >= 1.0 + k - 1e-6):
            return
        if curve.spec_tokens and found is not None:
            yield Reading(ACCEPTANCE, f"an acceptance of {length:.2f} tokens per round explains {{rows}}", 1, found)
            return
        if found is not None:
            text = (
                f"MTP runs labelled Off: no Off run is this fast there, and one acceptance length of {length:.2f} "
                f"tokens per round at depth {k} explains {{rows}}"
            )
            data = {"acceptance_length": length, "spec_tokens": k}
            yield Reading("mtp_as_off", text, 1, found, data)
        if not at_end:
            return


def _best(
    values: np.ndarray[Any, Any], grid: Sequence[Mapping[tuple[int, str], Predicted]], measured: Measured
) -> float:
    """The value whose predictions, interpolated in their logarithms, are nearest to the measured ones."""
    fine = np.linspace(values[0], values[-1], 20 * len(values) + 1)
    cost = np.zeros(fine.size)
    for key, value in measured.items():
        middle = np.interp(fine, values, [math.log(found[key][0]) for found in grid])
        half = np.interp(fine, values, [0.5 * math.log(found[key][2] / found[key][1]) for found in grid])
        cost += np.minimum(((math.log(value) - middle) / half) ** 2, 16.0)
    return float(fine[int(np.argmin(cost))])


def _ranks(rows: Sequence[Known], measured: Measured, again: Repredictor) -> Iterator[Reading]:
    """Data-parallel ranks counted as one GPU; only where latencies tell it from a faster GPU."""
    curve = rows[0].curve
    if not all(any("tpot" in metric for index, metric in measured if index == one.index) for one in rows):
        return
    for n in RANKS:
        if any(one.row.concurrency < n for one in rows):
            return
        gpus = curve.tp * n
        spread = replace(curve, tp=gpus, dp=n * curve.dp, ep=max(curve.ep, gpus))
        for other, share in ((curve, n), (spread, 1)):
            found = _predictions(rows, measured, again, other, float(n), share)
            if found is not None:
                one = "one GPU" if curve.tp == 1 else "one"
                text = (
                    f"{n} data-parallel ranks counted as {one}: the throughput of {gpus} GPUs is given for {curve.tp}"
                )
                yield Reading("dp_as_one_gpu", text, 1, found, {"ranks": n, "gpus": gpus})


def _cached(rows: Sequence[Known], measured: Measured, again: Repredictor) -> Iterator[Reading]:
    """Input tokens from a prefix cache, counted in the throughput though nothing computed them."""
    curve = rows[0].curve
    if curve.isl < PROMPTS * (curve.isl + curve.osl) or not any(m.endswith("tok_s_gpu") for _, m in measured):
        return
    most = again.capacity(curve)
    grid = []
    for share in SHARES:
        computed = max(1, round(curve.isl * (1.0 - share)))
        scale = (curve.isl + curve.osl) / (computed + curve.osl)
        clients = [replace(one, row=replace(one.row, concurrency=min(one.row.concurrency, most))) for one in rows]
        found = _predictions(clients, measured, again, replace(curve, isl=computed), scale)
        if found is None:
            return
        grid.append(found)
    shares = np.array(SHARES)
    share = _best(shares, grid, measured)
    nearest = grid[int(np.argmin(np.abs(shares - share)))]
    found = {key: _between(shares, [one[key] for one in grid], share) for key in nearest}
    text = (
        f"cached input tokens are counted in the throughput: about {100 * share:.0f} % of the input from a prefix "
        "cache, not computed, explains {rows}"
    )
    yield Reading("cached_tokens", text, 1, found, {"cached_share": share})


def _between(values: np.ndarray[Any, Any], found: Sequence[Predicted], at: float) -> Predicted:
    low, middle, high = (math.exp(float(np.interp(at, values, [math.log(one[i]) for one in found]))) for i in (1, 0, 2))
    return middle, low, high
