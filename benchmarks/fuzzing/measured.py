"""Measured curves, mutated by cells, rows, columns and bytes."""

from __future__ import annotations

import functools
import random

from fuzzing import grammar, octets, tables
from fuzzing.inputs import CLOSED, Made, Steps, kind
from fuzzing.profiles import ROOT

FAST = ("--method", "closed-form")


@kind(16)
def csv(steps: Steps) -> Made:
    """Measured curves."""
    select = ["--select", grammar.selection(steps.rng)] if steps.rng.random() < 0.15 else []
    roll = steps.rng.random()
    if roll < 0.15:
        files = dict(zip(("m.csv", "n.csv"), pair(), strict=True))
        one = steps.rng.choice(["m.csv", "n.csv"])
        files[one] = mutated(steps, files[one])
        return ["infer-acceptance", "m.csv", "n.csv", *FAST, *select], files
    files = {"m.csv": mutated(steps, steps.rng.choice(_files()))}
    if roll < 0.6:
        return ["evaluate", "m.csv", *FAST, *select, *steps.format(("--format", "csv"))], files
    if roll < 0.87:
        return ["validate", "m.csv", *FAST, *select, *steps.format()], files
    if roll < 0.97:
        return ["compare", *CLOSED, "--tp", "2", "--against", "./m.csv"], files
    if roll < 0.995:
        return ["what-if", "acceptance", *CLOSED, "--rates", "0,1", "--measured", "m.csv"], files
    return ["calibrate", "m.csv", "--no-cross-validation", "-o", "fit.yaml", *select], files


def mutated(steps: Steps, content: bytes) -> bytes:
    """A CSV file after mutations of cells, or now and then of bytes."""
    blind = steps.rng.random() < 0.2
    rngs = steps.mutations()
    if blind:
        for rng in rngs:
            content = octets.damage(rng, content)
        return content
    rows = tables.parse(content)
    for rng in rngs:
        tables.mutate(rng, rows)
    return tables.written(random.Random(f"{steps.name}/dialect"), rows)


@functools.cache
def pair() -> tuple[bytes, bytes]:
    """An Off row and the MTP row of the same configuration."""
    header, *lines = _lines("sglang_mi355x_8k1k.csv")
    off = next(line for line in lines if b",off," in line)
    mtp = next(line for line in lines if b",mtp," in line and line.split(b",")[11:17] == off.split(b",")[11:17])
    return header + off, header + mtp


@functools.cache
def _files() -> tuple[bytes, ...]:
    """Files of one to three measured rows: points of two sources, and a front."""
    out = []
    for name in ("atom_mi355x_tp4.csv", "sglang_mi355x_8k1k.csv"):
        lines = _lines(name)
        out += [lines[0] + lines[1], lines[0] + lines[-1], b"".join(lines[:3]), lines[0] + lines[1] + lines[-1]]
    lines = _lines("inferencex_frontier_fp4_1k1k.csv")
    return (*out, b"".join([lines[0], *lines[1:7:2]]))


def _lines(name: str) -> list[bytes]:
    return (ROOT / "simulator/measurements/published" / name).read_bytes().splitlines(keepends=True)
