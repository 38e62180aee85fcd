"""A profile under another name is the same thing: predictions with it are the same to the last bit."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from simulator import make_scenario, predict
from simulator.facts.identity import known_hardware, known_model
from simulator.facts.reading import load_hardware, load_model, room

NAMES = {"hardware": "ours", "model": "mine"}


@pytest.fixture
def renamed(tmp_path: Path) -> dict[str, str]:
    """Paths of copies of a shipped accelerator and a shipped model with other names."""
    out = {}
    for kind, shipped in (("hardware", "mi355x"), ("model", "qwen3.5-397b-a17b")):
        text = room(kind).joinpath(f"{shipped}.yaml").read_text(encoding="utf-8")
        text = re.sub(r"^name: .*", f"name: {NAMES[kind]}", text, flags=re.M)
        path = tmp_path / f"{NAMES[kind]}.yaml"
        path.write_text(text, encoding="utf-8")
        out[kind] = str(path)
    return out


@pytest.mark.parametrize(("engine", "mtp"), [("sglang", 3), ("atom", 0), ("vllm", 0)])
def test_predictions_are_the_same_bits(renamed: dict[str, str], engine: str, mtp: int) -> None:
    asked = {"engine": engine, "precision": "fp4", "tp": 4, "isl": 8192, "osl": 1024, "mtp": mtp}
    found, expected = (
        predict(make_scenario(**asked, **names), [4, 64]).records()
        for names in (renamed, {"hardware": "mi355x", "model": "qwen3.5-397b-a17b"})
    )
    assert [{k: v for k, v in row.items() if k not in NAMES} for row in found] == [
        {k: v for k, v in row.items() if k not in NAMES} for row in expected
    ]


def test_what_it_costs_to_own_does_not_make_it_another_accelerator(renamed: dict[str, str]) -> None:
    ours = load_hardware(renamed["hardware"])
    assert known_hardware(ours) == "mi355x"
    assert known_hardware(ours.model_copy(update={"price": None})) == "mi355x"
    assert known_hardware(ours.model_copy(update={"hbm_bandwidth": ours.hbm_bandwidth * 1.01})) == "ours"


def test_a_model_of_another_shape_is_another_model(renamed: dict[str, str]) -> None:
    mine = load_model(renamed["model"])
    assert known_model(mine) == "qwen3.5-397b-a17b"
    assert known_model(mine.model_copy(update={"hidden": mine.hidden * 2})) == "mine"
