"""The calibrations that ship with the package, and how each is made from the shipped measurements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from simulator.cost.calibration import load_calibration
from simulator.fitting.calibrate import Session, calibrate
from simulator.measurements.files import shipped_measurements
from simulator.results.progress import Progress, silent


@dataclass(frozen=True)
class Recipe:
    """One shipped calibration: its data file, the selection, and the calibration it starts from."""

    name: str
    description: str
    file: str
    expression: str | None = None
    prior: str | None = None


RECIPES = (
    Recipe(
        "atom-mi355x",
        "ROCm/ATOM on MI355X, TP4, FP4 and FP8, 1k/1k and 8k/1k, nightly images of May 2026",
        "atom_mi355x_tp4.csv",
    ),
    Recipe(
        "sglang-mi355x-fp4-2026-09",
        "SGLang v0.5.19 on MI355X, TP2 and TP4, MXFP4 with FP8 attention, 8k/1k, InferenceX September 2026",
        "sglang_mi355x_8k1k.csv",
        "precision=FP4",
    ),
    Recipe(
        "sglang-mi355x-fp8-2026-08",
        "SGLang v0.5.18 on MI355X, TP4, FP8, 8k/1k, InferenceX August 2026",
        "sglang_mi355x_8k1k.csv",
        "precision=FP8",
    ),
    Recipe(
        "inferencex-mi355x-fp4-1k1k",
        "The InferenceX page 'MI355X FP4: MTP vs Off': six points of an interpolated frontier, 1k/1k",
        "inferencex_frontier_fp4_1k1k.csv",
        None,
        "sglang-mi355x-fp4-2026-09",
    ),
)


def build(recipe: Recipe, progress: Progress = silent, cross_validate: bool = True) -> Session:
    """Make one shipped calibration again; without cross-validation its parameters are the same, its noise is not."""
    return calibrate(
        [shipped_measurements(recipe.file)],
        name=recipe.name,
        description=recipe.description,
        select=recipe.expression,
        prior=recipe.prior,
        cross_validate=cross_validate,
        progress=progress,
    )


def shipped_file(name: str) -> Path:
    """Path of a shipped calibration file."""
    return Path(str(resources.files("simulator").joinpath("fitting", "calibrations", f"{name}.yaml")))


DRIFT = 0.1
"""A refit may differ from the shipped value by this part of its standard error: rounding on another machine."""


def differences(content: Mapping[str, Any], name: str) -> list[str]:
    """Sentences on every fitted value that differs from the shipped file by more than :data:`DRIFT` standard errors."""
    shipped = load_calibration(name)
    out = []
    for parameter, entry in content["parameters"].items():
        known, p = shipped.parameters.get(parameter), shipped.known[parameter]
        if known is None:
            out.append(f"{name}: {parameter}: missing in the shipped file")
        elif abs(p.to_internal(entry["value"]) - p.to_internal(known.value)) > DRIFT * max(known.stderr, 1e-3):
            out.append(f"{name}: {parameter}: shipped {known.value}, refitted {entry['value']} {known.unit}")
    found, kept = content.get("acceptance"), shipped.acceptance
    if (found is None) != (kept is None):
        out.append(f"{name}: acceptance: only one of the shipped file and the refit has one")
    elif found is not None and kept is not None and abs(found["length"] - kept.length) > DRIFT * kept.stderr:
        out.append(f"{name}: acceptance length: shipped {kept.length}, refitted {found['length']}")
    for source, entry in zip(shipped.data, content["data"], strict=True):
        if source.sha256 != entry["sha256"]:
            out.append(f"{name}: data {source.file}: the shipped measurements changed since the fit")
    return out
