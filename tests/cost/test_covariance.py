"""A calibration whose hash is right and whose content cannot be: refused, with the key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from simulator.cost.calibration import digest, load_calibration
from simulator.cost.covariance import covariance_faults
from simulator.errors import InputError
from simulator.facts.reading import names, read_mapping
from simulator.files.limits import limits

SHIPPED = "sglang-mi355x-fp4-2026-09"
Change = Callable[[dict[str, Any]], None]


def signed(tmp_path: Path, change: Change) -> str:
    """The shipped calibration with a change and the hash of what it then says."""
    raw: dict[str, Any] = yaml.safe_load(yaml.safe_dump(read_mapping("calibration", SHIPPED)))
    change(raw)
    raw["hash"] = digest(raw)
    path = tmp_path / "fit.yaml"
    path.write_text(yaml.safe_dump(raw, sort_keys=False))
    return str(path)


def at(keys: str, value: Any) -> Change:
    def change(raw: dict[str, Any]) -> None:
        *above, last = [int(key) if key.isdigit() else key for key in keys.split("/")]
        node: Any = raw
        for key in above:
            node = node[key]
        node[last] = value

    return change


def larger(factor: float) -> Change:
    def change(raw: dict[str, Any]) -> None:
        raw["covariance"]["matrix"][0][1] *= factor

    return change


def widened(raw: dict[str, Any]) -> None:
    raw["covariance"]["matrix"][2][2] *= 100


def impossible_together(raw: dict[str, Any]) -> None:
    """Three correlations that no three numbers can have: two of +0.9 and one of -0.9."""
    matrix = raw["covariance"]["matrix"]
    sd = [matrix[i][i] ** 0.5 for i in range(3)]
    for i, j, r in ((0, 1, 0.9), (0, 2, 0.9), (1, 2, -0.9)):
        matrix[i][j] = matrix[j][i] = r * sd[i] * sd[j]


FIRST = "moe.fp4.bandwidth_eff"
BROKEN = {
    "not symmetric": (larger(0.5), "covariance.matrix.0.1: not symmetric"),
    "beyond the variances": (larger(100), "covariance.matrix.0.1: a covariance beyond the two variances"),
    "negative variance": (at("covariance/matrix/0/0", -0.1), f"covariance.matrix.0.0: the variance of {FIRST} is"),
    "not semi-definite": (impossible_together, "covariance.matrix: some combination has a variance below zero"),
    "not the stderr": (widened, "covariance.matrix.2.2: moe."),
    "giant": (at("covariance/matrix/0/0", 1e300), "covariance.matrix.0.0: expected a number up to 1e+24"),
    "text": (at("covariance/matrix/0/0", "0.1"), "covariance.matrix.0.0: input should be a valid number, found '0.1'"),
    "ragged": (at("covariance/matrix/0", [1.0]), "covariance.matrix: expected"),
    "unknown name": (at("covariance/names/0", "moe.speed"), "covariance.names.0: no entry under parameters"),
    "name twice": (at("covariance/names/1", FIRST), f"covariance.names.1: found '{FIRST}' twice"),
    "value out of bounds": (at(f"parameters/{FIRST}/value", 1.5), f"parameters.{FIRST}.value: expected a number in ["),
    "prior out of bounds": (at(f"parameters/{FIRST}/prior", -1.0), f"parameters.{FIRST}.prior: expected a number in ["),
    "unit": (at(f"parameters/{FIRST}/unit", "us"), f"parameters.{FIRST}.unit: expected fraction, found 'us'"),
    "unknown parameter": (at("parameters/moe.speed", {"value": 1.0, "unit": "us", "stderr": 0.1, "prior": 1.0,
                          "prior_sd": 0.1, "moved_sd": 0.0}), "parameters.moe.speed: no such parameter"),
    "negative stderr": (at(f"parameters/{FIRST}/stderr", -0.1), f"parameters.{FIRST}.stderr: input should be greater"),
    "wild stderr": (at(f"parameters/{FIRST}/prior_sd", 1e6), f"parameters.{FIRST}.prior_sd: 1,000,000 is implausible"),
    "noise": (at("noise/tpot", 1e9), "noise.tpot: 1,000,000,000 is implausible; expected 0.0001 to 10"),
    "scope text": (at("scope/tp", "2, 4"), "scope.tp: input should be a valid list, found '2, 4'"),
    "scope negative": (at("scope/isl/0", -1), "scope.isl.0: input should be greater than 0, found -1"),
    "scope wild": (at("scope/concurrency/0", 10**8), "scope.concurrency.0: 100,000,000 is implausible"),
    "errors text": (at("errors/leave_one_concurrency_out/tpot", "small"), "errors.leave_one_concurrency_out"),
    "errors list": (at("errors/leave_one_concurrency_out", [1]), "errors.leave_one_concurrency_out"),
    "errors of mixed keys": (at("errors/in_sample/1", 0.1), "errors.in_sample"),
    "rows negative": (at("data/0/rows/0", -2), "data.0.rows.0: input should be greater than 0, found -2"),
    "length": (at("acceptance/length", 9.0), "acceptance.length: expected at most 4 at 3 drafts, found 9"),
    "depth": (at("acceptance/spec_tokens", 10**6), "acceptance.spec_tokens: 1,000,000 is implausible"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "answer"), BROKEN.values(), ids=list(BROKEN))
def test_a_broken_calibration_is_refused_by_key(tmp_path: Path, change: Change, answer: str) -> None:
    try:
        path = signed(tmp_path, change)
    except TypeError:  # keys that cannot be sorted have no hash, so any will do
        raw: dict[str, Any] = yaml.safe_load(yaml.safe_dump(read_mapping("calibration", SHIPPED)))
        change(raw)
        path = str(tmp_path / "fit.yaml")
        Path(path).write_text(yaml.safe_dump(raw, sort_keys=False))
    with pytest.raises(InputError) as caught:
        load_calibration(path)
    assert path in str(caught.value)
    assert answer in str(caught.value), str(caught.value)
    assert "  line " in str(caught.value)
    assert "hash" not in str(caught.value)


def test_an_unbroken_one_is_read(tmp_path: Path) -> None:
    assert load_calibration(signed(tmp_path, lambda raw: None)).name == SHIPPED


def test_who_insists_once_has_not_insisted_for_good(tmp_path: Path) -> None:
    path = signed(tmp_path, at("noise/tpot", 100.0))
    with limits(implausible=True):
        assert load_calibration(path).noise.tpot == 100.0
    with pytest.raises(InputError, match=r"noise\.tpot: 100 is implausible"):
        load_calibration(path)


@pytest.mark.parametrize("name", names("calibration"))
def test_what_ships_holds_together(name: str) -> None:
    assert load_calibration(name).contradictions() == []


@pytest.mark.parametrize("seed", range(20))
def test_a_covariance_of_random_numbers_passes_and_its_reflection_does_not(seed: int) -> None:
    """An oracle from outside: X X' is positive semi-definite for any X, and one with a negative eigenvalue is not."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 12))
    x = rng.normal(size=(n, n + 2))
    matrix = x @ x.T
    labels = [f"p{i}" for i in range(n)]
    stderr = dict(zip(labels, np.sqrt(np.diag(matrix)), strict=True))
    written = [[float(f"{v:.6g}") for v in row] for row in matrix]
    assert covariance_faults(labels, written, labels, stderr) == []
    values, vectors = np.linalg.eigh(matrix)
    values[0] = -0.2 * values[-1]
    broken = (vectors * values) @ vectors.T
    assert covariance_faults(labels, broken.tolist(), labels, {}) != []
