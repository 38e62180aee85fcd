"""Rows predicted by a fit that did not see them: how far off, how sure, and how far from the data."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from simulator.cost.calibration import Noise
from simulator.cost.measured import Curve
from simulator.fitting.calibrate import NOISE_OF_KIND
from simulator.fitting.curves import curves_of
from simulator.fitting.fit import Fit
from simulator.fitting.scoring import KINDS, parameter_variance, predictor, row_errors
from simulator.measurements import MeasuredPoint
from simulator.measurements.cells import METRICS, measured
from simulator.measurements.configuration import configuration
from simulator.prediction.intervals import Z90
from simulator.serving.scope import Asked, Verdict, nearest

FEW_ROWS = 30
"""Splits with fewer rows are pooled: their share of rows inside an interval says little."""
SMALL = "splits of fewer than 30 rows, pooled"


@dataclass(frozen=True)
class HeldOut:
    """One measured value that a fit did not see.

    Attributes:
        split: name of the split.
        kind: ``throughput``, ``tpot`` or ``ttft``.
        log_error: log(predicted / measured).
        variance: of log(measured / predicted) by parameters and noise.
        verdict: where the row stands to the rows of the fit.
        rows: of its split.
    """

    split: str
    kind: str
    log_error: float
    variance: float
    verdict: Verdict
    rows: int

    @property
    def inside(self) -> bool:
        """Whether the value is within its 90 % interval, widened by the steps away from the data."""
        return abs(self.log_error) <= Z90 * math.sqrt(self.variance + self.verdict.spread(self.kind) ** 2)


def held_out(
    split: str,
    fit: Fit,
    train: Sequence[MeasuredPoint],
    test: Sequence[MeasuredPoint],
    noise: Noise,
    length: float | None = None,
) -> list[HeldOut]:
    """Every value of ``test`` under a fit of ``train``.

    Args:
        split: its name.
        fit: to the rows of ``train``.
        train: rows that the fit saw.
        test: rows that it did not see.
        noise: of the calibration that all rows belong to.
        length: acceptance length of MTP rows, in place of a fitted one.
    """
    curves = curves_of(map(configuration, train))
    if length is not None:
        test = [replace(row, acceptance_length=row.acceptance_length or length) for row in test]
    errors, variances = row_errors(test, predictor(fit)), parameter_variance(fit, test)
    verdicts = verdicts_of(curves, test)
    return [
        HeldOut(split, name, math.log1p(error), variance + getattr(noise, name) ** 2, verdict, len(test))
        for kind, name in NOISE_OF_KIND.items()
        for error, variance, verdict in zip(errors[kind], variances[kind], verdicts[kind], strict=True)
    ]


def verdicts_of(curves: Sequence[Curve], rows: Sequence[MeasuredPoint]) -> dict[str, list[Verdict]]:
    """The verdict on every value, in the order of :func:`simulator.fitting.scoring.row_errors`."""
    out: dict[str, list[Verdict]] = defaultdict(list)
    for row in rows:
        verdict = _verdict(curves, row)
        for metric in METRICS:
            if measured(row, metric) is not None:
                out[KINDS[metric]].append(verdict)
    return out


def _verdict(curves: Sequence[Curve], row: MeasuredPoint) -> Verdict:
    run = configuration(row)
    return nearest(curves, Asked.of(run.deployment, run.isl, run.osl, run.spec_tokens), run.concurrency)


def shares(values: Sequence[HeldOut]) -> dict[str, dict[str, float]]:
    """Per split, the smaller ones pooled, the share of values inside their interval: by kind, and of ``all``."""
    found: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for value in values:
        name = SMALL if value.rows < FEW_ROWS else value.split
        for kind in (value.kind, "all"):
            found[name][kind].append(value.inside)
    return {name: {kind: float(np.mean(inside)) for kind, inside in kinds.items()} for name, kinds in found.items()}


def cost_of(aspect: str, kind: str, values: Sequence[HeldOut], known: Mapping[str, Mapping[str, Any]]) -> float:
    """Standard deviation per unit of one step with which 90 % of the values that it was taken for are inside.

    Args:
        aspect: the step.
        kind: ``throughput``, ``tpot`` or ``ttft``.
        values: of all splits; those that took a step that is neither this one nor known are left out.
        known: cost of other steps.

    Returns:
        0 where no value took the step, or where the intervals are wide enough without it.
    """
    needed = []
    for value in values:
        sizes = {r.aspect: r.size for r in value.verdict.reasons if r.size}
        size = sizes.pop(aspect, 0.0)
        if value.kind != kind or not size or sizes.keys() - known.keys():
            continue
        others = sum(other * known[name][kind] ** 2 for name, other in sizes.items())
        needed.append(((value.log_error / Z90) ** 2 - value.variance - others) / size)
    return math.sqrt(max(0.0, float(np.quantile(needed, 0.9)))) if needed else 0.0
