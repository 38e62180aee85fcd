"""The command line and the Python that give what a page shows."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from simulator.page.series import Series, series_of
from simulator.page.state import State

OPTIONS = {
    "acceptance_length": "--acceptance-length",
    "acceptance_rate": "--acceptance-rate",
    "acceptance_profile": "--acceptance-profile",
}


def options(arguments: Mapping[str, Any]) -> list[str]:
    """Arguments of :func:`simulator.make_scenario` as options of the command line."""
    words: list[str] = []
    for name, value in arguments.items():
        words += [OPTIONS.get(name, f"--{name}"), f"{value:g}" if isinstance(value, float) else str(value)]
    return words


def command(words: Sequence[str]) -> str:
    """Words as a line for a shell."""
    return shlex.join(words)


def call(name: str, arguments: Mapping[str, Any]) -> str:
    """A call with keyword arguments as Python writes it.

    Example:
        >>> call("make_scenario", {"isl": 8192, "mtp": 3})
        'make_scenario(isl=8192, mtp=3)'
    """
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})"


def equivalent(state: State, against: bool = False) -> dict[str, str]:
    """One command per accelerator, and Python for all; ``against``: readings are those beside a published frontier."""
    every = series_of(state)
    by_hardware = {name: [one for one in every if one.hardware == name] for name in state.hardware}
    commands = [_predict(state, own) for own in by_hardware.values()]
    if off_and_mtp(state):
        commands += [_compare(state, own) for own in by_hardware.values()]
    if against:
        commands.append(_against(state))
    calls = [f"    {call('make_scenario', one.arguments())}," for one in every]
    lines = [
        "from simulator import make_scenario, predict",
        "",
        "scenarios = [",
        *calls,
        "]",
        f"table = predict(scenarios, {_predict_arguments(state)})",
    ]
    return {"command": "\n".join(commands), "python": "\n".join(lines)}


def _against(state: State) -> str:
    words = ["mtpsim", "compare", "--against", state.against]
    words += [] if state.engine == "sglang" else ["--engine", state.engine]
    words += options({k: v for k, v in series_of(state)[0].arguments().items() if k == "calibration"})
    return command([*words, *_basis(state)])


def _basis(state: State) -> list[str]:
    return [] if state.cost_basis == "hyperscaler" else ["--cost-basis", state.cost_basis]


def off_and_mtp(state: State) -> bool:
    """Whether drafts are compared with Off."""
    return 0 in state.mtp and any(state.mtp)


def _predict_arguments(state: State) -> str:
    basis = "" if state.cost_basis == "hyperscaler" else f", cost_basis={state.cost_basis!r}"
    return f"sweep={list(state.sweep)!r}, over_memory='leave-out'{basis}"


def _shared(state: State, own: Sequence[Series]) -> dict[str, Any]:
    return {k: v for one in own for k, v in one.arguments().items() if k != "mtp"}


def _ends(state: State) -> list[str]:
    sweeps = [word for part in state.sweep for word in ("--sweep", part)]
    return [*sweeps, *_basis(state)]


def _predict(state: State, own: Sequence[Series]) -> str:
    depths = ["--mtp", ",".join(str(k) for k in sorted(state.mtp))]
    return command(["mtpsim", "predict", *options(_shared(state, own)), *depths, *_ends(state)])


def _compare(state: State, own: Sequence[Series]) -> str:
    depths = ["--mtp", ",".join(str(k) for k in sorted(state.mtp) if k)]
    at = ["--at", ",".join(f"{value:g}" for value in state.at)] if state.at else []
    return command(["mtpsim", "compare", *options(_shared(state, own)), *depths, *_ends(state), *at])
