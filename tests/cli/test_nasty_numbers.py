"""Every option of every command takes every kind of nasty number, and answers in a sentence."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from simulator.cli import COMMANDS, group, run
from simulator.cli.numbers import INT, REAL

DIGITS = "9" * 5000
NASTY = (
    *("nan", "inf", "-inf", "1e400", "-1e308", DIGITS, f"-{DIGITS}", str(10**400), str(2**63), str(-(2**63))),
    *("", " ", "\uff11\uff12", "1_000", "0x10", "1e", "--", "\x00", "∞", "1" + "0" * 30, "-1e-400", "5e-324"),
)
TEXTS = (
    "nan",
    DIGITS,
    "",
    "\x00",
    "\uff11",
    "1,nan",
    f"4..{DIGITS}",
    "1,,2",
    "4..",
    f"0..1:{DIGITS}",
    "inf..nan",
    "2:inf",
)
WRITTEN = frozenset({"--output", "--results", "--resume", "--plot", "--requests", "--sessions", "-o"})
PLACES = ("\x00", DIGITS, "~nouser/x.csv", "/no/folder/x.csv")
"""What options that name a file to write are given: any other text is the name of one."""
QUICK = {
    "predict": "--concurrency 1 --requests-per-client 1 --method closed-form",
    "compare": "--concurrency 1,2 --requests-per-client 1 --method closed-form",
    "explain": "--concurrency 1",
    "calibrate": "nothing.csv -o out.yaml",
    "evaluate": "nothing.csv",
    "validate": "nothing.csv",
    "convert": "nothing.csv",
    "what-if acceptance": "--concurrency 1 --rates 0.5 --method closed-form --requests-per-client 1 --mtp 1 --osl 16",
    "what-if depth": "--concurrency 1 --method closed-form --mtp 1 --requests-per-client 1",
    "what-if workload": "--concurrency 1 --method closed-form --tp 2 --across-isl 64 --across-osl 8",
    "what-if sensitivity": "--samples 16 --concurrency 1",
    "what-if sweep": "--concurrency 1 --method closed-form --tp 2 --mtp 1 --rates 1",
    "what-if cache": "--concurrency 1 --duration 1s --pool-scale 1 --host-cache-ratio 0",
    "infer-acceptance": "nothing.csv",
    "simulate": "--rate 0.1 --duration 10s --isl 64 --osl 8",
    "replay": "--concurrency 1 --duration 1s",
    "describe-trace": "nothing.csv",
    "plan": "--rate 0.1 --isl 64 --osl 8 --ttft-p99 1us --tp 2 --mtp 0",
    "suggest": "--concurrency 1 --top 1",
    "import-model": "nothing.json",
    "profiles": "",
    "page": "-o /no/folder/page.html",
    "serve": "--measured nothing.csv",
}
"""What makes a command quick where the nasty option is not refused."""


def leaves() -> Iterator[tuple[str, click.Command]]:
    for name in COMMANDS:
        command = group.get_command(click.Context(group), name)
        if isinstance(command, click.Group):
            yield from ((f"{name} {below}", one) for below, one in command.commands.items())
        elif command is not None:
            yield name, command


def options(kind: str) -> list[tuple[str, str]]:
    """(command, option) of every option that is a number; or of every other one that takes a value, where it is first.

    The same option of two commands is the same declaration, or is read by the same function.
    """
    found: dict[tuple[str, str], None] = {}
    seen: set[str] = set()
    for words, command in leaves():
        for option in command.params:
            name = option.opts[0]
            if not isinstance(option, click.Option) or option.is_flag:
                continue
            if option.type in (INT, REAL) and kind == "number":
                found[words, name] = None
            elif option.type not in (INT, REAL) and kind == "other" and name not in seen:
                found[words, name] = None
                seen.add(name)
    return list(found)


def test_no_option_is_a_number_of_another_type() -> None:
    """Those of click take infinities, Unicode digits and numbers of any length."""
    others = (click.types.IntParamType, click.types.FloatParamType)
    found = [
        (words, option.opts[0])
        for words, command in leaves()
        for option in command.params
        if isinstance(option.type, others)
    ]
    assert found == []


@pytest.mark.parametrize(("words", "option"), options("number"))
def test_a_number_option_refuses_what_is_no_number(
    words: str, option: str, capsys: pytest.CaptureFixture[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    for value in NASTY[:-2]:
        assert run([*words.split(), *QUICK[words].split(), f"{option}={value}"]) == 2, value
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith(f"mtpsim: error: {option}: expected "), said.err
        assert len(said.err) < 300


@pytest.mark.parametrize(("words", "option"), options("other"))
def test_any_other_option_answers_in_a_sentence(
    words: str, option: str, capsys: pytest.CaptureFixture[str], tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(str(tmp_path))
    for value in PLACES if option in WRITTEN else TEXTS:
        status = run([*words.split(), *QUICK[words].split(), f"{option}={value}"])
        said = capsys.readouterr()
        assert status == 2 or (status in (0, 3, 4) and not said.err), (value, said.err)
        assert "Traceback" not in said.err
        assert len(said.err) < len(value) + 1500, value
