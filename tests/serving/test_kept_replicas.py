"""Kept replicas are those that would be built, and another parameter, depth or deployment has its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from simulator.serving.kept_replicas import replicas_under
from simulator.serving.replica import Replica, build_replica
from simulator.serving.scenario import Scenario, make_scenario
from simulator.speculation.acceptance import from_length


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return make_scenario(tp=2, mtp=3)


def same(one: Replica, other: Replica) -> bool:
    tables = ((one.target, other.target), (one.draft, other.draft))
    return all(np.array_equal(a, b) for a, b in tables) and bool(one.constants == other.constants)


def test_they_are_those_that_would_be_built(scenario: Scenario) -> None:
    values = scenario.calibration.values()
    sets = [values, values | {"host.step_us": 2.0 * values["host.step_us"]}]
    found = replicas_under(scenario.deployment, scenario.speculation, sets)
    built = [build_replica(scenario.deployment, scenario.speculation, one) for one in sets]
    assert [same(a, b) for a, b in zip(found, built, strict=True)] == [True, True]
    assert not same(*found)


def test_the_same_call_is_kept_whatever_the_acceptance(scenario: Scenario) -> None:
    sets = [scenario.calibration.values()]
    found = replicas_under(scenario.deployment, scenario.speculation, sets)
    again = make_scenario(tp=2, mtp=3).deployment
    assert replicas_under(again, from_length(2.0, 3), [dict(sets[0])]) is found


@pytest.mark.parametrize("changed", [{"tp": 4}, {"kv_dtype": "fp8"}, {"mtp": 2}], ids=str)
def test_another_replica_is_not_taken_for_it(scenario: Scenario, changed: dict[str, int | str]) -> None:
    sets = [scenario.calibration.values()]
    (kept,) = replicas_under(scenario.deployment, scenario.speculation, sets)
    other = make_scenario(**({"tp": 2, "mtp": 3} | changed))  # type: ignore[arg-type]
    (found,) = replicas_under(other.deployment, other.speculation, sets)
    assert same(found, build_replica(other.deployment, other.speculation, sets[0]))
    assert not same(found, kept)


def test_copies_forget_what_was_computed_from_the_fields(scenario: Scenario) -> None:
    """Formats and layers are computed once per deployment; a copy with another checkpoint has its own."""
    d = scenario.deployment
    assert d.formats["attention"] == "bf16"
    copy = d.model_copy(update={"checkpoint": "fp8"})
    assert (copy.formats["attention"], copy.target_formats["attention"]) == ("fp8", "fp8")
    fewer = d.model.model_copy(update={"layers": d.model.layers[:1]})
    assert (d.model.layer_count, fewer.layer_count) == (60, 15)
    assert replace(scenario, deployment=copy).deployment.formats["gdn"] == "fp8"
