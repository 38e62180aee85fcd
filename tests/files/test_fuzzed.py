"""What the fuzzer once found: a folder each, of the files and the arguments, judged as the fuzzer judges."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CASES = sorted(path for path in (Path(__file__).parent / "data/fuzzed").iterdir() if path.is_dir())

sys.path.insert(0, str(ROOT / "benchmarks"))

from fuzzing import verdict  # noqa: E402
from fuzzing.inputs import Input  # noqa: E402


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_what_was_found_is_fixed(case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    arguments = json.loads((case / "arguments.json").read_text(encoding="utf-8"))
    files = {path.name: path.read_bytes() for path in case.iterdir() if path.name != "arguments.json"}
    found = verdict.judge(Input(case.name, tuple(arguments), files), tmp_path)
    assert found.findings == ()
    assert found.status in {"accepted", "refused", "broken", "unchecked"}


def test_there_are_cases() -> None:
    assert CASES
