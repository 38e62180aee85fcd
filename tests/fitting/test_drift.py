"""The shipped calibrations are what ``mtpsim calibrate --shipped`` makes of the shipped measurements, today."""

from __future__ import annotations

import copy
import hashlib
import re
from functools import cache
from types import SimpleNamespace
from typing import Any

import pytest

from simulator import Calibration, read_measurements, shipped_measurements
from simulator.cli import run
from simulator.cost.calibration import PRIORS, load_calibration
from simulator.cost.parameters import registry
from simulator.facts.reading import names, read_mapping
from simulator.fitting import shipped
from simulator.fitting.calibrate import as_calibration
from simulator.fitting.frontiers import sweeps_of
from simulator.fitting.headline import point_errors
from simulator.fitting.problem import Evaluator
from simulator.fitting.scoring import mape, row_errors
from simulator.fitting.shipped import RECIPES, Recipe, build, differences, shipped_file
from simulator.measurements import FrontierPoint, MeasuredPoint, read_csv, select
from simulator.measurements.configuration import Configuration

every_recipe = pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
ATOM = RECIPES[0]
CORRELATION = re.compile(r"(?<=correlation )[-+]\d\.\d+")


@cache
def refitted(recipe: Recipe) -> dict[str, Any]:
    """A refit without cross-validation, which only measures errors and noise."""
    content: dict[str, Any] = build(recipe, cross_validate=False).content
    return content


@every_recipe
def test_a_refit_is_the_shipped_file(recipe: Recipe) -> None:
    assert differences(refitted(recipe), recipe.name) == []


def errors_of(calibration: Calibration, recipe: Recipe) -> dict[str, float]:
    """MAPE of the parameters as they stand in the file."""
    rows = read_measurements(shipped_measurements(recipe.file), select=recipe.expression)
    length = None if calibration.acceptance is None else calibration.acceptance.length
    evaluate = Evaluator(calibration.values(), length, exact=True)

    def predict(config: Configuration) -> dict[str, float]:
        evaluate.prepare([config])
        return evaluate(config)

    runs = [row for row in rows if isinstance(row, MeasuredPoint)]
    if runs:
        return mape(row_errors(runs, predict))
    points = [row for row in rows if isinstance(row, FrontierPoint)]
    found = point_errors(evaluate, sweeps_of(points, "sglang", None), points)
    return mape({"total_tok_s_gpu": [row["error_total_tok_s_gpu"] for row in found]})


@every_recipe
def test_the_errors_that_a_shipped_file_states_are_those_of_its_parameters(recipe: Recipe) -> None:
    # not those of a refit: first-token times jump by more than rounding where a fit on another machine ends nearby
    kept = load_calibration(recipe.name)
    assert errors_of(kept, recipe) == pytest.approx(kept.errors["in_sample"], abs=5e-4)


def told(sentences: list[str]) -> tuple[list[str], list[float]]:
    """Sentences without the correlations in them, and the correlations, which are rounded where they are told."""
    numbers = [float(n) for text in sentences for n in CORRELATION.findall(text)]
    return [CORRELATION.sub("", text) for text in sentences], numbers


@every_recipe
def test_a_refit_has_the_shipped_scope_and_rows(recipe: Recipe) -> None:
    found, kept = as_calibration(refitted(recipe)), load_calibration(recipe.name)
    assert (found.scope, found.data) == (kept.scope, kept.data)
    (words, numbers), (kept_words, kept_numbers) = (told(c.identifiability) for c in (found, kept))
    assert words == kept_words
    assert numbers == pytest.approx(kept_numbers, abs=0.02)
    assert found.covariance.names == kept.covariance.names
    for name, entry in found.parameters.items():
        assert entry.stderr == pytest.approx(kept.parameters[name].stderr, rel=0.02, abs=2e-4)


@every_recipe
def test_data_hashes_are_those_of_the_shipped_measurements(recipe: Recipe) -> None:
    (source,) = load_calibration(recipe.name).data
    assert source.file == recipe.file
    assert source.sha256 == hashlib.sha256(shipped_measurements(recipe.file).read_bytes()).hexdigest()


@every_recipe
def test_rows_used_are_the_rows_selected(recipe: Recipe) -> None:
    rows = read_csv(shipped_measurements(recipe.file)).rows
    chosen = select(rows, recipe.expression) if recipe.expression else rows
    assert load_calibration(recipe.name).data[0].rows == [row.line for row in chosen]


@every_recipe
def test_a_shipped_file_holds_every_fitted_parameter_within_its_bounds(recipe: Recipe) -> None:
    calibration = load_calibration(recipe.name)
    assert set(calibration.parameters) == {p.name for p in registry().values() if p.fitted}
    for name, entry in calibration.parameters.items():
        assert registry()[name].low <= entry.value <= registry()[name].high
        assert entry.unit == registry()[name].unit


def test_every_shipped_calibration_but_the_priors_has_a_recipe() -> None:
    assert set(names("calibration")) - {PRIORS} == {recipe.name for recipe in RECIPES}


def test_a_drift_of_one_standard_error_is_named() -> None:
    content = copy.deepcopy(read_mapping("calibration", ATOM.name))
    content["parameters"]["comm.latency_us"]["value"] *= 1.0 + content["parameters"]["comm.latency_us"]["stderr"]
    content["acceptance"]["length"] += content["acceptance"]["stderr"]
    content["data"][0]["sha256"] = "0" * 64
    found = differences(content, ATOM.name)
    assert [part in text for part, text in zip(("comm.latency_us", "length", "data"), found, strict=True)] == [True] * 3


@pytest.mark.parametrize("drifts", [False, True])
def test_the_documented_check(drifts: bool, monkeypatch: Any, capsys: pytest.CaptureFixture[str]) -> None:
    content = copy.deepcopy(read_mapping("calibration", ATOM.name))
    content["parameters"]["host.step_us"]["value"] *= 2.0 if drifts else 1.0
    monkeypatch.setattr(shipped, "RECIPES", (ATOM,))
    monkeypatch.setattr(shipped, "build", lambda recipe, progress: SimpleNamespace(content=content))
    before = shipped_file(ATOM.name).read_bytes()
    assert run(["calibrate", "--shipped", "--check"]) == (2 if drifts else 0)
    said = capsys.readouterr()
    assert said.out == f"atom-mi355x: {'DRIFTED' if drifts else 'as shipped'}\n"
    assert ("host.step_us" in said.err) == drifts
    assert shipped_file(ATOM.name).read_bytes() == before
