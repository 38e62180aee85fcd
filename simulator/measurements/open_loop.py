"""Open-loop rows: the configuration that ran, the requests that were sent, and what the model says of them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from simulator.measurements.cells import checked_configuration
from simulator.measurements.configuration import Configuration
from simulator.measurements.rows import MeasuredPoint, OpenLoopPoint, Run
from simulator.prediction.open_loop import Sent, open_loop
from simulator.serving.scenario import Scenario


def alone(row: OpenLoopPoint) -> MeasuredPoint:
    """The same run with one client in place of the rate: what it ran on, without what was sent."""
    shared = {f.name: getattr(row, f.name) for f in fields(Run)}
    return MeasuredPoint(**{**shared, "requests": None}, concurrency=1)


def open_configuration(row: OpenLoopPoint, *, model: str | None = None, allow_dequant: bool = False) -> Configuration:
    """What ran, as a configuration of one client.

    Args:
        row: of an open loop.
        model: profile name or path to use instead of the model that the row names.
        allow_dequant: compute in the next wider format that the hardware has.

    Raises:
        InputError: names the file and the line of the row, and what is unknown.
    """
    return checked_configuration(alone(row), model=model, allow_dequant=allow_dequant)


def sent_of(row: OpenLoopPoint) -> Sent:
    """The requests of a run: gaps of gamma shape ``burstiness`` have a coefficient of variation of 1 / sqrt of it."""
    cv = 1.0 if row.burstiness is None else 1.0 / math.sqrt(row.burstiness)
    return Sent(row.request_rate_per_s, cv, row.requests)


def predicted(row: OpenLoopPoint, scenario: Scenario) -> Mapping[str, Any]:
    """Metrics of a row with their intervals, by discrete events, as of :func:`open_loop`."""
    return open_loop(scenario if row.recipe else unlimited(scenario), sent_of(row), image=row.engine_version)


def unlimited(scenario: Scenario) -> Scenario:
    """The scenario with the engine's own limit of running requests: a recipe's is made for the clients of its sweep."""
    d = scenario.deployment
    own = (d.launch.own or d.engine).max_running
    engine = d.engine.model_copy(update={"max_running": own})
    return replace(scenario, deployment=d.model_copy(update={"engine": engine}))


def measured_open(row: OpenLoopPoint, metric: str) -> float | None:
    """A metric of a row; the total throughput from the output alone where only that is there."""
    value: float | None = getattr(row, metric)
    if value is None and metric == "total_tok_s_gpu" and row.output_tok_s_gpu is not None:
        return row.output_tok_s_gpu * (row.isl + row.osl) / row.osl
    return value
