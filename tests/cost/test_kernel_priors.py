"""The kernel-sourced priors are what ``benchmarks/fit_kernels.py`` fits to the published kernel times."""

from __future__ import annotations

import functools
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from simulator.cost.parameters import priors, registry


@functools.cache
def script() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "fit_kernels.py"
    spec = importlib.util.spec_from_file_location("fit_kernels", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fit_kernels"] = module
    spec.loader.exec_module(module)
    return module


def test_no_prior_has_drifted() -> None:
    moved = script().drift(script().fit_all())
    assert {name: by for name, by in moved.items() if abs(by) > 0.01} == {}


def test_every_kernel_sourced_prior_is_fitted() -> None:
    stated = {name for name, p in registry().items() if p.source.startswith("kernels")}
    assert stated == set(script().drift(script().fit_all()))


def test_the_sum_of_memory_and_compute_fits_better_than_the_maximum() -> None:
    for total, greatest in zip(script().fit_all("sum"), script().fit_all("max"), strict=True):
        assert total.rms < greatest.rms or total.family == "all-reduce"


@pytest.mark.parametrize(("change", "status"), [(1.0, 0), (1.005, 0), (1.02, 1)])
def test_check_exits_with_1_on_drift(change: float, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = {**priors(), "comm.latency_us": priors()["comm.latency_us"] * change}
    monkeypatch.setattr(script(), "priors", lambda: shipped)
    monkeypatch.setattr(sys, "argv", ["fit_kernels.py", "--check"])
    assert script().main() == status
