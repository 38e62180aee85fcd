"""A calibration's content: what it replaces, what it leaves, and when it is the one to use."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from simulator.cli import run
from simulator.cost import calibration as module
from simulator.cost.calibration import (
    COST_MODEL,
    Calibration,
    PriorValue,
    default_calibration,
    digest,
    length_coordinate,
    length_of_coordinate,
    load_calibration,
    mismatches,
)
from simulator.cost.measured import Curve, Scope
from simulator.cost.parameters import prior_covariance, priors, registry
from simulator.cost.priors import shipped
from simulator.errors import InputError
from simulator.facts.deployment import Deployment
from simulator.facts.reading import load_engine, load_hardware, load_model


def fitted(value: float, unit: str) -> dict[str, Any]:
    return {"value": value, "unit": unit, "stderr": 0.1, "prior": 9.0, "prior_sd": 0.3, "moved_sd": 1.0}


def made(name: str = "made", **changes: Any) -> Calibration:
    content: dict[str, Any] = {
        "format": 1,
        "cost_model": COST_MODEL,
        "name": name,
        "scope": {},
        "parameters": {
            "moe.prep_us": fitted(20.0, "us"),
            "routing.correlation": fitted(0.98, "fraction") | {"prior": 0.5},
        },
        "covariance": {
            "names": ["routing.correlation", "moe.prep_us", "acceptance.length"],
            "matrix": [[4.0, 1.0, 0.5], [1.0, 9.0, 0.25], [0.5, 0.25, 16.0]],
        },
        "noise": {"throughput": 0.02, "tpot": 0.03, "ttft": 0.1},
    }
    return Calibration.model_validate(content | changes)


def deploy(**changes: Any) -> Deployment:
    base = {"hardware": load_hardware("mi355x"), "model": load_model("qwen3.5-397b-a17b"), "checkpoint": "mxfp4"}
    return Deployment.model_validate(base | {"engine": load_engine("sglang"), "tp": 2} | changes)


def test_fitted_values_replace_priors_and_nothing_else() -> None:
    assert made().values() == {**priors(), "moe.prep_us": 20.0, "routing.correlation": 0.98}
    assert made().on_bounds() == [
        "routing.correlation is on its upper bound, 0.98 fraction: the data would have it beyond"
    ]
    with pytest.raises(InputError, match=r"calibration made: moe\.prep_us: expected a number in"):
        made(parameters={"moe.prep_us": fitted(61.0, "us")}).values()


def test_what_was_fitted_is_as_uncertain_as_fitted_the_rest_as_its_prior() -> None:
    names, matrix = made().uncertainty()
    others = [name for name in registry() if name not in ("routing.correlation", "moe.prep_us")]
    assert names == ["routing.correlation", "moe.prep_us", "acceptance.length", *others]
    assert matrix[:3, :3].tolist() == [[4.0, 1.0, 0.5], [1.0, 9.0, 0.25], [0.5, 0.25, 16.0]]
    np.testing.assert_array_equal(matrix[3:, 3:], prior_covariance(others))
    assert not matrix[:3, 3:].any()
    assert not matrix[3:, :3].any()
    names, matrix = made(covariance={}).uncertainty()
    np.testing.assert_array_equal(matrix, prior_covariance(names))


@pytest.mark.parametrize(
    "covariance",
    [
        {"names": ["moe.prep_us"], "matrix": []},
        {"names": ["moe.prep_us"], "matrix": [[1.0], [1.0]]},
        {"names": ["moe.prep_us", "gdn.latency_us"], "matrix": [[1.0, 0.0], [1.0]]},
    ],
)
def test_a_covariance_is_square(covariance: dict[str, Any]) -> None:
    n = len(covariance["names"])
    assert (("covariance", "matrix"), f"expected {n} x {n} for {n} names") in made(
        covariance=covariance
    ).contradictions()


def test_coordinate_of_an_acceptance_length_by_hand() -> None:
    """Three drafts: 1.75 tokens are a quarter of the way from 1 to 4, of which the logit is -log 3."""
    assert length_coordinate(1.75, 3) == pytest.approx(-math.log(3))
    assert length_of_coordinate(-math.log(3), 3) == pytest.approx(1.75)
    assert length_coordinate(2.0, 2) == 0.0
    edge = math.log(1e-6 / (1 - 1e-6))
    assert (length_coordinate(1.0, 3), length_coordinate(4.0, 3)) == pytest.approx((edge, -edge))
    assert length_coordinate(0.5, 3) == length_coordinate(1.0, 3)
    assert length_coordinate(4.5, 3) == length_coordinate(4.0, 3)


def test_the_hash_is_of_everything_but_itself() -> None:
    content = {"name": "made", "format": 1}
    assert digest(content) == digest({"format": 1, "name": "made", "hash": "x"})
    assert digest(content) != digest({"format": 1, "name": "other"})


def test_a_file_is_read_again_when_written_again_and_refused_when_edited(tmp_path: Path) -> None:
    content = made(covariance={}).model_dump()
    file = tmp_path / "made.yaml"

    def write(**changes: Any) -> None:
        new = content | changes
        file.write_text(yaml.safe_dump(new | {"hash": digest(yaml.safe_load(yaml.safe_dump(new)))}))

    write()
    assert load_calibration(str(file)).values()["moe.prep_us"] == 20.0
    write(parameters={"moe.prep_us": fitted(21.5, "us")})
    assert load_calibration(str(file)).values()["moe.prep_us"] == 21.5
    file.write_text(file.read_text().replace("21.5", "22.5"))
    with pytest.raises(InputError, match="the content does not match its hash"):
        load_calibration(str(file))


def written(tmp_path: Path, **changes: Any) -> Path:
    """A calibration file with the hash of its content."""
    content = made(covariance={}).model_dump() | changes
    content = yaml.safe_load(yaml.safe_dump({key: value for key, value in content.items() if value is not ...}))
    file = tmp_path / "made.yaml"
    file.write_text(yaml.safe_dump(content | {"hash": digest(content)}))
    return file


SOURCES = [{"file": "my runs.csv", "sha256": "", "select": "tp=2", "rows": [2]}]


@pytest.mark.parametrize("version", [1, 3, ...])
def test_of_another_version_of_the_cost_model_it_names_the_command(tmp_path: Path, version: Any) -> None:
    """A file without a version is of the first."""
    file = written(tmp_path, cost_model=version, data=SOURCES)
    with pytest.raises(InputError) as caught:
        load_calibration(str(file))
    message = str(caught.value)
    found = 1 if version is ... else version
    assert f"cost_model: fitted with version {found} of the cost model, expected 2" in message
    assert f"mtpsim calibrate 'my runs.csv' --select tp=2 -o {file}" in message


def test_of_another_version_without_data_the_command_has_a_place_for_it(tmp_path: Path) -> None:
    file = written(tmp_path, cost_model=1)
    with pytest.raises(InputError, match=r"Fit it again: mtpsim calibrate ROWS\.csv -o "):
        load_calibration(str(file))


def test_of_another_version_the_command_line_ends_with_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    file = written(tmp_path, cost_model=1, data=SOURCES)
    assert run(["predict", "--calibration", str(file)]) == 2
    found = capsys.readouterr()
    assert found.out == ""
    assert found.err.startswith("mtpsim: error: ")
    assert f"mtpsim calibrate 'my runs.csv' --select tp=2 -o {file}" in " ".join(found.err.split())


OWN = {"gdn.latency_us": {"value": 5.0, "sd": 0.1}, "moe.prep_us": {"value": 12.0, "sd": 0.25}}


def test_its_own_priors_stand_for_what_it_does_not_name() -> None:
    values = made(priors=OWN).values()
    assert values == {**priors(), "gdn.latency_us": 5.0, "moe.prep_us": 20.0, "routing.correlation": 0.98}


def test_its_own_priors_are_how_sure_it_is_of_what_it_does_not_name() -> None:
    names, matrix = made(priors=OWN).uncertainty()
    place = names.index("gdn.latency_us")
    assert matrix[place, place] == pytest.approx(0.01)
    generic = made().uncertainty()[1][place, place]
    assert generic == pytest.approx(registry()["gdn.latency_us"].sd ** 2)


def test_coordinates_are_those_of_its_own_priors_by_hand() -> None:
    """From 0.005 to 60 us the logarithm spans log 12000, in which 12 us stand at log 2400 of it and 20 at log 4000.

    At its own prior the coordinate is the logarithm, and 0.25 below it, away from the nearer bound, less by 0.25;
    elsewhere the logits of these places differ.
    """
    own, generic = made(priors=OWN).known["moe.prep_us"], registry()["moe.prep_us"]
    assert (own.value, own.sd, own.low, own.high) == (12.0, 0.25, 0.005, 60.0)
    span = math.log(12000)
    prior, value = math.log(2400) / span, math.log(4000) / span
    below = (math.log(2400) - 0.25) / span
    moved, one = (math.log(p / (1 - p)) - math.log(prior / (1 - prior)) for p in (value, below))
    hand = math.log(12) - 0.25 * moved / one
    assert own.to_internal(12.0 * math.exp(-0.25)) == pytest.approx(math.log(12) - 0.25)
    assert own.to_internal(12.0) == pytest.approx(math.log(12))
    assert own.to_internal(20.0) == pytest.approx(hand)
    assert own.from_internal(hand) == pytest.approx(20.0)
    assert abs(generic.to_internal(20.0) - hand) > 0.01


def test_a_changed_copy_has_the_priors_that_it_says() -> None:
    """What was worked out from the old fields does not stay."""
    first = made()
    assert first.known["gdn.latency_us"].value == registry()["gdn.latency_us"].value
    own = {name: PriorValue.model_validate(prior) for name, prior in OWN.items()}
    second = first.model_copy(update={"priors": own})
    assert second.known["gdn.latency_us"].value == second.values()["gdn.latency_us"] == 5.0
    assert first.known["gdn.latency_us"].value == registry()["gdn.latency_us"].value


def test_of_an_accelerator_where_nothing_was_fitted() -> None:
    """The generic one takes on the priors of each accelerator, and keeps none for the next."""
    generic = load_calibration(module.PRIORS)
    assert generic.known["comm.latency_us"].value == registry()["comm.latency_us"].value
    found = {name: generic.of_hardware(load_hardware(name)) for name in ("b200", "mi355x")}
    for name, one in found.items():
        table = shipped()[name].parameters
        assert {p: one.values()[p] for p in table} == {p: prior.value for p, prior in table.items()}
        assert {p: one.known[p].sd for p in table} == {p: prior.sd for p, prior in table.items()}
        assert one.scope.kernels == [name]
    latencies = [[one.values()[p] for p in registry() if p.endswith("latency_us")] for one in found.values()]
    assert latencies[0] != latencies[1]
    assert generic.values() == priors()


def test_what_was_fitted_keeps_the_priors_that_the_fit_began_with() -> None:
    data = [{"file": "", "sha256": "", "rows": []}]
    one = made(data=data)
    assert one.of_hardware(load_hardware("b200")) is one
    two = made(priors=OWN)
    assert two.of_hardware(load_hardware("b200")) is two


def test_where_a_deployment_leaves_the_scope() -> None:
    scope = {"hardware": ["h100"], "model": [], "engine": ["sglang", "vllm"], "precision": ["fp8", "bf16"]}
    assert mismatches(made(scope=scope), deploy()) == [
        "hardware mi355x (fitted to h100)",
        "precision fp4 (fitted to fp8, bf16)",
    ]
    assert mismatches(made(scope={"model": ["other"], "engine": ["atom"]}), deploy()) == [
        "model qwen3.5-397b-a17b (fitted to other)",
        "engine sglang (fitted to atom)",
    ]
    assert mismatches(made(), deploy()) == []


@pytest.mark.parametrize(
    ("isl", "chosen"), [(900.0, "short"), (2800.0, "short"), (3000.0, "long"), (16000.0, "long"), (None, "short")]
)
def test_the_nearest_input_length_goes_first_then_the_smaller_error(
    isl: float | None, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By their ratio: the middle of 1024 and 8192 is 2896."""
    data = [{"file": "", "sha256": "", "rows": []}]

    def of(name: str, lengths: list[int], error: float | None, **changes: Any) -> Calibration:
        errors = {} if error is None else {"leave_one_concurrency_out": {"tpot": error}}
        return made(name, scope={"isl": lengths} | changes, data=data, errors=errors)

    shipped = {
        c.name: c
        for c in (
            of("long", [8192], 0.02),
            of("worse", [1024], 0.03),
            of("unknown", [1024], None),
            of("short", [1024], 0.01),
            of("elsewhere", [1024, 8192], 0.001, hardware=["h100"]),
            made("priors"),
        )
    }
    monkeypatch.setattr(module, "names", lambda kind: list(shipped))
    monkeypatch.setattr(module, "load_calibration", shipped.__getitem__)
    assert default_calibration(deploy(), isl).name == chosen


def test_without_a_match_the_priors(monkeypatch: pytest.MonkeyPatch) -> None:
    other = made("other", scope={"hardware": ["h100"]}, data=[{"file": "", "sha256": "", "rows": []}])
    shipped = {"other": other, "bare": made("bare"), module.PRIORS: made("priors")}
    monkeypatch.setattr(module, "names", lambda kind: list(shipped))
    monkeypatch.setattr(module, "load_calibration", shipped.__getitem__)
    assert default_calibration(deploy()).name == "priors"


def test_curves_that_lists_allow() -> None:
    lists = {"hardware": ["h100"], "model": ["m"], "engine": ["e"], "checkpoint": ["c"], "isl": [1024, 8192]}
    scope = Scope(tp=[2, 4], concurrency=[4, 8], spec=["off", "mtp"], **lists)
    found = scope.measured
    assert len(found) == 2 * 2 * 2
    assert {(c.tp, c.isl, c.spec_tokens) for c in found} == {
        (t, i, k) for t in (2, 4) for i in (1024, 8192) for k in (0, 3)
    }
    assert all(c.concurrency == [4, 8] and (c.kv_dtype, c.osl, c.ep, c.dp) == ("fp8", 1024, 1, 1) for c in found)
    for missing in ("tp", "isl", "concurrency"):
        assert scope.model_copy(update={missing: []}).measured == []
    one: Curve = found[0]
    assert scope.model_copy(update={"curves": [one]}).measured == [one]
