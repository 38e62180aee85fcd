"""A command without options and its function without arguments are the same question, and have the same answer."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

import simulator
from simulator import Backend, Result, make_scenario, shipped_measurements
from simulator.cli import COMMANDS, group, run
from simulator.cli.options import Inputs

FILE = str(shipped_measurements("sglang_mi355x_8k1k.csv"))
CONFIG = str(Path(__file__).parents[1] / "facts" / "importing" / "configs" / "Qwen--Qwen3-32B.config.json")
TRACE = str(Path(__file__).parents[1] / "traffic" / "data" / "mooncake.jsonl")
KERNELS = str(shipped_measurements("kernels_amd_more.csv"))
ROWS = "precision=FP4 and concurrency<=8"
FORMULA = ("--method", "closed-form")
FEW, FEWER = (*FORMULA, "--select", ROWS), {"method": "closed-form", "select": ROWS}


def leaves() -> Iterator[tuple[str, click.Command]]:
    """Every command line that computes something, by its words."""
    context = click.Context(group)
    for name in COMMANDS:
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from ((f"{name} {below}", one) for below, one in command.commands.items())
        elif command is not None:
            yield name, command


PAGE = {"page", "serve"}
"""Commands that show the answers of other functions, which ``tests/page`` compares with them."""

LEAVES = {words: command for words, command in leaves() if words not in PAGE}


def function_of(words: str) -> Callable[..., Any]:
    """``what-if acceptance`` -> ``what_if_acceptance``."""
    found: Callable[..., Any] = getattr(simulator, words.replace(" ", "_").replace("-", "_"))
    return found


def test_every_command_has_its_public_function() -> None:
    for words in LEAVES:
        assert callable(function_of(words)), words
        assert function_of(words).__name__ in simulator.__all__


# --- defaults that are read off both

SCENARIO = frozenset(Inputs.__dataclass_fields__)
"""Options that make a scenario: their defaults are those of :func:`make_scenario`, but for TP and depth."""

BACKEND = frozenset(inspect.signature(Backend).parameters) - {"name"} | {"backend"}
OUTPUT = frozenset({"form", "output", "plot", "requests", "sessions", "measured", "set_file"})
RENAMED = {
    "concurrency": ("concurrency", "concurrencies"),
    "expression": ("select",),
    "kv_bandwidth": ("kv_bandwidth_gb_s",),
    "ep_choices": ("ep",),
    "no_cross_validation": ("cross_validate",),
}
MEANT = {
    ("compare", "at"): (None, ()),
    ("compare", "sweep"): (None, ()),
    ("predict", "sweep"): (None, ()),
    ("what-if cache", "states"): (None, ()),
    ("what-if sweep", "rates"): ("0..1:11", tuple(0.1 * i for i in range(11))),
    ("explain", "concurrency"): ([32], 32),
    ("plan", "ep_choices"): ("1", (1,)),
    ("calibrate", "no_cross_validation"): (False, True),
    ("what-if sweep", "concurrency"): ("4..256", (4, 8, 16, 32, 64, 128, 256)),
}
"""Command and option -> the default as the command line writes it, and as the function does, where they differ."""

ONLY_THERE = {
    "predict": {"queue_over_memory", "compare_recipes"},
    "compare": {"against", "known", "workload", "host_cache_ratio", "duration", "think_cap"},
    "convert": {"explain"},
    "explain": {"queue_over_memory", "sweep"},
    "calibrate": {"shipped", "check"},
    "fit-kernels": {"shipped", "check"},
    "validate": {"allow_unchecked"},
    "what-if workload": {"across_isl", "across_osl", "across_hardware", "across_precision"},
    "what-if cache": {"across_kv_dtype", "across_state_dtype"},
}
"""Options that say in other words what a function takes as an argument or a scenario."""


def defaults(command: click.Command) -> dict[str, Any]:
    """Name -> default of every option, as the function behind a command receives it."""
    needed = [p.name or "" for p in command.params if isinstance(p, click.Argument) and p.required]
    options = [p.name for p in command.params if isinstance(p, click.Option) and p.expose_value]
    found = command.make_context(None, needed).params
    return {name: found[name] for name in options if name is not None}


@pytest.mark.parametrize("words", LEAVES)
def test_defaults_by_name(words: str) -> None:
    options = defaults(LEAVES[words])
    arguments = {name: p.default for name, p in inspect.signature(function_of(words)).parameters.items()}
    own = options.keys() - SCENARIO - BACKEND - OUTPUT - ONLY_THERE.get(words, set())
    for option in own | ({"tp", "mtp"} if words == "plan" else set()):
        name = next(n for n in RENAMED.get(option, (option,)) if n in arguments)
        written, expected = MEANT.get((words, option), (options[option], options[option]))
        assert options[option] == written, f"{words} --{option}"
        if isinstance(expected, list | tuple):
            assert list(arguments[name]) == pytest.approx(list(expected)), f"{words} {name}"
        else:
            assert arguments[name] == expected, f"{words} {name}"


@pytest.mark.parametrize("words", [words for words, command in LEAVES.items() if "precision" in defaults(command)])
def test_the_scenario_of_a_command_is_the_scenario_of_the_api(words: str) -> None:
    options = defaults(LEAVES[words])
    arguments = {name: p.default for name, p in inspect.signature(make_scenario).parameters.items()}
    assert arguments.keys() == SCENARIO
    for name in SCENARIO - {"tp", "mtp"}:
        assert options[name] == arguments[name], f"{words} --{name}"


@pytest.mark.parametrize("words", [words for words, command in LEAVES.items() if "backend" in defaults(command)])
def test_the_backend_of_a_command_is_the_backend_of_the_api(words: str) -> None:
    options = defaults(LEAVES[words])
    stated = Backend(options["backend"], **{name: options[name] for name in BACKEND - {"backend"}})
    assert stated == Backend() == inspect.signature(function_of(words)).parameters["backend"].default


# --- the same answers

ASKED: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "predict": ((), {}),
    "compare": ((), {}),
    "explain": ((), {}),
    "suggest": ((), {}),
    "profiles": ((), {}),
    "what-if acceptance": (FORMULA, {"method": "closed-form"}),
    "what-if depth": (FORMULA, {"method": "closed-form"}),
    "what-if workload": (FORMULA, {"method": "closed-form"}),
    "what-if sensitivity": (("--samples", "16"), {"samples": 16}),
    "what-if sweep": ((), {}),
    "what-if cache": (("--concurrency", "2", "--duration", "1min"), {"concurrency": (2,), "duration": "1min"}),
    "simulate": (("--rate", "2", "--duration", "1min"), {"rate": 2.0, "duration": "1min"}),
    "describe-trace": ((TRACE,), {"path": TRACE}),
    "replay": (("--concurrency", "1,2", "--duration", "1min"), {"concurrency": (1, 2), "duration": "1min"}),
    "plan": (("--rate", "2", "--ttft-p99", "2s"), {"rate": 2.0, "promises": ["ttft-p99=2s"]}),
    "import-model": ((CONFIG,), {"path": CONFIG}),
    "fit-kernels": ((KERNELS, "--hardware", "mi355x"), {"tables": KERNELS, "hardware": "mi355x"}),
    "validate": ((FILE, *FEW), {"files": FILE, **FEWER}),
    "evaluate": ((FILE, *FEW), {"files": FILE, **FEWER}),
    "convert": ((FILE,), {"files": FILE}),
    "infer-acceptance": ((FILE, FILE, *FEW), {"off": FILE, "mtp": FILE, **FEWER}),
}
"""Command -> the options that it cannot do without, and those that make it fast, in both languages."""


def test_every_command_is_asked_but_the_one_that_writes_a_file() -> None:
    assert LEAVES.keys() - ASKED.keys() == {"calibrate"}


@pytest.mark.parametrize("words", ASKED)
def test_the_command_gives_the_document_of_the_function(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    options, arguments = ASKED[words]
    status = run([*words.split(), *options, "--format", "json"])
    printed = capsys.readouterr().out
    answer = function_of(words)(**arguments)
    assert isinstance(answer, Result)
    assert status in (0, 3)
    assert printed == answer.to_json() + "\n"
