"""The noise of a calibration: what the errors of rows that a fit did not see have beyond its parameters."""

from __future__ import annotations

import math

import numpy as np
import pytest

from simulator.fitting.scoring import LEAST_NOISE, noise_of
from simulator.prediction.intervals import Z90


def test_noise_makes_intervals_hold_nine_of_ten() -> None:
    rng = np.random.default_rng(3)
    variances = rng.uniform(0.0, 0.04, 4000) ** 2
    logs = rng.normal(0.0, np.sqrt(variances + 0.03**2))
    found = noise_of(np.expm1(logs).tolist(), variances.tolist())
    assert found == pytest.approx(0.03, rel=0.05)
    assert np.mean(np.abs(logs) <= Z90 * np.sqrt(variances + found**2)) == pytest.approx(0.9, abs=0.001)


def test_without_uncertain_parameters_it_is_the_quantile_alone() -> None:
    errors = [math.expm1(0.1 * Z90)] * 19 + [math.expm1(5.0)]
    assert noise_of(errors, [0.0] * 20) == pytest.approx(0.1)


def test_errors_that_the_parameters_explain_leave_the_least() -> None:
    assert noise_of([0.01, -0.02, 0.015], [0.05**2] * 3) == LEAST_NOISE
