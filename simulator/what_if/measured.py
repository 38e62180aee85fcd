"""Measured points on the map of a what-if study: the acceptance length that each measured pair implies."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from simulator.serving.scenario import Scenario
from simulator.what_if.infer import infer_acceptance


def measured_points(path: str | Path, scenario: Scenario) -> list[Mapping[str, Any]]:
    """``concurrency``, ``acceptance_length``, ``lo`` and ``hi`` of the pairs of a CSV file that a scenario describes.

    Raises:
        InputError: no row of the file is of this hardware, precision, engine, lengths and TP, or none has an Off row.
    """
    d, w = scenario.deployment, scenario.workload
    wanted = {
        "hardware": d.hardware.name,
        "precision": d.weights.precision,
        "engine": d.engine.name,
        "isl": w.isl,
        "osl": w.osl,
        "tp": d.tp,
    }
    expression = " and ".join(f'{key}="{value}"' for key, value in wanted.items())
    calibration = scenario.calibration.name
    return list(infer_acceptance(path, path, calibration, select=expression, force=bool(scenario.forced)).points)
