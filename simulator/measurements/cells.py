"""Measured rows -> cells: one per configuration, repeated runs pooled, each metric with the noise it is believed to
have."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from simulator.cost.calibration import PRIORS, load_calibration
from simulator.errors import InputError
from simulator.measurements import MeasuredPoint
from simulator.measurements.configuration import Configuration, configuration
from simulator.prediction.predict import check_concurrencies
from simulator.units import KILO

METRICS = ("total_tok_s_gpu", "mean_tpot_ms", "median_tpot_ms", "mean_ttft_ms", "median_ttft_ms", "p99_ttft_ms")

MODEL_ERROR = {"total_tok_s_gpu": 0.015, "tpot": 0.015, "ttft": 0.06, "tail": 0.06}
"""Log error that a good model keeps: what the weights assume, not a result."""

RUN_NOISE = {"total_tok_s_gpu": 0.015, "tpot": 0.013, "ttft": 0.09, "tail": 0.18}
"""Log spread of repeated runs without drafts, atom_mi355x_tp4.csv: median over the cells. No repeated runs with a p99
of TTFT were published: assumed twice that of the mean, since the opening burst alone decides it."""

DRAFT_NOISE = 0.16
"""With drafts, throughput and TPOT of repeated runs spread by this over sqrt(concurrency): few requests at low
concurrency, so their acceptance varies (8 % at concurrency 4, atom_mi355x_tp4.csv)."""

MIN_REPEATS = 4
"""From this many repeated runs on, their own spread is used instead."""


@dataclass(frozen=True)
class Observation:
    """One metric of a cell: median over repeated runs, and the standard deviation of its logarithm."""

    metric: str
    value: float
    sd: float


@dataclass(frozen=True)
class Cell:
    """One configuration and what was measured there. ``lines`` are (file, line) of the rows."""

    configuration: Configuration
    observations: tuple[Observation, ...]
    lines: tuple[tuple[str, int], ...]


def measured(row: MeasuredPoint, metric: str) -> float | None:
    """A metric of a row. Interactivity stands for the median TPOT, output throughput is not used twice.

    Raises:
        InputError: a time per output token after the first where osl is 1.
    """
    value: float | None = getattr(row, metric)
    if "tpot" in metric and row.osl == 1 and (value or row.interactivity_tok_s_user):
        raise InputError(f"{row.file}: line {row.line}: column {metric!r}: there is no TPOT where osl is 1")
    if value is None and metric == "median_tpot_ms" and row.interactivity_tok_s_user is not None:
        return KILO / row.interactivity_tok_s_user
    if value is None and metric == "total_tok_s_gpu" and row.output_tok_s_gpu is not None:
        return row.output_tok_s_gpu * (row.isl + row.osl) / row.osl
    return value


def checked_configuration(
    row: MeasuredPoint, *, model: str | None = None, allow_dequant: bool = False
) -> Configuration:
    """The configuration of a row that can be simulated: lengths, acceptance, concurrency and memory are in bounds.

    Raises:
        InputError: names the file and the line of the row, and what is out of bounds.
    """
    config = configuration(row, model=model, allow_dequant=allow_dequant)
    length = None if config.spec_tokens == 0 else config.acceptance_length or 1.0
    try:
        check_concurrencies([config.concurrency])
        scenario = replace(config, acceptance_length=length).scenario(load_calibration(PRIORS))
        if scenario.max_concurrency < 1:
            scenario.check_memory(1)
    except InputError as fault:
        raise InputError(f"{row.file}: line {row.line}: {fault}") from None
    return config


def cells_of(rows: Iterable[MeasuredPoint], *, model: str | None = None, allow_dequant: bool = False) -> list[Cell]:
    """Pool rows of one configuration.

    Args:
        rows: measured points.
        model: profile name or path to use instead of the model that the rows name.
        allow_dequant: compute in the next wider format that the hardware has.

    Raises:
        InputError: a row that no profile can describe.
    """
    groups: dict[Configuration, list[MeasuredPoint]] = defaultdict(list)
    for row in rows:
        groups[checked_configuration(row, model=model, allow_dequant=allow_dequant)].append(row)
    cells = []
    for config, members in groups.items():
        found = [obs for metric in METRICS if (obs := _observe(config, members, metric)) is not None]
        if found:
            cells.append(Cell(config, tuple(found), tuple((r.file, r.line) for r in members)))
    return cells


def kind_of(metric: str) -> str:
    """What metrics have in common: ``tail``, ``ttft`` and ``tpot``, each mean or median; else the metric itself."""
    return "tail" if metric == "p99_ttft_ms" else "ttft" if "ttft" in metric else "tpot" if "tpot" in metric else metric


def _observe(config: Configuration, rows: Sequence[MeasuredPoint], metric: str) -> Observation | None:
    values = [v for r in rows if (v := measured(r, metric)) is not None]
    if not values:
        return None
    kind = kind_of(metric)
    run = RUN_NOISE[kind]
    if config.spec_tokens and kind not in ("ttft", "tail"):
        run = math.hypot(run, DRAFT_NOISE / math.sqrt(config.concurrency))
    if len(values) >= MIN_REPEATS:
        run = float(np.std(np.log(values), ddof=1))
    # the spread is not divided by sqrt(n): days differ in ways that averaging does not remove
    return Observation(metric, float(np.median(values)), math.hypot(MODEL_ERROR[kind], run))
