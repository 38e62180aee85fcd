"""Tables that a fit keeps are those that it would make."""

from __future__ import annotations

import numpy as np
import pytest

from simulator import make_scenario
from simulator.serving import kept_tables
from simulator.serving.kept_tables import KEPT, KeptTables
from simulator.serving.replica import build_tables

SCENARIO = make_scenario(tp=4, mtp=3)
VALUES = SCENARIO.calibration.values()


def test_they_are_those_of_the_parameters_whichever_moved() -> None:
    kept = KeptTables()
    for name, value in VALUES.items():
        for moved in (VALUES, VALUES | {name: 0.9 * value}, VALUES):
            found = kept.of("key", SCENARIO.deployment, 3, moved)
            made = build_tables(SCENARIO.deployment, 3, moved)
            assert np.array_equal(found.target, made.target), name
            assert np.array_equal(found.draft, made.draft), name
            assert (found.launches, found.draft_launches) == (made.launches, made.draft_launches)


def test_a_parameter_that_no_table_asks_for_makes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = KeptTables()
    first = kept.of("key", SCENARIO.deployment, 3, VALUES)
    monkeypatch.setattr(kept_tables, "build_tables", None)
    for part in range(2 * KEPT):
        assert kept.of("key", SCENARIO.deployment, 3, VALUES | {"host.step_us": float(part)}) is first
