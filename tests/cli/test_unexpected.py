"""What users see of a fault that nobody expected, in a process of its own: one sentence, status 1, no half output."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.cli import run

FAILING = """
import sys
import simulator.prediction.several as several
import simulator.api as api
def broken(*args, **options):
    raise {what}
several.predict = broken
from simulator.cli import run
sys.exit(run({arguments!r}))
"""


def failing(what: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """``predict`` with a function below it that raises."""
    script = FAILING.format(what=what, arguments=["predict", *arguments])
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env={**os.environ, **environment}, check=False
    )


def test_a_bug_is_called_one_with_what_to_send(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    done = failing("TypeError('two\\x1b[31m and \\ntwo')", "--output", str(target), "--isl", "512")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert "mtpsim: this is a bug: TypeError: two\\x1b[31m and \\ntwo, at simulator/cli/predict.py:" in done.stderr
    assert f"mtpsim predict --output {target} --isl 512" in done.stderr
    assert "MTPSIM_TRACEBACK=1" in done.stderr
    assert not target.exists()


def test_the_traceback_is_there_for_who_asks() -> None:
    done = failing("KeyError('x')", MTPSIM_TRACEBACK="1")
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback (most recent call last):")
    assert "mtpsim: this is a bug: KeyError: 'x'" in done.stderr


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("MemoryError('Unable to allocate 3.2 GiB')", "not enough memory: Unable to allocate 3.2 GiB; fewer requests"),
        ("MemoryError", "not enough memory; fewer requests"),
        ("RecursionError('deep')", "an input is nested deeper than can be followed"),
    ],
)
def test_what_is_no_bug_is_not_called_one(what: str, sentence: str) -> None:
    done = failing(what)
    assert done.returncode == 1
    assert done.stderr.startswith(f"mtpsim: error: {sentence}")
    assert "bug" not in done.stderr


def test_tests_never_pass_through_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object, **options: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("simulator.catalogue.profiles", broken)
    with pytest.raises(ZeroDivisionError):
        run(["profiles"])
