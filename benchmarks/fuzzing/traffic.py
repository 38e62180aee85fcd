"""Traces, rate profiles and pairs of lengths."""

from __future__ import annotations

from collections.abc import Sequence

from fuzzing import octets, tables
from fuzzing.inputs import SMALL, Made, Steps, kind
from fuzzing.measured import mutated

TRACE = b"arrival_s,input_tokens,output_tokens\n0,100,20\n0.5,200,30\n1.25,50,10\n3,64,64\n"
PAIRS = b"input_tokens,output_tokens\n100,20\n200,30\n50,10\n"
PROFILE = b"start_s,requests_per_s\n0,1\n4,3\n9,0.5\n"


@kind(10)
def trace(steps: Steps) -> Made:
    """CSV traces, rate profiles and pairs of lengths."""
    content, options = steps.rng.choice(
        [
            (TRACE, ("--trace", "t.csv")),
            (PROFILE, ("--profile", "t.csv", "--duration", "12s")),
            (PAIRS, ("--rate", "2", "--duration", "5s", "--lengths", "empirical:t.csv")),
        ]
    )
    form = steps.format(("--format", "csv"), ("--requests", "r.csv"))
    return ["simulate", *SMALL, *options, *form], {"t.csv": mutated(steps, content)}


@kind(10)
def jsonl(steps: Steps) -> Made:
    """Traces of JSON lines."""
    form = steps.format(("--requests", "r.csv"))
    lines = [
        f'{{"timestamp": {900 * i}, "input_length": {90 + i}, "output_length": {9 + i}, "hash_ids": [0, {i}]}}'
        for i in range(5)
    ]
    return ["simulate", *SMALL, "--trace", "t.jsonl", *form], {"t.jsonl": mutated_lines(steps, lines)}


@kind(5)
def sessions(steps: Steps) -> Made:
    """Sessions of agents, in each of the three forms."""
    own = [f'{{"input_tokens": {70 * i + 70}, "output_tokens": {i + 1}, "blocks": [[0, {i + 1}]]}}' for i in range(3)]
    rows = [f'[{9 * i}, {70 * i + 70}, {i + 1}, 2.5, 1, "s", null, [[0, {i + 1}]]]' for i in range(3)]
    ids = [f'{{"t": {9 * i}, "in": {70 * i + 70}, "out": {i + 1}, "hash_ids": {list(range(i + 1))}}}' for i in range(3)]
    marker = '{"t": 9, "dur_ms": 900, "r": [' + rows[0] + "]}"
    forms = [
        '{"session": "a", "block_tokens": 64, "requests": [' + ", ".join(own) + "]}",
        '{"id": "a", "bs": 64, "r": [' + ", ".join([*rows, marker]) + "]}",
        '{"id": "a", "block_size": 64, "requests": [' + ", ".join(ids) + "]}",
    ]
    lines = [steps.rng.choice(forms) for _ in range(3)]
    return ["describe-trace", "s.jsonl", *steps.format()], {"s.jsonl": mutated_lines(steps, lines)}


def mutated_lines(steps: Steps, lines: Sequence[str]) -> bytes:
    """Lines of JSON after mutations of values and lines, or now and then of bytes."""
    blind, changed = steps.rng.random() < 0.3, list(lines)
    rngs = steps.mutations()
    for rng in () if blind else rngs:
        tables.mutate_line(rng, changed)
    content = "".join(f"{line}\n" for line in changed).encode("utf-8", "surrogatepass")
    for rng in rngs if blind else ():
        content = octets.damage(rng, content)
    return content
