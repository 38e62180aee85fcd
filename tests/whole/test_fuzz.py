"""The fuzzer finds what is planted, survives it, goes on where it was, and makes the same input again."""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
Command = Callable[[list[str]], int]


@functools.cache
def fuzz() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_fuzz", FOLDER / "fuzz.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def refuse(arguments: list[str]) -> int:
    print("mtpsim: error: no", file=sys.stderr)
    return 2


def crash(arguments: list[str]) -> int:
    return [0][len(arguments)]


def wrapped(arguments: list[str]) -> int:
    print("mtpsim: error: this is a bug", file=sys.stderr)
    return 1


def escape(arguments: list[str]) -> int:
    print("\x1b[31mred")
    return 0


def escape_of_eight_bits(arguments: list[str]) -> int:
    print("mtpsim: error: \x9b31m", file=sys.stderr)
    return 2


def no_number(arguments: list[str]) -> int:
    print("TTFT nan ms")
    return 0


def no_number_in_a_file(arguments: list[str]) -> int:
    Path("out.json").write_text('{"x": Infinity}')
    return 3


def formula(arguments: list[str]) -> int:
    Path("r.csv").write_text("a,b\n-1.5,=HYPERLINK(1)\n")
    return 0


def destroy(arguments: list[str]) -> int:
    Path("t.jsonl").write_text("gone")
    return 0


def leave(arguments: list[str]) -> int:
    Path(".out.png.part").write_text("half")
    return refuse(arguments)


def mumble(arguments: list[str]) -> int:
    print("something is wrong", file=sys.stderr)
    return 2


def odd(arguments: list[str]) -> int:
    return 77


def warn(arguments: list[str]) -> int:
    print("/x/serving/batch.py:7: RuntimeWarning: overflow", file=sys.stderr)
    return 0


def hang(arguments: list[str]) -> int:
    while True:
        pass


def wait(arguments: list[str]) -> int:
    time.sleep(60)
    return 0


def devour(arguments: list[str]) -> int:
    return len(bytearray(2**31))


def die(arguments: list[str]) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


PLANTED: dict[Command, str] = {
    crash: "crash IndexError",
    wrapped: "crash a sentence alone",
    escape: "escape stdout of simulate, status 0",
    escape_of_eight_bits: "escape stderr of simulate, status 2",
    no_number: "nan stdout of simulate",
    no_number_in_a_file: "nan out.json of simulate",
    formula: "formula r.csv of simulate",
    destroy: "destroyed t.jsonl by simulate, status 0",
    leave: "left behind .out.png.part",
    mumble: "sentence simulate",
    odd: "status simulate",
    warn: "warning serving/batch.py RuntimeWarning",
    hang: "hang outside the simulator",
    wait: "hang outside the simulator",
    devour: "memory MemoryError",
    die: "death outside the simulator",
}


def run(tmp_path: Path, command: Command, *more: str) -> tuple[int, dict[str, int], dict[str, int]]:
    """Status, counts of all inputs by word, and findings with how often they came."""
    journal = tmp_path / "journal.json"
    words = ["--kinds", "jsonl", "--journal", str(journal), "--findings", str(tmp_path / "found"), *more]
    status = fuzz().main(words, command)
    kept = json.loads(journal.read_text())
    return status, kept["kinds"]["jsonl"], {name: one["times"] for name, one in kept["findings"].items()}


@pytest.mark.parametrize(("command", "finding"), PLANTED.items(), ids=[c.__name__ for c in PLANTED])
def test_what_is_planted_is_found_and_survived(command: Command, finding: str, tmp_path: Path) -> None:
    def now_and_then(arguments: list[str]) -> int:
        return command(arguments) if "--requests" in arguments else refuse(arguments)

    limits = ["--limit", "0.5", "--memory", "1"]
    status, counts, found = run(tmp_path, now_and_then, "--inputs", "16", *limits)
    expected = sum("--requests" in fuzz().kinds.make(0, "jsonl", i).arguments for i in range(16))
    assert (status, counts["inputs"]) == (1, 16)
    assert 0 < expected < 16
    assert found == {finding: expected}


def test_nothing_wrong_is_nothing_found(tmp_path: Path) -> None:
    status, counts, found = run(tmp_path, refuse, "--inputs", "250", "--jobs", "2")
    assert (status, counts["inputs"], counts["refused"], found) == (0, 250, 250, {})
    assert not (tmp_path / "found").exists()


def test_text_given_back_is_no_number(tmp_path: Path) -> None:
    def echo(arguments: list[str]) -> int:
        text = Path("t.jsonl").read_bytes().decode("utf-8", "replace")
        print("read:", "".join(c for c in text if c.isprintable()))
        return 0

    status, _, found = run(tmp_path, echo, "--inputs", "60")
    texts = [fuzz().kinds.make(0, "jsonl", i).files["t.jsonl"] for i in range(60)]
    assert any(b"NaN" in text for text in texts)
    assert (status, found) == (0, {})


def test_goes_on_where_it_was(tmp_path: Path) -> None:
    def moody(arguments: list[str]) -> int:
        return crash(arguments) if "json" in arguments else refuse(arguments)

    for folder, parts in (("once", ["450"]), ("twice", ["400", "450"])):
        (tmp_path / folder).mkdir()
        for inputs in parts:
            _, counts, found = run(tmp_path / folder, moody, "--inputs", inputs)
        counts.pop("milliseconds", None)
        (tmp_path / f"{folder}.txt").write_text(json.dumps([counts, found], sort_keys=True))
    assert (tmp_path / "once.txt").read_text() == (tmp_path / "twice.txt").read_text()
    with pytest.raises(SystemExit):
        run(tmp_path / "once", moody, "--inputs", "500", "--seed", "1")


def test_a_finding_keeps_only_the_mutations_that_it_needs(tmp_path: Path) -> None:
    def picky(arguments: list[str]) -> int:
        return crash(arguments) if b"9" * 400 in Path("t.jsonl").read_bytes() else refuse(arguments)

    run(tmp_path, picky, "--inputs", "100", "--seed", "1")
    ((name, finding),) = json.loads((tmp_path / "journal.json").read_text())["findings"].items()
    number, keep = int(finding["input"].removeprefix("jsonl:")), finding["keep"]

    def files(kept: list[int]) -> dict[str, bytes]:
        made: dict[str, bytes] = fuzz().kinds.make(1, "jsonl", number, frozenset(kept)).files
        return made

    assert len(keep) < fuzz().kinds.make(1, "jsonl", number).mutations
    assert all(b"9" * 400 not in files([k for k in keep if k != one])["t.jsonl"] for one in keep)
    words = ["--seed", "1", "--only", finding["input"], "--keep", ",".join(map(str, keep)), "--findings"]
    assert fuzz().main([*words, str(tmp_path / "again")], picky) == 1
    saved = [next(folder.iterdir()) for folder in (tmp_path / "found", tmp_path / "again")]
    assert [(folder / "t.jsonl").read_bytes() for folder in saved] == [files(keep)["t.jsonl"]] * 2
    assert name in (saved[0] / "note.txt").read_text()


PRINTS = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
from fuzzing import kinds
kinds.HARMLESS.update(plan=b"{}\\n", sweep=b"mtpsim results\\n{}\\n")
for name in kinds.KINDS:
    for number in range(40):
        one = kinds.make(3, name, number)
        print(name, number, hashlib.sha256(repr((one.arguments, sorted(one.files.items()))).encode()).hexdigest())
"""


def test_an_input_is_the_same_in_every_process() -> None:
    texts = []
    for salt in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": salt, "PYTHONPATH": str(FOLDER.parent)}
        command = [sys.executable, "-c", PRINTS, str(FOLDER)]
        texts.append(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)
    assert texts[0] == texts[1]
    lines = texts[0].splitlines()
    assert len({line.split()[2] for line in lines}) > 0.9 * len(lines)  # and hardly two are equal


def test_the_real_program_under_a_few_inputs_of_every_kind(tmp_path: Path) -> None:
    journal = tmp_path / "journal.json"
    words = ["--inputs", "130", "--journal", str(journal), "--findings", str(tmp_path / "found")]
    assert fuzz().main(words) == 0
    assert set(json.loads(journal.read_text())["kinds"]) == set(fuzz().kinds.KINDS)
