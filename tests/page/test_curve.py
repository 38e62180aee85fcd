"""The page shows what the public functions give: not one digit is its own."""

from __future__ import annotations

from typing import Any

import pytest

from simulator import compare, compare_against, make_scenario, predict
from simulator.errors import InputError
from simulator.page.state import State, read_state
from simulator.page.tabs import TABS
from simulator.page.work import Work

NAME = "inferencex-mi355x-fp4-1k1k"
SWEEP = ["2:4..256", "4:4..16"]
METRICS = ("total_tok_s_gpu", "cost_usd_per_mtok", "tok_s_per_mw", "concurrency")
FAST = Work(intervals=False)


def curve(change: dict[str, Any] | None = None, work: Work = FAST) -> dict[str, Any]:
    return TABS["curve"].answer(read_state(change or {}), work)


def rows_of(series: dict[str, Any]) -> list[dict[str, Any]]:
    return [dict(zip(series["columns"], row, strict=True)) for row in series["rows"]]


@pytest.mark.parametrize("intervals", [False, True])
def test_readings_at_the_published_places_are_those_of_compare_against(intervals: bool) -> None:
    """Every digit, and the published figures beside them."""
    read = {(row["at"], row["spec"]): row for row in curve(work=Work(intervals=intervals))["readings"]}
    found = compare_against(NAME, intervals=intervals)
    assert len(found.rows) == len(read) == 6
    for row in found.rows:
        shown = read[row["interactivity_tok_s_user"], row["spec"]]
        assert shown["source"] == "compare --against"
        for metric in METRICS:
            assert shown[metric] == row[f"predicted_{metric}"]
            assert shown["published"][metric] == row[metric]
            assert shown["error"][metric] == row[f"error_{metric}"]
        assert (shown["tp"], shown["tie"]) == (row["tp"], row["tie"])
        for name in ("total_tok_s_gpu_lo", "total_tok_s_gpu_hi", "cost_usd_per_mtok_lo", "cost_usd_per_mtok_hi"):
            assert shown.get(name) == row.get(name)


def test_points_are_those_of_predict() -> None:
    payload = curve({"mtp": [0, 2], "isl": 8192, "sweep": ["2:4,16", "4:8"], "acceptance": "length:2.2"})
    scenarios = [make_scenario(isl=8192), make_scenario(isl=8192, mtp=2, acceptance_length=2.2)]
    for series, scenario in zip(payload["series"], scenarios, strict=True):
        table = predict(scenario, sweep=["2:4,16", "4:8"], intervals=False)
        assert rows_of(series) == [dict(row) for row in table.rows]


def test_readings_elsewhere_and_sentences_are_those_of_compare() -> None:
    payload = curve({"at": [50.0, 75.0], "acceptance": "rate:0.7", "mtp": [0, 3]})
    found = compare(make_scenario(mtp=3, acceptance_rate=0.7), sweep=SWEEP, at=[50, 75], intervals=False)
    assert payload["sentences"] == [*found.comparison.sentences, *found.ties]
    for row in found.rows:
        [shown] = [
            one
            for one in payload["readings"]
            if (one["at"], one["spec"]) == (row["interactivity_tok_s_user"], row["spec"])
        ]
        assert shown["source"] == "compare"
        assert [shown[name] for name in METRICS] == [row[name] for name in METRICS]


def test_one_curve_alone_is_read_without_the_other() -> None:
    for depth, spec in ((0, "off"), (3, "mtp")):
        payload = curve({"mtp": [depth], "at": [50.0]})
        assert [one["spec"] for one in payload["series"]] == [spec]
        assert [row["spec"] for row in payload["readings"]] == [spec]
        assert "no MTP layer" not in " ".join(payload["sentences"])


def test_a_model_without_drafts_says_so() -> None:
    payload = curve(
        {"model": "llama-3.1-8b", "hardware": ["h200"], "precision": "bf16", "mtp": [0], "sweep": ["1:4,8"]}
    )
    assert "the model has no MTP layer: Off alone" in payload["sentences"]


@pytest.mark.parametrize("basis", ["neocloud", "rental"])
def test_another_cost_basis_is_that_of_predict(basis: str) -> None:
    payload = curve({"cost_basis": basis, "sweep": ["2:4,64"], "mtp": [0]}, Work())
    table = predict(make_scenario(), sweep=["2:4,64"], cost_basis=basis)
    assert rows_of(payload["series"][0]) == [dict(row) for row in table.rows]
    assert f"cost: {basis}" in " ".join(payload["notes"])


def test_published_costs_are_not_compared_on_another_basis() -> None:
    payload = curve({"cost_basis": "rental"})
    found = compare_against(NAME, cost_basis="rental", intervals=False)
    for row, shown in zip(found.rows, payload["readings"], strict=True):
        assert shown["cost_usd_per_mtok"] == pytest.approx(row["predicted_cost_usd_per_mtok"], rel=1e-12)
        assert shown["published"]["cost_usd_per_mtok"] is None
        assert shown["published"]["total_tok_s_gpu"] == row["total_tok_s_gpu"]


def test_several_accelerators_each_with_what_it_can_do() -> None:
    payload = curve({"hardware": ["mi355x", "b200", "l40s"], "mtp": [0, 3], "sweep": ["4:4,16"], "at": [60.0]})
    assert [one["id"] for one in payload["series"]] == ["mi355x/0", "mi355x/3", "b200/0", "b200/3"]
    assert any(note.startswith("L40S Off:") for note in payload["left_out"])
    assert {row["hardware"] for row in payload["readings"]} == {"mi355x", "b200"}
    assert any(text.startswith("B200: ") for text in payload["sentences"])


def test_nothing_that_can_be_done_is_bad_input() -> None:
    with pytest.raises(InputError, match="L40S Off"):
        curve({"hardware": ["l40s"], "mtp": [0], "sweep": ["1:4"]})


def test_the_fitted_acceptance_is_marked_with_its_interval() -> None:
    payload = curve({"isl": 8192, "acceptance": "length:2.5"})
    mark = payload["acceptance"]["3"]
    assert mark["length"] == make_scenario(isl=8192, mtp=3).speculation.acceptance_length
    assert mark["interval"][0] < mark["length"] < mark["interval"][1]
    assert mark["most"] == 4
    assert [one["acceptance_length"] for one in payload["series"]] == pytest.approx([1.0, 2.5])


def test_published_points_stand_only_where_they_belong() -> None:
    assert {one["series"] for one in curve()["measured"]} == {"mi355x/0", "mi355x/3"}
    for change in ({"isl": 8192}, {"precision": "fp8", "sweep": ["4:4"]}, {"against": ""}, {"hardware": ["b200"]}):
        assert curve({**change, "at": [60.0]})["measured"] == []
    assert [one["series"] for one in curve({"mtp": [2], "at": [60.0]})["measured"]] == []


def test_provenance_names_version_and_calibration() -> None:
    payload = curve()
    meta = predict(make_scenario(mtp=3), [4], intervals=False).meta
    assert payload["provenance"]["version"] == meta["versions"]["mtpsim"]
    assert payload["provenance"]["calibration"] == meta["calibration"] == NAME
    assert meta["calibration_hash"].startswith(payload["provenance"]["calibration_id"])
    assert curve({"calibration": "none", "sweep": ["2:4"]})["provenance"]["calibration"] == "kernel-priors"


def test_the_default_state_is_the_published_table() -> None:
    assert (State().against, State().at, State().mtp) == (NAME, (44.0, 64.0, 84.0), (0, 3))
