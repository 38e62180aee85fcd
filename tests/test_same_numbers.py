"""The proof that two checkouts give the same numbers sees what it must, and draws the same commands each time."""

from __future__ import annotations

import importlib.util
import math
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]

spec = importlib.util.spec_from_file_location("same_numbers", ROOT / "benchmarks" / "same_numbers.py")
assert spec is not None
assert spec.loader is not None
same = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = same
spec.loader.exec_module(same)


def document() -> dict[str, Any]:
    return {
        "meta": {"tp": 2, "file": "simulator/parameters.yaml", "versions": {"mtpsim": "0.1.0"}},
        "rows": [{"x": 0.1}, {"x": 2.0, "none": None, "yes": True}],
    }


def found(after: Any, before: Any = None) -> list[tuple[Any, ...]]:
    return [tuple(d) for d in same.differences(document() if before is None else before, after)]


def test_equal_documents_do_not_differ() -> None:
    assert found(document()) == []


def test_a_last_bit() -> None:
    after = document()
    after["rows"][0]["x"] = math.nextafter(0.1, 1)
    (difference,) = same.differences(document(), after)
    assert difference[:3] == ("$.rows[0].x", 0.1, 0.10000000000000002)
    assert difference.allowed is None
    assert difference.text().endswith("relative 1.39e-16")


@pytest.mark.parametrize(("key", "value"), [("x", 2), ("x", "2.0"), ("x", None), ("none", 0.0), ("yes", 1)])
def test_a_changed_type(key: str, value: Any) -> None:
    after = document()
    after["rows"][1][key] = value
    assert found(after) == [(f"$.rows[1].{key}", document()["rows"][1][key], value, None)]


def test_the_sign_of_zero() -> None:
    assert found([-0.0], [0.0]) == [("$[0]", 0.0, -0.0, None)]


@pytest.mark.parametrize("key", ["none", "yes"])
def test_a_missing_key(key: str) -> None:
    after = document()
    gone = after["rows"][1].pop(key)
    assert found(after) == [(f"$.rows[1].{key}", gone, same.ABSENT, None)]
    assert found(document(), after) == [(f"$.rows[1].{key}", same.ABSENT, gone, None)]


def test_a_missing_row() -> None:
    after = document()
    gone = after["rows"].pop()
    assert found(after) == [("$.rows[1]", gone, same.ABSENT, None)]


def test_the_order_of_keys() -> None:
    after = document()
    after["rows"][1] = dict(reversed(after["rows"][1].items()))
    assert [path for path, *_ in found(after)] == ["$.rows[1] (order of keys)"]


def test_what_may_differ_is_named() -> None:
    after = document()
    after["meta"]["file"] = "simulator/engine/parameters.yaml"
    after["meta"]["versions"]["mtpsim"] = "0.2.0"
    assert [allowed for *_, allowed in found(after)] == ["folders", "versions"]
    after["meta"]["file"] = "simulator/engine/priors.yaml"
    assert [allowed for *_, allowed in found(after)] == [None, "versions"]


def result(**changed: Any) -> dict[str, Any]:
    return {"status": 2, "out": '{"a": 0.1}', "err": ["no"], "files": {"f": ["1"]}, "seconds": 1.0} | changed


@pytest.mark.parametrize(
    "changed", [{"status": 1}, {"err": ["yes"]}, {"files": {}}, {"files": {"f": ["2"]}}, {"out": '{"a": 0.2}'}]
)
def test_all_that_a_command_leaves_is_compared(changed: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert same.compared(result(), result(seconds=2.0)) == []
    assert same.report([["predict"]], [result()], [result(**changed)], None) == 1
    assert "differences: 1, in 1 of 1 commands" in capsys.readouterr().out


def test_configurations_are_the_same_for_the_same_seed_and_many() -> None:
    commands = same.configurations(0)
    assert commands == same.configurations(0)
    assert commands != same.configurations(1)
    assert len(set(map(tuple, commands))) > 300
    kinds = Counter(map(same.kind, commands))
    assert kinds["predict"] > 100
    assert kinds.keys() == Counter(map(same.kind, same.configurations(0, quick=True))).keys()
    assert not any(set("{|}") & set(word) for command in commands for word in command)
    fits = [i for i, command in enumerate(commands) if command[0] == "calibrate"]
    assert fits == list(range(len(fits)))


def test_every_command_of_the_command_line_is_there() -> None:
    from simulator.cli import COMMANDS

    assert {command[0] for command in same.configurations(0)} == set(COMMANDS)


def test_a_planted_bit_is_seen_from_end_to_end(tmp_path: Path) -> None:
    planted = same.plant(ROOT, tmp_path / "planted")
    commands = [["profiles", "parameters", "--format", "json"], ["profiles", "hardware", "mi999"]]
    before, after = (same.run(checkout, sys.executable, commands) for checkout in (ROOT, planted))
    assert [r["status"] for r in before] == [r["status"] for r in after] == [0, 2]
    (difference,) = same.compared(before[0], after[0])
    assert difference.path.startswith("$.out.rows[")
    assert difference.after == math.nextafter(difference.before, math.inf)
    assert same.compared(before[1], after[1]) == []


def test_too_little_success_is_an_error(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(same, "run", lambda checkout, python, commands: [result() for _ in commands])
    assert same.main(["--before", str(ROOT)]) == 1
    assert "only 0 commands succeeded" in capsys.readouterr().out
    assert same.main(["--before", str(ROOT), "--quick"]) == 0
