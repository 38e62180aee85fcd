"""What an input is: a command line and the files beside it, made from a seed, a kind and a number, always the same.

A kind says how the harmless input looks and what mutates it. Every mutation draws from a generator of its own, named by
its number, so that any of them can be left out without changing the others: that is how a finding is made small.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import simulator
import yaml

from fuzzing import grammar, nodes, octets, tables

ROOT = Path(simulator.__file__).parents[1]
PUBLISHED = ROOT / "simulator/measurements/published"
CLOSED = ("--method", "closed-form", "--concurrency", "4")


@dataclass(frozen=True)
class Input:
    """One command line with its files.

    Attributes:
        name: ``kind:number``.
        arguments: what follows ``mtpsim``.
        files: name in the scratch folder -> content.
        journals: names of files that a command may append to.
        mutations: how many there were to choose from.
    """

    name: str
    arguments: tuple[str, ...]
    files: Mapping[str, bytes]
    journals: frozenset[str] = frozenset()
    mutations: int = 0


@dataclass
class Steps:
    """Draws of one input: its own, and those of each mutation.

    Attributes:
        name: seed, kind and number.
        keep: numbers of the mutations that happen; None: all.
    """

    name: str
    keep: frozenset[int] | None = None
    made: int = 0
    rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        """The generator of what is no mutation."""
        self.rng = random.Random(self.name)

    def mutations(self, most: int) -> list[random.Random]:
        """Generators of one to ``most`` mutations, one being likeliest, of which those kept are given."""
        count = min(self.rng.choice([1, 1, 1, 2, 2, 3, 5, 8]), most)
        numbers = range(self.made, self.made + count)
        self.made += count
        return [random.Random(f"{self.name}/{i}") for i in numbers if self.keep is None or i in self.keep]


Kind = Callable[[Steps], tuple[list[str], dict[str, bytes], frozenset[str]]]
KINDS: dict[str, tuple[int, Kind]] = {}
"""Kind -> (weight, how it is made)."""


def kind(weight: int) -> Callable[[Kind], Kind]:
    """List a kind under the name of its function."""

    def listed(make: Kind) -> Kind:
        KINDS[make.__name__] = weight, make
        return make

    return listed


def wheel(only: Sequence[str] = ()) -> tuple[str, ...]:
    """Kinds in a fixed mixed order, each as often as its weight."""
    order = [name for name, (weight, _) in sorted(KINDS.items()) for _ in range(weight) if not only or name in only]
    random.Random(0).shuffle(order)
    return tuple(order)


def at(place: int, order: Sequence[str]) -> tuple[str, int]:
    """The kind and the number of the input at a place of an endless walk around the wheel."""
    rounds, i = divmod(place, len(order))
    return order[i], rounds * order.count(order[i]) + order[:i].count(order[i])


def make(seed: int, name: str, number: int, keep: frozenset[int] | None = None) -> Input:
    """The input of a kind and a number under a seed.

    Args:
        keep: numbers of the mutations that happen; None: all.
    """
    steps = Steps(f"{seed}/{name}/{number}", keep)
    arguments, files, journals = KINDS[name][1](steps)
    return Input(f"{name}:{number}", tuple(_argument(a) for a in arguments), files, journals, steps.made)


def _argument(text: str) -> str:
    """As an operating system hands it over: no NUL, and bytes that are not UTF-8 escaped."""
    return text.replace("\0", "").encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape")


# --- profiles ---------------------------------------------------------------------------------------------------------


@functools.cache
def shipped(folder: str) -> tuple[bytes, ...]:
    """The YAML files of a folder of the repository, by name."""
    return tuple(path.read_bytes() for path in sorted((ROOT / folder).glob("*.yaml")))


def mutated_yaml(steps: Steps, content: bytes, *, hashed: bool = False) -> bytes:
    """A YAML file after mutations of nodes, or now and then of bytes."""
    blind = steps.rng.random() < 0.25
    rngs = steps.mutations(8)
    if not blind:
        document = nodes.compose(content)
        for rng in rngs:
            nodes.mutate(rng, document)
        content = document.written()
    if hashed and steps.rng.random() < 0.9:
        content = with_hash(content)
    for rng in rngs if blind else ():
        content = octets.damage(rng, content)
    return content


def with_hash(content: bytes) -> bytes:
    """A calibration with the hash of its content, as far as it can be told."""
    from simulator.cost.calibration import digest

    try:
        raw = yaml.load(content, Loader=nodes.LOADER)  # a SafeLoader
        return content.replace(str(raw["hash"]).encode(), digest(raw).encode())
    except Exception:
        return content


def profile_command(steps: Steps, option: str, kind_name: str, extra: list[str]) -> list[str]:
    """A cheap command that reads the profile ``p.yaml``."""
    roll = steps.rng.random()
    insist = ["--allow-implausible"] if steps.rng.random() < 0.2 else []
    if roll < 0.55:
        return ["profiles", kind_name, "./p.yaml", *insist, *steps.rng.choice([[], ["--format", "json"], ["--format", "csv"]])]
    if roll < 0.93:
        return ["explain", option, "./p.yaml", *extra, *insist, *steps.rng.choice([[], ["--format", "json"], ["--phase", "both"]])]
    return ["predict", *CLOSED, option, "./p.yaml", *extra, *insist, *steps.rng.choice([[], ["--format", "csv"]])]


@kind(14)
def hardware(steps: Steps) -> tuple[list[str], dict[str, bytes], frozenset[str]]:
    """Profiles of accelerators."""
    content = mutated_yaml(steps, steps.rng.choice(shipped("hardware_profiles")))
    return profile_command(steps, "--hardware", "hardware", ["--allow-dequant"]), {"p.yaml": content}, frozenset()


@kind(14)
def model(steps: Steps) -> tuple[list[str], dict[str, bytes], frozenset[str]]:
    """Profiles of models."""
    content = mutated_yaml(steps, steps.rng.choice(shipped("simulator/facts/models")))
    return profile_command(steps, "--model", "model", []), {"p.yaml": content}, frozenset()


@kind(10)
def engine(steps: Steps) -> tuple[list[str], dict[str, bytes], frozenset[str]]:
    """Profiles of engines."""
    content = mutated_yaml(steps, steps.rng.choice(shipped("simulator/facts/engines")))
    return profile_command(steps, "--engine", "engine", ["--mtp", "2"]), {"p.yaml": content}, frozenset()


@kind(10)
def acceptance(steps: Steps) -> tuple[list[str], dict[str, bytes], frozenset[str]]:
    """Tables of acceptance lengths."""
    content = mutated_yaml(steps, steps.rng.choice(shipped("simulator/speculation/profiles")))
    more = ["--mtp", steps.rng.choice(["1", "3", "8"])]
    return profile_command(steps, "--acceptance-profile", "acceptance", more), {"p.yaml": content}, frozenset()


@functools.cache
def calibrations() -> tuple[bytes, ...]:
    """The shipped calibrations, and shorter ones whose covariance is of the first three parameters."""
    out = list(shipped("simulator/fitting/calibrations"))
    for content in tuple(out):
        raw = yaml.load(content, Loader=nodes.LOADER)  # a SafeLoader
        n = min(3, len(raw["covariance"].get("names", [])))
        raw["covariance"] = {
            "names": raw["covariance"].get("names", [])[:n],
            "matrix": [row[:n] for row in raw["covariance"].get("matrix", [])[:n]],
        }
        raw["parameters"] = dict(list(raw["parameters"].items())[:n])
        raw["scope"]["curves"] = raw["scope"].get("curves", [])[:1]
        raw["data"] = raw.get("data", [])[:1]
        raw.setdefault("hash", "0" * 64)
        out += [yaml.dump(raw, Dumper=nodes.DUMPER, sort_keys=False).encode()] * 2
    return tuple(out)


@kind(12)
def calibration(steps: Steps) -> tuple[list[str], dict[str, bytes], frozenset[str]]:
    """Calibrations whose hash is right again after the mutation."""
    content = mutated_yaml(steps, steps.rng.choice(calibrations()), hashed=True)
    if steps.rng.random() < 0.15:
        command = ["predict", *CLOSED, "--calibration", "./p.yaml", "--force"]
    else:
        command = profile_command(steps, "--calibration", "calibration", ["--force", "--mtp", steps.rng.choice(["0", "3"])])
    return command, {"p.yaml": content}, frozenset()


# --- tables and traces ------------------------------------------------------------------------------------------------


@functools.cache
def measured() -> tuple[bytes, ...]:
    """A few rows of each measured file: header, and rows from several places."""
    out = []
    for name in ("atom_mi355x_tp4.csv", "sglang_mi355x_8k1k.csv", "inferencex_frontier_fp4_1k1k.csv"):
        lines = (PUBLISHED / name).read_bytes().splitlines(keepends=True)
        for few in (lines[1:3], lines[1 :: max(1, len(lines) // 4)], lines[1:2], lines[-2:]):
            out.append(b"".join([lines[0], *few]))
    return tuple(out)


def mutated_csv(steps: Steps, content: bytes) -> bytes:
    """A CSV file after mutations of cells, or now and then of bytes."""
    blind = steps.rng.random() < 0.2
    rngs = steps.mutations(8)
    if blind:
        for rng in rngs:
            content = octets.damage(rng, content)
        return content
    rows = tables.parse(content)
    for rng in rngs:
        tables.mutate(rng, rows)
    return tables.written(random.Random(f"{steps.name}/dialect"), rows)


@kind(16)
def csv(steps: Steps) -> tuple[list[str], dict[str, bytes], frozenset[str]]:
    """Measured curves."""
    files = {"m.csv": mutated_csv(steps, steps.rng.choice(measured()))}
    select = ["--select", grammar.selection(steps.rng)] if steps.rng.random() < 0.15 else []
    form = steps.rng.choice([[], [], ["--format", "json"], ["--format", "csv"]])
    fast = ["--method", "closed-form"]
    roll = steps.rng.random()
    if roll < 0.45:
        return ["evaluate", "m.csv", *fast, *select, *form], files, frozenset()
    if roll < 0.7:
        return ["validate", "m.csv", *fast, *select, *form[:2]], files, frozenset()
    if roll < 0.85:
        files["n.csv"] = steps.rng.choice(measured())
        return ["infer-acceptance", *steps.rng.choice([["m.csv", "n.csv"], ["n.csv", "m.csv"]]), *fast, *select], files, frozenset()
    if roll < 0.92:
        return ["compare", *CLOSED, "--tp", "2", "--against", "./m.csv"], files, frozenset()
    if roll < 0.98:
        return ["what-if", "acceptance", *CLOSED, "--rates", "0,1", "--measured", "m.csv"], files, frozenset()
    return ["calibrate", "m.csv", "--no-cross-validation", "-o", "fit.yaml", *select], files, frozenset()


TRACE = b"arrival_s,input_tokens,output_tokens\n0,100,20\n0.5,200,30\n1.25,50,10\n3,64,64\n"
PAIRS = b"input_tokens,output_tokens\n100,20\n200,30\n50,10\n"
PROFILE = b"start_s,requests_per_s\n0,1\n4,3\n9,0.5\n"
SMALL = ["--tp", "2", "--isl", "64", "--osl", "16"]


@kind(10)
def trace(steps: Steps) -> tuple[list[str], dict[str, bytes], frozenset[str]]:
    """CSV traces, rate profiles and pairs of lengths."""
    form = steps.rng.choice([[], [], ["--format", "json"], ["--format", "csv"], ["--requests", "r.csv"]])
    which = steps.rng.randrange(3)
    content = mutated_csv(steps, [TRACE, PROFILE, PAIRS][which])
    command = [
        ["--trace", "t.csv"],
        ["--profile", "t.csv", "--duration", "12s"],
        ["--rate", "2", "--duration", "5s", "--lengths", "empirical:t.csv"],
    ][which]
    return ["simulate", *SMALL, *command, *form], {"t.csv": content}, frozenset()


@kind(10)
def jsonl(steps: Steps) -> tuple[list[str], dict[str, bytes], frozenset[str]]:
    """Traces of JSON lines."""
    lines = [f'{{"timestamp": {1000 * i}, "input_length": {90 + i}, "output_length": {9 + i}, "hash_ids": [0, {i}]}}' for i in range(5)]
    content = mutated_lines(steps, lines)
    form = steps.rng.choice([[], [], ["--format", "json"], ["--requests", "r.csv"]])
    return ["simulate", *SMALL, "--trace", "t.jsonl", *form], {"t.jsonl": content}, frozenset()


def mutated_lines(steps: Steps, lines: list[str]) -> bytes:
    """Lines of JSON after mutations of values and lines, or now and then of bytes."""
    blind, lines = steps.rng.random() < 0.3, list(lines)
    rngs = steps.mutations(8)
    for rng in () if blind else rngs:
        tables.mutate_line(rng, lines)
    content = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass")
    for rng in rngs if blind else ():
        content = octets.damage(rng, content)
    return content


# --- resume files -----------------------------------------------------------------------------------------------------

PLAN = [
    "plan", "--rate", "0.5", "--isl", "64", "--osl", "16", "--tp", "4", "--mtp", "0", "--ttft-p50", "20s", "--max-running", "2",
    "--resume", "ledger.jsonl",
]  # fmt: skip
SWEEP = [
    "what-if", "sweep", "--tp", "2", "--mtp", "1", "--rates", "0,1", "--concurrency", "1", "--requests-per-client", "2", "--isl", "64",
    "--osl", "16", "--backend", "serial", "--results", "ledger.jsonl",
]  # fmt: skip
HARMLESS: dict[str, bytes] = {}
"""Complete ledgers by command, made once at the start by the commands themselves."""


@kind(6)
def resume(steps: Steps) -> tuple[list[str], dict[str, bytes], frozenset[str]]:
    """Ledgers of plans and results of sweeps: cut, glued, damaged, of another kind."""
    which = steps.rng.choice(["plan", *["sweep"] * 30])
    content = HARMLESS[which]
    roll = steps.rng.random()
    if roll < 0.25:
        content = content[: steps.rng.randint(0, len(content))]
    elif roll < 0.35:
        content = steps.rng.choice([*measured(), *shipped("hardware_profiles"), b"x", b"\n", b"\xff\xfe\n", b"{}", b"[]\n", b"3\n"])
    else:
        content = mutated_lines(steps, content.decode().splitlines())
    return list(PLAN if which == "plan" else SWEEP), {"ledger.jsonl": content}, frozenset({"ledger.jsonl"})


# --- options ----------------------------------------------------------------------------------------------------------

CHEAP: dict[tuple[str, ...], list[str]] = {
    ("predict",): [*CLOSED],
    ("compare",): [*CLOSED, "--tp", "2"],
    ("explain",): [],
    ("calibrate",): ["m.csv", "--no-cross-validation", "-o", "fit.yaml"],
    ("evaluate",): ["m.csv", "--method", "closed-form"],
    ("validate",): ["m.csv", "--method", "closed-form"],
    ("what-if", "acceptance"): [*CLOSED, "--rates", "0,1"],
    ("what-if", "depth"): [*CLOSED, "--mtp", "2"],
    ("what-if", "workload"): [*CLOSED, "--across-isl", "64,128"],
    ("what-if", "sensitivity"): ["--samples", "2", "--concurrency", "4"],
    ("what-if", "sweep"): SWEEP[2:-2],
    ("infer-acceptance",): ["m.csv", "n.csv", "--method", "closed-form"],
    ("simulate",): [*SMALL, "--rate", "2", "--duration", "5s"],
    ("plan",): PLAN[1:-2],
    ("suggest",): ["--concurrency", "4"],
    ("profiles",): ["hardware"],
}
"""Words of a command -> options that make it take milliseconds."""

EVENTS = {("what-if", "acceptance"), ("what-if", "depth"), ("what-if", "workload"), ("what-if", "sweep")}
"""Commands that would start processes."""

RARE = {("plan",): 0.15, ("what-if", "sensitivity"): 0.1, ("suggest",): 0.5, ("calibrate",): 0.3}
"""Commands that take long even so -> how often they are drawn, of one."""


@kind(24)
def options(steps: Steps) -> tuple[list[str], dict[str, bytes], frozenset[str]]:
    """Command lines from the grammar of every option."""
    known = grammar.options()
    words = steps.rng.choice(sorted(known))
    if steps.rng.random() > RARE.get(words, 1.0):
        words = ("explain",)
    base = list(CHEAP.get(words, []))
    drawn: list[str] = []
    for rng in steps.mutations(5):
        drawn += grammar.arguments(rng, known[words])
    line = [*words, *base, *drawn] if steps.rng.random() < 0.95 else [*words, *drawn]
    if steps.rng.random() < 0.02:
        line = drawn
    if words in EVENTS:
        line += ["--backend", "serial"]
    files = {"m.csv": measured()[1], "n.csv": measured()[5], "pairs.csv": PAIRS, "x.yaml": shipped("hardware_profiles")[0]}
    return line, files, frozenset()
