"""The mistakes kept in ``benchmarks/mutants_by_hand.py`` can still be made, and the tests that judge mutants exist."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


def script(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module(name)


def test_every_mistake_is_one_place_of_code_that_still_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    mutants = script("mutants_by_hand", monkeypatch).MUTANTS
    assert len({mutant.name for mutant in mutants}) == len(mutants)
    for mutant in mutants:
        assert mutant.text() != (ROOT / mutant.file).read_text(encoding="utf-8"), mutant.name
        compile(mutant.text(), mutant.file, "exec")


def test_the_judges_of_every_file_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    stages = script("mutant_tree", monkeypatch).stages
    for file in ROOT.glob("simulator/*/*.py"):
        for stage in stages(str(file)):
            for test in stage.tests:
                assert (ROOT / test.split("=")[-1].split("::")[0]).exists(), test
