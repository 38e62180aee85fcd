"""What the draws of a plan move: a fitted acceptance, and never one that the user states, whatever its words."""

from __future__ import annotations

import numpy as np
import pytest

from simulator import Acceptance, load_calibration, make_scenario
from simulator.cost.calibration import ACCEPTANCE
from simulator.planning.options import make_options
from simulator.prediction.intervals import jacobian
from simulator.prediction.odds import drawn
from simulator.traffic.lengths import parse_lengths

CALIBRATION = "sglang-mi355x-fp4-2026-09"


def drawn_length(name: str, acceptance: Acceptance) -> tuple[float, float]:
    """Acceptance length before and in a draw one unit above, with the calibration under another name."""
    base = make_scenario(tp=2, isl=8192, calibration=CALIBRATION)
    calibration = load_calibration(CALIBRATION).model_copy(update={"name": name})
    base = type(base)(base.deployment, base.workload, base.speculation, calibration)
    (option,), _ = make_options(base, parse_lengths("fixed", 8192, 1024), acceptance, tp=[2], ep=[1], depths=[3])
    names, _ = calibration.uncertainty()
    shift = np.array([1.0 if n == ACCEPTANCE else 0.0 for n in names])
    ((_, moved),) = drawn(option.scenario, names, shift[None, :])
    return option.scenario.speculation.acceptance_length, moved.acceptance_length


@pytest.mark.parametrize("name", [CALIBRATION, "rate", "acceptance rate", "length"])
def test_a_stated_acceptance_is_never_drawn(name: str) -> None:
    # 1 + 0.4 + 0.4^2 + 0.4^3
    assert drawn_length(name, Acceptance(rate=0.4)) == pytest.approx((1.624, 1.624))
    assert drawn_length(name, Acceptance(length=2.0)) == pytest.approx((2.0, 2.0))


@pytest.mark.parametrize("name", [CALIBRATION, "rate", "mtp"])
def test_a_fitted_acceptance_is_drawn_whatever_the_calibration_is_called(name: str) -> None:
    before, after = drawn_length(name, Acceptance())
    assert after > before + 0.1


@pytest.mark.parametrize("stated", [{}, {"acceptance_rate": 0.4}, {"acceptance_profile": "qwen3.5-397b-a17b-thinking"}])
def test_intervals_hold_the_uncertainty_of_a_fitted_acceptance_alone(stated: dict[str, float | str]) -> None:
    scenario = make_scenario(tp=2, isl=8192, mtp=3, calibration=CALIBRATION, **stated)
    names, _, _ = jacobian(scenario, [16])
    assert (ACCEPTANCE in names) == (not stated)
    assert (scenario.speculation.source.kind == "fitted") == (not stated)
