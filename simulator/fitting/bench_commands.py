"""Commands of benchmark tools that measure one configuration as the shipped measurements were taken.

Lengths are uniform from R x L to L. Tools state that in their own ways: SGLang by R itself, vLLM by the middle and a
symmetric part of it, GuideLLM by both ends, aiperf by a mean and a standard deviation of the same size.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable
from dataclasses import dataclass

from simulator.errors import unknown_name

URL, SGLANG_URL = "http://localhost:8000", "http://localhost:30000"
"""Where the servers listen by default."""


@dataclass(frozen=True)
class Run:
    """What is to be measured.

    Attributes:
        model: repository of the checkpoint.
        isl: longest input, tokens.
        osl: longest output, tokens.
        ratio: shortest over longest length, above 0 and up to 1.
        concurrency: clients.
        requests: in all.
    """

    model: str
    isl: int
    osl: int
    ratio: float
    concurrency: int
    requests: int

    def ends(self, longest: int) -> tuple[int, int]:
        """Shortest and longest length, tokens."""
        return max(1, int(longest * self.ratio)), longest

    def mean(self, longest: int) -> int:
        """Mean length, tokens."""
        return round(sum(self.ends(longest)) / 2)

    def spread(self, longest: int) -> int:
        """Standard deviation of uniform lengths, tokens."""
        low, high = self.ends(longest)
        return round((high - low) / math.sqrt(12))


@dataclass(frozen=True)
class Tool:
    """A benchmark tool.

    Attributes:
        command: makes its words of a run.
        source: version whose source the options were read in; None: they are from its result files alone.
    """

    command: Callable[[Run], list[str]]
    source: str | None


def _vllm(run: Run) -> list[str]:
    words = ["vllm", "bench", "serve", "--base-url", URL, "--model", run.model, "--dataset-name", "random"]
    words += ["--random-input-len", str(run.mean(run.isl)), "--random-output-len", str(run.mean(run.osl))]
    words += ["--random-range-ratio", f"{(1 - run.ratio) / (1 + run.ratio):.4g}"]
    words += ["--num-prompts", str(run.requests), "--max-concurrency", str(run.concurrency)]
    return [*words, "--ignore-eos", "--percentile-metrics", "ttft,tpot,itl,e2el", "--save-result"]


def _sglang(run: Run) -> list[str]:
    words = [
        "python",
        "-m",
        "sglang.bench_serving",
        "--backend",
        "sglang",
        "--base-url",
        SGLANG_URL,
        "--model",
        run.model,
    ]
    words += ["--dataset-name", "random-ids", "--random-input-len", str(run.isl), "--random-output-len", str(run.osl)]
    words += ["--random-range-ratio", f"{run.ratio:.4g}", "--num-prompts", str(run.requests)]
    return [*words, "--max-concurrency", str(run.concurrency), "--output-file", "result.jsonl"]


def _aiperf(run: Run) -> list[str]:
    words = ["aiperf", "profile", "--url", URL, "--model", run.model, "--endpoint-type", "completions", "--streaming"]
    words += ["--isl", str(run.mean(run.isl)), "--isl-stddev", str(run.spread(run.isl))]
    words += ["--osl", str(run.mean(run.osl)), "--osl-stddev", str(run.spread(run.osl))]
    words += ["--extra-inputs", "ignore_eos:true"]
    return [*words, "--concurrency", str(run.concurrency), "--request-count", str(run.requests)]


def _guidellm(run: Run) -> list[str]:
    data = "kind=synthetic_text"
    for name, longest in (("prompt", run.isl), ("output", run.osl)):
        low, high = run.ends(longest)
        data += f",{name}_tokens={run.mean(longest)},{name}_tokens_min={low},{name}_tokens_max={high}"
    words = ["guidellm", "run", "--backend", f"kind=openai_http,target={URL},model={run.model}"]
    words += ["--profile", f"kind=concurrent,streams={run.concurrency}"]
    return [*words, "--constraint", f"kind=max_requests,count={run.requests}", "--data", data]


TOOLS: dict[str, Tool] = {
    "vllm": Tool(_vllm, None),
    "sglang": Tool(_sglang, "sglang 0.5.23"),
    "aiperf": Tool(_aiperf, "aiperf 0.13.0"),
    "guidellm": Tool(_guidellm, "guidellm 0.8.1"),
}


def tool_of(name: str | None, engine: str) -> str:
    """The tool asked for; None: the engine's own, vLLM's where it has none.

    Raises:
        InputError: an unknown tool.

    Example:
        >>> tool_of(None, "sglang"), tool_of(None, "atom"), tool_of("AIPerf", "atom")
        ('sglang', 'vllm', 'aiperf')
    """
    if name is None:
        return engine if engine in TOOLS else "vllm"
    if name.lower() not in TOOLS:
        raise unknown_name("benchmark tool in --tool", name, TOOLS)
    return name.lower()


def bench_command(tool: str, run: Run) -> str:
    """A line for a shell."""
    return shlex.join(TOOLS[tool].command(run))


def told_source(tool: str) -> str:
    """How far the options of a command can be trusted, in words."""
    source = TOOLS[tool].source
    if source is None:
        return "options not verified against the source of the tool: see its --help"
    return f"options as in the source of {source}"
