"""Every command with a full disk, a full or closed standard output, a place that is taken, and an interruption."""

from __future__ import annotations

import errno
import importlib.util
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from simulator import cli
from simulator.cli import streams
from simulator.files import writing
from simulator.files.kinds import RESULT, Glimpse

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
MTPSIM = [sys.executable, "-c", "import sys; from simulator.cli import main; sys.exit(main())"]


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", BENCHMARKS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


DISK_FULL = script("disk_full")
COMMANDS: dict[str, list[str]] = DISK_FULL.COMMANDS
FORMATS = {"validate": ["table", "json"], "plan": ["table", "json"]}


def target_of(name: str) -> list[str]:
    return ["-o", "answer.yaml"] if name == "calibrate" else ["--output", "answer.yaml"]


class Full(io.StringIO):
    """A terminal's worth of a full disk."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    command, target = COMMANDS[name], target_of(name)
    file = tmp_path / target[1]
    # the same command, in another format, replaces what it wrote before
    forms = (
        [["--format", form] for form in FORMATS.get(name, ["table", "csv", "json"])] if name != "calibrate" else [[]]
    )
    for form in (forms[-1], forms[0]):
        assert cli.run([*command, *target, *form]) in DISK_FULL.NORMAL, capsys.readouterr().err
    good = file.read_bytes()
    assert name == "calibrate" or RESULT.ours(Glimpse.of(file))
    capsys.readouterr()

    # a full disk leaves it alone, before and while the draft is written
    with monkeypatch.context() as patched:
        patched.setattr(writing.os, "fsync", no_space)
        assert cli.run([*command, *target, *forms[0]]) == 1
    assert capsys.readouterr().err == f"mtpsim: error: {' '.join(target)}: cannot be written: No space left on device\n"
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {file.name: good}

    # standard output that is full or closed
    for stream, why in ((Full(), "No space left on device"), (streams.Closed(), "it is closed")):
        with monkeypatch.context() as patched:
            patched.setattr(sys, "stdout", stream)
            assert cli.run([*command, *(target if name == "calibrate" else [])]) == 1
        told = capsys.readouterr().err
        assert told.startswith(f"mtpsim: error: standard output: cannot be written: {why}")
        assert told.count("\n") == 1

    # what is not ours is refused before anything is computed
    file.write_text("name: mine\n")
    assert cli.run([*command, *target]) == 2
    assert "found a file that begins with 'name: mine' there; expected" in capsys.readouterr().err
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {file.name: "name: mine\n"}


def no_space(*_: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("words", [["--help"], ["--version"], [], ["predict", "--help"], ["what-if"]], ids=str)
@pytest.mark.parametrize("stream", [Full, streams.Closed])
def test_help_and_version(
    words: list[str], stream: Callable[[], Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", stream())
        assert cli.run(words) == 1
    assert capsys.readouterr().err.startswith("mtpsim: error: standard output: cannot be written: ")


@pytest.mark.parametrize(
    ("shell", "status", "words"),
    [
        (">/dev/full", 1, "No space left on device"),
        (">&-", 1, "it is closed"),
        ("<&- >&-", 1, "it is closed"),
        ("2>&-", 0, ""),
        ("2>/dev/full", 0, ""),
        ("<&- >&- 2>&-", 1, ""),
        ("| head -c 0", 0, ""),
        ("--nonsense 2>/dev/full", 2, ""),
    ],
)
def test_redirections_of_a_process(shell: str, status: int, words: str, tmp_path: Path) -> None:
    line = f'set -o pipefail; "$@" profiles engine {shell}'
    done = subprocess.run(
        ["bash", "-c", line, "bash", *MTPSIM], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == status
    assert (words in done.stderr) if words else done.stderr == ""
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_closed_standard_output_does_not_become_the_next_file(tmp_path: Path) -> None:
    """The system gives the number of a closed stream to the next file that is opened."""
    sweep = "what-if sweep --tp 2 --mtp 1 --concurrency 4 --rates 0.5 --backend serial --results kept --output answer"
    done = subprocess.run(
        ["bash", "-c", '"$@" >&- 2>&-', "bash", *MTPSIM, *sweep.split()], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 0
    assert (tmp_path / "kept").read_bytes().startswith(b'mtpsim results\n{"key": ')
    assert RESULT.ours(Glimpse.of(tmp_path / "answer"))


SWEEP = "what-if sweep --tp 2,4 --mtp 1,2,3 --concurrency 4..32 --rates 0..1:6 --results kept --output answer"
"""2 x 3 x 4 x 6 with drafts and 2 x 4 without: 152 configurations."""


@pytest.mark.parametrize("backend", [["--backend", "serial"], ["--jobs", "2"]], ids=["serial", "joblib"])
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_it_cleanly(backend: list[str], number: int, status: int, tmp_path: Path) -> None:
    """To the whole group of processes, as a terminal sends it."""
    process = subprocess.Popen(
        [*MTPSIM, *SWEEP.split(), *backend],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    kept = tmp_path / "kept"
    while process.poll() is None and not (kept.exists() and kept.read_bytes().count(b"\n") > 1):
        time.sleep(0.01)
    os.killpg(process.pid, number)
    out, err = process.communicate()
    assert process.returncode == status
    finished = kept.read_text().count("\n") - 1
    told = (
        f"interrupted; {finished} of 152 finished configurations are kept in kept; the same command goes on from there"
    )
    # joblib's own processes may have the same signal, and say so before
    assert err.splitlines()[-1] == f"mtpsim: {told}"
    assert "--jobs" in backend or err == f"mtpsim: {told}\n"
    assert out == ""
    assert [p.name for p in tmp_path.iterdir()] == ["kept"]


def test_a_few_kills_lose_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert script("kill").main(["--kills", "2", "--seed", "1", "--case", "predict", "--case", "joblib"]) == 0
    assert "predict --plot" in capsys.readouterr().out
