"""The package from Python: names and numbers in, frozen scenarios and tables out."""

from __future__ import annotations

import dataclasses
import doctest
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import simulator
from simulator import (
    InputError,
    ResultTable,
    Scenario,
    compare,
    explain,
    load_calibration,
    load_engine,
    load_hardware,
    load_model,
    make_scenario,
    predict,
)
from simulator.cli import run
from simulator.prediction.compare import round_interactivities, with_tp
from simulator.prediction.several import CONCURRENCIES, split_meta

MTP = make_scenario(tp=2, mtp=3, acceptance_length=2.8, calibration="kernel-priors")
OFF = make_scenario(tp=2, calibration="kernel-priors")


def test_everything_public_is_there() -> None:
    assert all(getattr(simulator, name) is not None for name in simulator.__all__)
    assert set(simulator.__all__) <= set(dir(simulator))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = simulator.nothing


def test_importing_the_package_is_cheap() -> None:
    code = "import sys, simulator; simulator.__all__; assert not {'numpy', 'numba', 'pydantic'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


PACKAGE = Path(simulator.__file__).parent
WITH_EXAMPLES = sorted(p for p in PACKAGE.rglob("*.py") if ">>>" in p.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_examples(path: Path) -> None:
    name = ".".join(("simulator", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
    done = doctest.testmod(importlib.import_module(name))
    assert done.attempted > 0
    assert done.failed == 0


def test_a_scenario_is_frozen_and_checked() -> None:
    assert isinstance(MTP, Scenario)
    assert MTP.deployment.checkpoint == "mxfp4"
    name = "workload"
    with pytest.raises(dataclasses.FrozenInstanceError):
        delattr(MTP, name)
    with pytest.raises(InputError, match="tp 3 must divide"):
        make_scenario(tp=3)
    with pytest.raises(InputError, match="--mtp: expected a whole number"):
        make_scenario(mtp=True)
    assert make_scenario(checkpoint="fp8", tp=4).deployment.weights.precision == "fp8"
    assert make_scenario(hardware="B200", tp=4).deployment.checkpoint == "nvfp4"


def test_a_table_of_one_or_several_scenarios() -> None:
    one = predict(MTP, [4, 8])
    assert isinstance(one, ResultTable)
    assert one.column("concurrency") == [4, 8]
    both = predict([OFF, MTP], [4, 8])
    assert both.rows[2:] == one.rows
    assert both.column("spec") == ["off", "off", "mtp", "mtp"]
    with pytest.raises(InputError, match="at least one scenario"):
        predict([], [4])
    with pytest.raises(InputError, match="--concurrency: expected at least one value"):
        predict(MTP, [])


def test_the_table_is_the_command_line_s(capsys: pytest.CaptureFixture[str]) -> None:
    command = "predict --mtp 3 --acceptance-length 2.8 --calibration kernel-priors --concurrency 4,8 --format json"
    assert run(command.split()) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(predict(MTP, [4, 8]).to_json())


def test_a_data_frame_on_request() -> None:
    frame = predict(OFF, [4, 8], method="closed-form").to_frame()
    assert isinstance(frame, pd.DataFrame)
    assert list(frame["concurrency"]) == [4, 8]


def test_without_concurrencies_those_that_fit() -> None:
    table = predict(make_scenario(precision="fp8", mtp=3), method="closed-form")
    fits = table.meta["max_concurrency"]
    assert table.column("concurrency") == [c for c in CONCURRENCIES if c <= fits]
    assert fits < 256
    assert len(table.meta["left_out"]) == 1


def test_memory_is_checked_before_anything_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulator.prediction.several.predict_one", None)
    with pytest.raises(InputError, match="does not fit"):
        predict([OFF, make_scenario(precision="fp8", mtp=3)], [4, 256])


def test_compare_reads_the_fronts_of_its_own_points() -> None:
    matched = compare(MTP, [8, 16, 32], tp=[2, 4], method="closed-form")
    assert matched.meta["left_out"] == []
    points = {
        spec: predict([with_tp(s, n) for n in (2, 4)], [8, 16, 32], method="closed-form").rows
        for spec, s in (("mtp", MTP), ("off", OFF))
    }
    for spec, front in matched.frontier.items():
        assert all(row in points[spec] for row in front)
        x = front[1]["interactivity_tok_s_user"]
        for name in ("total_tok_s_gpu", "cost_usd_per_mtok", "total_tok_s_gpu_lo"):
            assert matched.fronts[spec].at(x)[name] == pytest.approx(front[1][name])


def test_compare_at_a_swept_point_is_that_point() -> None:
    x = predict(MTP, [16]).rows[0]["interactivity_tok_s_user"]
    row = compare(MTP, [8, 16, 32, 64], at=[x]).rows[0]
    expected = predict(MTP, [16]).rows[0]
    for name in ("total_tok_s_gpu", "cost_usd_per_mtok", "tok_s_per_mw", "total_tok_s_gpu_hi", "concurrency", "tp"):
        assert row[name] == pytest.approx(expected[name])


def test_compare_refuses_what_has_no_meaning() -> None:
    with pytest.raises(InputError, match="expected a depth of 1 or more"):
        compare(OFF)
    with pytest.raises(InputError, match="--tp: expected a whole number"):
        compare(MTP, tp=[0])


def test_compare_without_a_price_has_no_cost() -> None:
    hardware = MTP.deployment.hardware.model_copy(update={"price": None, "all_in_power": None})
    scenario = dataclasses.replace(MTP, deployment=MTP.deployment.model_copy(update={"hardware": hardware}))
    matched = compare(scenario, [8, 16, 32], method="closed-form")
    assert all(row["cost_usd_per_mtok"] is None and row["total_tok_s_gpu"] > 0 for row in matched.rows)
    assert "token costs" not in " ".join(matched.comparison.sentences)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((25, 104), (11, 90), (40, 60, 80)),
        ((0.5, 2.4), (0, 9), (0.5, 1.0, 1.5, 2.0)),
        ((10, 20), (20, 30), (20,)),
        ((10, 20), (21, 30), ()),
        ((4.1, 4.9), (0, 9), (4.2, 4.4, 4.6, 4.8)),
    ],
)
def test_round_interactivities(
    first: tuple[float, float], second: tuple[float, float], expected: tuple[float, ...]
) -> None:
    assert round_interactivities(first, second) == pytest.approx(expected)
    assert round_interactivities(second, first) == pytest.approx(expected)


def test_explain() -> None:
    explanation = explain(MTP, 16, phase="both")
    assert list(explanation.accounts) == ["decode", "prefill"]
    assert {row["phase"] for row in explanation.records()} == {"decode", "prefill"}
    assert json.loads(explanation.to_json())["meta"]["concurrency"] == 16
    with pytest.raises(InputError, match="unknown phase"):
        explain(MTP, 16, phase="everything")
    with pytest.raises(InputError, match="exceed one prefill pass"):
        explain(MTP, 16, phase="prefill", prompts=1000)


def test_meta_of_several() -> None:
    assert split_meta([{"a": 1}]) == ({"a": 1}, [{}])
    assert split_meta([{"a": 1, "b": 2}, {"a": 1}]) == ({"a": 1}, [{"b": 2}, {}])


def test_loaders() -> None:
    assert load_hardware("MI355X").name == "mi355x"
    assert load_model("qwen3.5-397b-a17b").layer_count == 60
    assert load_engine("atom").name == "atom"
    assert load_calibration("kernel-priors").parameters == {}
