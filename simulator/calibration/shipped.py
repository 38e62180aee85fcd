"""The calibrations that ship with the package, and how each is made from the shipped measurements."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from simulator.calibration.session import Progress, Session, calibrate


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


def measured_file(name: str) -> Path:
    """Path of a shipped measurement file."""
    return Path(str(resources.files("simulator").joinpath("measured", name)))


def build(recipe: Recipe, progress: Progress = lambda text: None) -> Session:
    """Make one shipped calibration again."""
    return calibrate(
        [measured_file(recipe.file)],
        name=recipe.name,
        description=recipe.description,
        expression=recipe.expression,
        prior=recipe.prior,
        progress=progress,
    )
