"""What the controls of the page offer."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from simulator import api
from simulator.errors import InputError, unknown_name
from simulator.page.metrics import METRICS
from simulator.page.state import State
from simulator.prediction.predict import versions
from simulator.serving.scenario import COST_BASES

PRESETS = ((1024, 1024), (8192, 1024), (1024, 8192))
"""Input and output lengths of the published pages, tokens."""
TPS = (1, 2, 4, 8)
DEEPEST = 8
PRECISIONS = ("fp4", "fp8", "bf16", "int4")
NO_CALIBRATION = "none"
"""The word for kernel priors."""


@functools.cache
def names(kind: str) -> tuple[str, ...]:
    """Names of the profiles of a kind that ship: all that a page may name."""
    return tuple(api.profiles(kind).column("name"))


def check_names(state: State) -> None:
    """Refuse a name that no shipped profile has, before anything is looked for: no path is ever opened.

    Raises:
        InputError: names the kind and the nearest.
    """
    asked = {
        "model": (state.model,),
        "hardware": state.hardware,
        "engine": (state.engine,),
        "recipe": (state.recipe,),
        "calibration": (state.calibration,),
        "acceptance": (state.acceptance.removeprefix("profile:"),) if state.acceptance.startswith("profile:") else (),
    }
    for kind, found in asked.items():
        for name in found:
            if name and name != NO_CALIBRATION and name not in names(kind):
                raise unknown_name(kind, name, names(kind))
    for name in (state.x, state.y):
        if name not in {metric.name for metric in METRICS}:
            raise unknown_name("metric", name, [metric.name for metric in METRICS])
    if state.checkpoint and state.checkpoint not in api.load_model(state.model).checkpoints:
        raise unknown_name("checkpoint", state.checkpoint, api.load_model(state.model).checkpoints)
    if state.against and state.against not in published():
        raise unknown_name("published frontier", state.against, published())


@functools.cache
def published() -> tuple[str, ...]:
    """Shipped calibrations that were fitted to a published frontier, which can be laid over a curve."""
    found = []
    for name in names("calibration"):
        sources = api.load_calibration(name).data
        if any(_is_frontier(source.file) for source in sources):
            found.append(name)
    return tuple(found)


def _is_frontier(file: str) -> bool:
    try:
        return api.read_measurements(api.shipped_measurements(file))[0].concurrency is not None and "frontier" in file
    except InputError:
        return False


@functools.cache
def choices() -> Mapping[str, Any]:
    """Everything that a control offers, and the state that a page begins with."""
    return {
        "version": versions()["mtpsim"],
        "models": [_model(name) for name in names("model")],
        "hardware": [_hardware(name) for name in names("hardware")],
        "engines": [{"name": name, "label": name} for name in names("engine")],
        "recipes": [_recipe(name) for name in names("recipe")],
        "calibrations": [_calibration(name) for name in names("calibration")],
        "acceptance_profiles": [_profile(row) for row in api.profiles("acceptance").records()],
        "published": list(published()),
        "precisions": list(PRECISIONS),
        "presets": [{"isl": isl, "osl": osl, "label": f"{_short(isl)}/{_short(osl)}"} for isl, osl in PRESETS],
        "tps": list(TPS),
        "metrics": [metric.as_json() for metric in METRICS],
        "cost_bases": list(COST_BASES),
        "colours": _colours(),
        "default": State().as_json(),
    }


def _short(tokens: int) -> str:
    return f"{tokens // 1024}k"


def _model(name: str) -> dict[str, Any]:
    model = api.load_model(name)
    checkpoints = [
        {"name": own, "precision": one.precision, "label": one.repository or own}
        for own, one in model.checkpoints.items()
    ]
    draft = model.draft is not None
    return {
        "name": name,
        "label": name,
        "checkpoints": checkpoints,
        "draft": draft,
        "max_mtp": DEEPEST if draft else 0,
        "acceptance_profile": model.default_acceptance,
    }


def _hardware(name: str) -> dict[str, Any]:
    hardware = api.load_hardware(name)
    priced = hardware.price is not None
    powered = hardware.all_in_power is not None
    return {"name": name, "label": name.upper(), "vendor": hardware.vendor, "priced": priced, "powered": powered}


def _recipe(name: str) -> dict[str, Any]:
    address = api.load_recipe(name).address
    return {"name": name, "label": name, "engine": address.engine, "hardware": list(address.hardware)}


def _calibration(name: str) -> dict[str, Any]:
    calibration = api.load_calibration(name)
    scope = calibration.scope
    return {
        "name": name,
        "label": name,
        "hardware": list(scope.hardware),
        "model": list(scope.model),
        "engine": list(scope.engine),
        "precision": list(scope.precision),
        "isl": list(scope.isl),
    }


def _profile(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": row["name"], "label": row["summary"]}


def _colours() -> dict[str, Any]:
    from simulator.plots import style

    return {
        "mtp": style.MTP_COLOUR,
        "off": style.OFF_COLOUR,
        "series": list(style.SERIES),
        "bound": dict(style.BOUND_COLOURS),
        "red": style.RED,
        "ink": style.INK,
        "muted": style.MUTED,
        "grid": style.GRID,
    }
