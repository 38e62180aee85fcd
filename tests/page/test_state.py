"""What a page may ask for: bounded, named, and told all faults at once."""

from __future__ import annotations

import json
from typing import Any

import pytest

from simulator.errors import InputError
from simulator.page.choices import check_names, choices
from simulator.page.series import runs
from simulator.page.state import State, read_state


def test_the_default_state_is_what_an_empty_one_means() -> None:
    assert read_state("{}") == State() == read_state(choices()["default"])
    assert State().changed() == {}


def test_a_state_says_what_differs_from_the_default_and_reads_it_again() -> None:
    state = read_state({"isl": 8192, "hardware": ["b200", "mi355x"], "acceptance": "length:2.85"})
    assert state.changed() == {"isl": 8192, "hardware": ["b200", "mi355x"], "acceptance": "length:2.85"}
    assert read_state(json.dumps(state.changed())) == state


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"isl": 0}, "isl: Input should be greater than or equal to 1, found 0"),
        ({"isl": "1024"}, "isl: Input should be a valid integer, found '1024'"),
        ({"isl": True}, "isl: Input should be a valid integer, found True"),
        ({"hardware": []}, "hardware"),
        ({"hardware": ["a", "b", "c", "d", "e"]}, "at most 4"),
        ({"hardware": ["mi355x", "mi355x"]}, "hardware: expected each value once"),
        ({"hardware": ["../../etc/passwd"]}, "expected the name of a profile that ships"),
        ({"model": "/etc/passwd"}, "model: expected the name of a profile that ships"),
        ({"model": "x" * 200}, "model"),
        ({"acceptance": "length:two"}, "acceptance: expected fitted, length:X, rate:A or profile:NAME"),
        ({"acceptance": "profile:../x"}, "acceptance: expected fitted"),
        ({"sweep": ["two"]}, "expected TP:clients such as 2:4..256"),
        ({"mtp": [99]}, "mtp.0"),
        ({"at": [-1.0]}, "at.0"),
        ({"rate": 0}, "rate"),
        ({"nothing": 1}, "nothing: no such key"),
    ],
)
def test_what_cannot_be_is_refused_by_its_key(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as fault:
        read_state(change)
    assert said in str(fault.value)


def test_numbers_that_json_has_not_are_refused() -> None:
    for text in ('{"rate": NaN}', '{"rate": Infinity}', "[]", "null", "{", '{"at": [1e999]}'):
        with pytest.raises(InputError):
            read_state(text)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(InputError) as fault:
        read_state({"isl": 0, "osl": 0})
    assert len(str(fault.value).split("\n")) == 2


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"hardware": ["mi3555x"]}, "did you mean 'mi355x'"),
        ({"model": "qwen"}, "unknown model"),
        ({"engine": "nothing"}, "unknown engine"),
        ({"recipe": "nothing"}, "unknown recipe"),
        ({"calibration": "nothing"}, "unknown calibration"),
        ({"checkpoint": "nothing"}, "unknown checkpoint"),
        ({"acceptance": "profile:nothing"}, "unknown acceptance"),
        ({"against": "atom-mi355x"}, "unknown published frontier"),
        ({"x": "nothing"}, "unknown metric"),
    ],
)
def test_a_name_that_does_not_ship_is_refused_with_the_nearest(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as fault:
        check_names(read_state(change))
    assert said in str(fault.value)


@pytest.mark.parametrize("sweep", ["2:4..4096", "99:4", "2:" + ",".join(map(str, range(1, 40)))])
def test_runs_are_bounded(sweep: str) -> None:
    with pytest.raises(InputError, match="sweep: expected at most"):
        runs((sweep,))


def test_every_choice_is_one_that_a_state_takes() -> None:
    offered = choices()
    for key, kind in (
        ("model", "models"),
        ("engine", "engines"),
        ("recipe", "recipes"),
        ("calibration", "calibrations"),
    ):
        for one in offered[kind]:
            check_names(read_state({key: one["name"]}))
    for one in offered["hardware"]:
        check_names(read_state({"hardware": [one["name"]]}))
    for one in offered["metrics"]:
        check_names(read_state({"x": one["name"]}))
    for name in offered["published"]:
        check_names(read_state({"against": name}))
