"""Paths as users write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.cli import run
from simulator.errors import InputError
from simulator.files.paths import user_path


def test_a_home_folder_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    assert user_path("--output", "~/x.csv") == Path("/home/somebody/x.csv")
    assert user_path("--output", "a~b/x.csv") == Path("a~b/x.csv")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("~nouser-of-this-name/x", "--output: no such user, found '~nouser-of-this-name/x'"),
        ("a\0b", "--output: a path has no NUL byte, found 'a\\x00b'"),
        ("x" * 300, "--output: longer than a path or a name in it can be"),
        ("é" * 200, "--output: longer than"),
        ("x/" * 3000, "--output: longer than"),
    ],
)
def test_what_no_path_can_be(text: str, answer: str) -> None:
    with pytest.raises(InputError) as caught:
        user_path("--output", text)
    assert answer in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "line",
    [
        "predict --calibration {}", "predict --hardware {}", "predict --model {}", "predict --engine {}",
        "predict --mtp 3 --acceptance-profile {}", "simulate --trace {}", "simulate --profile {}",
        "compare --against {}",
        "simulate --rate 1 --lengths empirical:{}", "validate {}", "evaluate {}",
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["~nouser-of-this-name/x", "no/" + "x" * 300, "no/a\0b"])
def test_every_option_with_a_file_to_read(line: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([part.format(name) for part in line.split()]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("mtpsim: error: ")
