"""Oracle: the published table of MI355X FP4 1k/1k (InferenceX), three interactivities, copied here digit by digit."""

from __future__ import annotations

import doctest
import json
import math
from pathlib import Path
from typing import Any

import pytest
import yaml

from simulator import compare, draw, make_scenario
from simulator.cli import run
from simulator.errors import InputError
from simulator.facts.reading import read_mapping
from simulator.prediction import matched as comparison
from simulator.prediction.frontier import Frontier
from simulator.prediction.matched import Comparison, read_fronts

MTP = {
    "interactivity_tok_s_user": [44, 64, 84],
    "total_tok_s_gpu": [2221.9, 1572.7, 1278.7],
    "cost_usd_per_mtok": [0.186, 0.258, 0.322],
    "tok_s_per_mw": [838467, 593481, 482510],
    "concurrency": [51, 25, 16],
}
OFF = {
    "interactivity_tok_s_user": [44, 64, 84],
    "total_tok_s_gpu": [1835.8, 1061.5, 562.4],
    "cost_usd_per_mtok": [0.224, 0.386, 0.726],
    "tok_s_per_mw": [692757, 400563, 212215],
    "concurrency": [42, 16, 14],
}


def compared(mtp: dict[str, Any], off: dict[str, Any], *at: float) -> Comparison:
    return read_fronts(Frontier.from_points(mtp), Frontier.from_points(off), at)


def one(throughput: float, cost: float | None, interactivity: float = 50.0) -> dict[str, Any]:
    return {
        "interactivity_tok_s_user": [interactivity],
        "total_tok_s_gpu": [throughput],
        "cost_usd_per_mtok": [cost],
    }


def curve(low: float, high: float) -> dict[str, Any]:
    return {"interactivity_tok_s_user": [low, high], "total_tok_s_gpu": [3000.0, 1000.0]}


def test_published_table_and_its_sentences() -> None:
    answer = compared(MTP, OFF, 44, 64, 84)
    assert answer.sentences == (
        "at 44 tok/s/user MTP delivers 21 % more tok/s/GPU and each token costs 17 % less",
        "at 64 tok/s/user MTP delivers 48 % more tok/s/GPU and each token costs 33 % less",
        "at 84 tok/s/user MTP delivers 127 % more tok/s/GPU and each token costs 56 % less",
        "both curves exist from 44.0 to 84.0 tok/s/user",
    )
    rows = [list(point.as_row().values()) for point in answer.points]
    assert rows[:2] == [["mtp", 44, 2221.9, 0.186, 838467, 51], ["off", 44, 1835.8, 0.224, 692757, 42]]
    assert rows[2:4] == [["mtp", 64, 1572.7, 0.258, 593481, 25], ["off", 64, 1061.5, 0.386, 400563, 16]]
    assert rows[4:] == [["mtp", 84, 1278.7, 0.322, 482510, 16], ["off", 84, 562.4, 0.726, 212215, 14]]
    assert list(answer.points[0].as_row()) == ["spec", *MTP]


def test_where_off_is_better_the_sentence_is_about_off() -> None:
    assert compared(OFF, MTP, 44, 84).sentences[:2] == (
        "at 44 tok/s/user Off delivers 21 % more tok/s/GPU and each token costs 17 % less",
        "at 84 tok/s/user Off delivers 127 % more tok/s/GPU and each token costs 56 % less",
    )


@pytest.mark.parametrize(
    ("mtp", "off", "sentence"),
    [
        ((1005, 0.2), (1000, 0.201), "MTP and Off deliver the same tok/s/GPU and each token costs the same"),
        ((1006, 0.2), (1000, 0.2), "MTP delivers 1 % more tok/s/GPU but each token costs the same"),
        ((1000, 0.2), (1003, 0.1), "MTP and Off deliver the same tok/s/GPU but each token costs 50 % less with Off"),
        ((1100, 0.3), (1000, 0.2), "MTP delivers 10 % more tok/s/GPU but each token costs 33 % less with Off"),
        ((90_000, 0.001), (100, 0.9), "MTP delivers 89900 % more tok/s/GPU and each token costs over 99 % less"),
        ((1100, 0.0), (1000, 0.0), "MTP delivers 10 % more tok/s/GPU but each token costs the same"),
        ((1100, None), (1000, 0.2), "MTP delivers 10 % more tok/s/GPU"),
        ((1000, None), (1000, None), "MTP and Off deliver the same tok/s/GPU"),
    ],
)
def test_halves_of_a_sentence(mtp: tuple[float, float], off: tuple[float, float], sentence: str) -> None:
    assert compared(one(*mtp), one(*off), 50).sentences[0] == f"at 50 tok/s/user {sentence}"


def test_between_the_points_too() -> None:
    answer = compared(MTP, OFF, 52.5)
    assert answer.sentences[0].startswith("at 52.5 tok/s/user MTP delivers ")
    assert 1572.7 < answer.points[0].total_tok_s_gpu < 2221.9


def test_outside_of_one_curve_the_other_is_still_shown_but_not_compared() -> None:
    answer = compared(curve(25.04, 103.96), curve(20.0, 98.0), 104, 100, 22)
    assert answer.band == (25.04, 98.0)
    assert answer.sentences == (
        "at 104 tok/s/user no comparison is possible: the MTP curve exists only from 25.1 to 103.9 tok/s/user "
        "and the Off curve exists only from 20.0 to 98.0 tok/s/user, and nothing is extrapolated",
        "at 100 tok/s/user no comparison is possible: "
        "the Off curve exists only from 20.0 to 98.0 tok/s/user, and nothing is extrapolated",
        "at 22 tok/s/user no comparison is possible: "
        "the MTP curve exists only from 25.1 to 103.9 tok/s/user, and nothing is extrapolated",
        "both curves exist from 25.1 to 98.0 tok/s/user",
    )
    known = [not math.isnan(point.total_tok_s_gpu) for point in answer.points]
    assert known == [False, False, True, False, False, True]


def test_bands_that_do_not_overlap() -> None:
    answer = compared(curve(60, 90), curve(20, 50), 55)
    assert answer.band is None
    assert (answer.mtp_band, answer.off_band) == ((60, 90), (20, 50))
    assert answer.sentences[-1] == (
        "the two curves do not overlap: MTP exists from 60.0 to 90.0 tok/s/user, Off from 20.0 to 50.0 tok/s/user; "
        "no comparison at matched interactivity is possible"
    )


def test_bands_too_narrow_for_one_decimal_are_printed_in_full() -> None:
    wide = curve(40, 60)
    assert compared(curve(50.01, 50.04), wide).sentences == ("both curves exist from 50.01 to 50.04 tok/s/user",)
    assert compared(one(9, 1, 50.123), wide).sentences == ("both curves exist at 50.123 tok/s/user",)
    assert compared(curve(60, 90), curve(20, 60)).band == (60, 60)


def test_what_is_unknown_is_null_in_json() -> None:
    point = compared(curve(20, 90), curve(20, 90), 50).points[0]
    row = json.loads(json.dumps(point.as_row(), allow_nan=False))
    assert {name for name in row if row[name] is None} == {"cost_usd_per_mtok", "tok_s_per_mw", "concurrency"}


@pytest.mark.parametrize("bad", [0.0, -44.0, math.nan, math.inf])
def test_refuses_an_impossible_interactivity(bad: float) -> None:
    with pytest.raises(InputError, match="finite and positive"):
        compared(MTP, OFF, 44, bad)


def test_docstring_examples() -> None:
    assert doctest.testmod(comparison) == (0, 3)


def test_a_model_without_mtp_is_read_alone(tmp_path: Path) -> None:
    raw = read_mapping("model", "qwen3.5-397b-a17b") | {"name": "plain", "draft": None}
    raw.pop("default_acceptance")
    file = tmp_path / "plain.yaml"
    file.write_text(yaml.safe_dump(raw), encoding="utf-8")
    found = compare(make_scenario(model=str(file)), [4, 16, 64], at=[60], method="closed-form", intervals=False)
    assert [row["spec"] for row in found.rows] == ["off"]
    assert found.comparison.sentences[0] == "the model has no MTP layer: Off alone"
    assert found.comparison.mtp_band is None
    status = run(["compare", "--model", str(file), "--tp", "2", "--concurrency", "4,16,64", "--method", "closed-form"])
    assert status == 0
    assert run(["compare", "--model", str(file), "--tp", "2", "--mtp", "3"]) == 2
    assert type(draw(found)).__name__ == "Figure"
