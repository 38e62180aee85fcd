"""Commands of benchmark tools: their lengths are those of the measurement, in each tool's own way to state them."""

from __future__ import annotations

import json
import shlex

import numpy as np
import pytest

from simulator.cli import run
from simulator.cli.text.suggest import lines_of
from simulator.errors import InputError
from simulator.fitting.bench_commands import TOOLS, Run, bench_command, tool_of
from simulator.traffic.benchmark import draw_lengths

RUNS = [
    Run("org/model", isl, osl, ratio, 64, 640) for isl, osl in ((8192, 1024), (1000, 7)) for ratio in (0.8, 1.0, 0.3)
]


def options(tool: str, one: Run) -> dict[str, str]:
    words = shlex.split(bench_command(tool, one))
    return {name: value for name, value in zip(words, [*words[1:], ""], strict=True) if name.startswith("--")}


@pytest.mark.parametrize("one", RUNS)
def test_each_tool_draws_the_lengths_of_the_benchmark(one: Run) -> None:
    """By the rules of the tools: SGLang [R L, L], vLLM M (1 - r) to M (1 + r), GuideLLM from least to greatest."""
    vllm, sglang, aiperf, guidellm = (options(tool, one) for tool in ("vllm", "sglang", "aiperf", "guidellm"))
    data = dict(part.split("=") for part in guidellm["--data"].split(","))
    r = float(vllm["--random-range-ratio"])
    for longest, name, of in ((one.isl, "input", "prompt"), (one.osl, "output", "output")):
        drawn = draw_lengths(np.random.default_rng(0), longest, one.ratio, 20_000)
        low, high, mean = int(drawn.min()), int(drawn.max()), float(drawn.mean())
        middle = int(vllm[f"--random-{name}-len"])
        assert middle * (1 - r) == pytest.approx(low, abs=1.5)
        assert middle * (1 + r) == pytest.approx(high, abs=1.5)
        full = int(sglang[f"--random-{name}-len"])
        assert (max(int(full * float(sglang["--random-range-ratio"])), 1), full) == (low, high)
        assert (int(data[f"{of}_tokens_min"]), int(data[f"{of}_tokens_max"])) == (low, high)
        short = {"input": "isl", "output": "osl"}[name]
        assert int(aiperf[f"--{short}"]) == pytest.approx(mean, abs=0.02 * mean + 1)
        assert int(aiperf[f"--{short}-stddev"]) == pytest.approx(drawn.std(), abs=0.02 * mean + 1)


@pytest.mark.parametrize("tool", TOOLS)
def test_each_tool_has_model_clients_and_requests(tool: str) -> None:
    command = bench_command(tool, RUNS[0])
    for part in ("org/model", "64", "640"):
        assert part in command


@pytest.mark.parametrize("tool", [None, *TOOLS])
def test_suggest_ends_with_a_command(tool: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["suggest", "--isl", "8192", "--top", "2", *(["--tool", tool] if tool else [])]
    assert run([*line, "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    used = document["meta"]["tool"]
    assert used == (tool or "sglang")
    assert run(line) == 0
    text = capsys.readouterr().out
    last = text[text.index("Against a server") :].split("\n\n", 1)[1]
    assert shlex.split(last.replace("\\\n", " ")) == shlex.split(document["rows"][0]["command"])
    assert ("not verified" in text) == (TOOLS[used].source is None)


def test_tools_by_engine_and_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert [tool_of(None, engine) for engine in ("sglang", "vllm", "atom")] == ["sglang", "vllm", "vllm"]
    with pytest.raises(InputError, match="benchmark tool in --tool 'wrk'"):
        tool_of("wrk", "vllm")


def test_lines_are_no_longer_than_the_page() -> None:
    command = bench_command("sglang", RUNS[0])
    assert all(len(line) <= 60 for line in lines_of(command, 60).split("\n"))
    assert shlex.split(lines_of(command, 60).replace("\\\n", " ")) == shlex.split(command)
