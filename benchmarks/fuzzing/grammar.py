"""Options of every command, read off click, with values from a grammar per placeholder of the help."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import click

from fuzzing import nasty

Draw = Callable[[random.Random], str]

NEVER = {"--shipped", "--scheduler", "--backend", "--jobs", "--help"}
"""Not drawn: writes into the package, opens connections, starts processes; ``--backend serial`` is always given."""

NAMES = [
    "mi355x", "h100", "b200", "NVIDIA H200", "AMD mi300x", "qwen3.5-397b-a17b", "sglang", "atom", "vllm",
    "fp4", "fp8", "bf16",
    "mxfp4", "mxfp4-attnfp8", "atom-mi355x", "kernel-priors", "inferencex-mi355x-fp4-1k1k", "kimi-k3-thinking",
    "qwen3.5-397b-a17b-random", "hyperscaler", "neocloud", "rental", "round-robin", "two-choices", "least-outstanding",
    "prefix-aware", "sticky",
    "decode", "prefill", "both", "each", "derived", "total_tok_s_gpu", "mean_tpot_ms", "mean_ttft_ms",
    "closed-form", "hardware",
    "model", "engine", "calibration", "acceptance", "parameters", "Qwen/Qwen3.5-397B-A17B-FP8", "llama", "config.json",
]  # fmt: skip

PATHS = [
    "", ".", "..", "/", "/dev/null", "/dev/zero", "/dev/full", "/nowhere/x.yaml", "~nouser/x",
    "~nouser/x.yaml", "~", "x.yaml",
    "x/y.csv", "\x1b[31m.yaml", "a\nb.csv", "\udcff.yaml", "n" * 300 + ".yaml", "./\x9b.json", "-", "--", "C:\\x.yaml",
    "x.yaml/", "file:///etc/hosts", "=x.csv", "[/].yaml", "%s.yaml", "x" * 5000,
]  # fmt: skip

OUTPUTS = [
    "out", "out.csv", "out.json", "out.png", "out.svg", "out.pdf", "m.csv", "x.yaml", ".", "", "no/such/out", "o" * 300,
    "\x1b[1m.svg", "\udcff", "-", "/dev/full", "/dev/null",
]  # fmt: skip
"""Nothing outside the scratch folder is ever named for writing, but devices."""

COLUMNS = [
    "tp",
    "isl",
    "concurrency",
    "precision",
    "engine",
    "spec",
    "notes",
    "total_tok_s_gpu",
    "hardware",
    "nothing",
    "date",
    "source",
]


def whole(rng: random.Random) -> str:
    """A small whole number, or something nasty; never one so large that it is honest work of minutes."""
    if rng.random() < 0.7:
        return str(rng.choice([1, 1, 2, 2, 3, 4, 4, 8, 16, 0, -1, 64, rng.randint(1, 40)]))
    return rng.choice(nasty.NUMBERS)


def real(rng: random.Random) -> str:
    """A real number."""
    return rng.choice(["0.5", "1", "0", "2.8", "0.02", "95", "50", "1e-9"]) if rng.random() < 0.5 else nasty.number(rng)


def listed(one: Draw) -> Draw:
    """A list of them: with ranges, gaps and other separators now and then."""

    def draw(rng: random.Random) -> str:
        parts = [one(rng) for _ in range(rng.choice([1, 1, 1, 2, 3]))]
        match rng.randrange(10):
            case 0:
                parts.append(f"{one(rng)}..{one(rng)}")
            case 1:
                parts.append(f"{one(rng)}..{one(rng)}:{whole(rng)}")
            case 2:
                parts.append(rng.choice(["", "..", ":", "1..", "..4", "4..2", "x"]))
        return rng.choice([",", ",", ",", ",", ", ", ";", ",,"]).join(parts)

    return draw


def duration(rng: random.Random) -> str:
    """A time."""
    unit = rng.choice(["s", "s", "ms", "min", "h", "us", "", "S", "m s", "d"])
    return rng.choice(["1", "2", "20", "0.5", real(rng)]) + unit


def promise(rng: random.Random) -> str:
    """A latency promise."""
    metric = rng.choice(["ttft", "tpot", "e2e", "TTFT", "itl", ""])
    percentile = rng.choice(["99", "95", "50", "99.9", "0", "100", "-1", "1e9", "nan", ""])
    return f"{metric}-p{percentile}" + rng.choice(["=", "=", "=", " ", ":", ""]) + duration(rng)


def sweep(rng: random.Random) -> str:
    """Replica sizes with concurrencies."""
    parts = [f"{whole(rng)}:{listed(whole)(rng)}" for _ in range(rng.choice([1, 1, 2]))]
    return rng.choice([";", ";", ",", ":"]).join(parts)


def selection(rng: random.Random) -> str:
    """A filter of rows."""
    operators = ["=", "==", "!=", "<", "<=", ">", ">=", "=<", "", " in ", "=="]
    parts = []
    for _ in range(rng.choice([1, 1, 2, 3])):
        odd = nasty.text(rng)
        value = rng.choice([whole(rng), rng.choice(NAMES), odd, f'"{odd}"', "off", "mtp", "FP4"])
        parts.append(f"{rng.choice(COLUMNS)}{rng.choice(operators)}{value}")
    text = rng.choice([" and ", " or ", " and ", " ", " AND ", " & "]).join(parts)
    return text if rng.random() < 0.9 else rng.choice(["(", "not ", "and ", '"', "'", "= "]) + text


def limit(rng: random.Random) -> str:
    """A limit; never one that lets more memory be taken."""
    names = ["yaml-mb", "file-mb", "rows", "points", "requests", "draws", "memory-gb", "nothing", "", "implausible"]
    value = rng.choice(["1", "2", "0", "-1", "nan", "inf", "1e-9", "x", "", "1e-300", "0x1"])
    return rng.choice(names) + rng.choice(["=", "=", "=", "", " ", "=="]) + value


def setting(rng: random.Random) -> str:
    """A setting of a recipe."""
    keys = [
        "chunk_tokens",
        "poll_steps",
        "many_clients",
        "memory_fraction",
        "kv_dtype",
        "max_running",
        "lookahead",
        "x",
        "",
    ]
    value = rng.choice([whole(rng), real(rng), "true", "off", "fp8", "fp32", "int8", "", nasty.text(rng)])
    return rng.choice(keys) + rng.choice(["=", "=", "=", "", "=="]) + value


def lengths(rng: random.Random) -> str:
    """A distribution of lengths."""
    kind = rng.choice(["fixed", "uniform", "lognormal", "empirical", "normal", ""])
    return kind + rng.choice([":", ":", ""]) + rng.choice([real(rng), "", "pairs.csv", rng.choice(PATHS)])


def name(rng: random.Random) -> str:
    """A name of a profile, a file, or something else."""
    return rng.choice([rng.choice(NAMES), rng.choice(NAMES), rng.choice(PATHS), nasty.text(rng)])


def output(rng: random.Random) -> str:
    """A place to write to."""
    return rng.choice(OUTPUTS)


_DRAWN: tuple[tuple[Draw, str], ...] = (
    (whole, "N TOKENS"),
    (real, "X A R GB GB/s PERCENT"),
    (listed(whole), "N,.. K,.. N,..|LOW..HIGH:N"),
    (listed(real), "A1,.. X,.. A,..|LOW..HIGH[:N] X,..|LOW..HIGH[:N]"),
    (duration, "T"),
    (sweep, "TP:N,.."),
    (selection, "EXPR"),
    (promise, "METRIC-pP=LIMIT"),
    (limit, "NAME=N"),
    (lengths, "KIND"),
    (setting, "KEY=VALUE"),
    (name, "NAME|FILE NAME FORMAT FILE FILE.csv FILE.json NAME|FILE.csv KEY"),
    (name, "bf16|fp8|fp4 des|closed-form decode|prefill|both each|derived"),
    (listed(name), "NAME,.. P,.. A,B"),
    (output, "FILE.png|svg|pdf FIT.yaml FILE.yaml FILE.jsonl"),
)

GRAMMAR: dict[str, Draw] = {placeholder: draw for draw, placeholders in _DRAWN for placeholder in placeholders.split()}
"""Placeholder of the help -> what to draw; another placeholder draws names, numbers and texts."""

WRITES = {"--output", "-o", "--plot", "--results", "--resume", "--requests", "--sessions"}


@dataclass(frozen=True)
class Option:
    """One option of a command."""

    written: str
    metavar: str
    flag: bool
    choices: tuple[str, ...]

    def value(self, rng: random.Random) -> str:
        """A value of its grammar."""
        if self.written in WRITES:
            return output(rng)
        if self.choices:
            return rng.choice([*self.choices, *self.choices, rng.choice(self.choices).upper(), nasty.text(rng)])
        if rng.random() < 0.06:
            return rng.choice([nasty.text(rng), name(rng), real(rng)])
        drawn = GRAMMAR.get(self.metavar)
        return drawn(rng) if drawn else rng.choice([name(rng), real(rng), lengths(rng), nasty.text(rng)])


def walk(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command below a group, with its words."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for word in command.list_commands(context):
            below = command.get_command(context, word)
            assert below is not None
            yield from walk(below, (*path, word))
    else:
        yield path, command


@functools.cache
def options() -> dict[tuple[str, ...], tuple[Option, ...]]:
    """Words of a command -> its options."""
    from simulator.cli import group

    return {path: tuple(_options(command)) for path, command in walk(group)}


def _options(command: click.Command) -> Iterator[Option]:
    context = click.Context(command)
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            written = max(parameter.opts, key=len)
            if written not in NEVER:
                metavar = parameter.metavar or ""
                choices = tuple(str(c) for c in getattr(parameter.type, "choices", ()))
                yield Option(written, metavar, bool(parameter.is_flag), choices)
    del context


def arguments(rng: random.Random, known: tuple[Option, ...]) -> list[str]:
    """One option as words: now and then doubled, without its value, unknown, or as ``--name=value``."""
    option = rng.choice(known)
    match rng.randrange(30):
        case 0:
            return [option.written]
        case 1:
            return [
                rng.choice(["--nothing", "-x", "--", "-", option.written[:-2], option.written + "x", nasty.text(rng)])
            ]
        case 2 if not option.flag:
            return [f"{option.written}={option.value(rng)}"]
        case 3 if not option.flag:
            return [option.written, option.value(rng), option.written, option.value(rng)]
        case 4:
            return [rng.choice(["--ttft-p99", "--tpot-p95", "--e2e-p90", "--ttft-p", "--itl-p1"]), duration(rng)]
    return [option.written] if option.flag else [option.written, option.value(rng)]
