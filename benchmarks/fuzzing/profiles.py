"""Profiles of every kind, mutated by their nodes; calibrations get the hash of what they hold."""

from __future__ import annotations

import functools
from pathlib import Path

import yaml

import simulator
from fuzzing import nodes, octets
from fuzzing.inputs import CLOSED, Made, Steps, kind

ROOT = Path(simulator.__file__).parents[1]


@functools.cache
def shipped(folder: str) -> tuple[bytes, ...]:
    """The YAML files of a folder of the program, by name."""
    return tuple(path.read_bytes() for path in sorted((ROOT / folder).glob("*.yaml")))


@kind(14)
def hardware(steps: Steps) -> Made:
    """Accelerators."""
    return _read(steps, "hardware_profiles", "hardware", "--hardware", "--allow-dequant")


@kind(14)
def model(steps: Steps) -> Made:
    """Models."""
    return _read(steps, "simulator/facts/models", "model", "--model")


@kind(10)
def engine(steps: Steps) -> Made:
    """Engines."""
    return _read(steps, "simulator/facts/engines", "engine", "--engine", "--mtp", "2")


@kind(10)
def acceptance(steps: Steps) -> Made:
    """Tables of acceptance lengths."""
    depth = steps.rng.choice(["1", "3", "8"])
    return _read(steps, "simulator/speculation/profiles", "acceptance", "--acceptance-profile", "--mtp", depth)


@kind(12)
def calibration(steps: Steps) -> Made:
    """Calibrations, whose hash is right again after the mutation."""
    content = _mutated(steps, steps.rng.choice(_calibrations()), hashed=True)
    depth = steps.rng.choice(["0", "3"])
    return _command(steps, "calibration", "--calibration", "--force", "--mtp", depth), {"p.yaml": content}


def _read(steps: Steps, folder: str, name: str, option: str, *more: str) -> Made:
    content = _mutated(steps, steps.rng.choice(shipped(folder)))
    return _command(steps, name, option, *more), {"p.yaml": content}


def _command(steps: Steps, name: str, option: str, *more: str) -> list[str]:
    """A cheap command that reads ``p.yaml``."""
    roll = steps.rng.random()
    insist = ["--allow-implausible"] if steps.rng.random() < 0.2 else []
    if roll < 0.55:
        return ["profiles", name, "./p.yaml", *insist, *steps.format(("--format", "csv"))]
    if roll < 0.93:
        return ["explain", option, "./p.yaml", *more, *insist, *steps.format(("--phase", "both"))]
    return ["predict", *CLOSED, option, "./p.yaml", *more, *insist, *steps.format(("--format", "csv"))]


def _mutated(steps: Steps, content: bytes, *, hashed: bool = False) -> bytes:
    """A YAML file after mutations of nodes, or now and then of bytes."""
    blind = steps.rng.random() < 0.25
    rngs = steps.mutations()
    if not blind:
        document = nodes.compose(content)
        for rng in rngs:
            nodes.mutate(rng, document)
        content = document.written()
    if hashed and steps.rng.random() < 0.9:
        content = _with_hash(content)
    for rng in rngs if blind else ():
        content = octets.damage(rng, content)
    return content


def _with_hash(content: bytes) -> bytes:
    """A calibration with the hash of its content, as far as that can be told."""
    from simulator.cost.calibration import digest

    try:
        raw = yaml.load(content, Loader=nodes.LOADER)  # a SafeLoader
        return content.replace(str(raw["hash"]).encode(), digest(raw).encode())
    except Exception:
        return content


@functools.cache
def _calibrations() -> tuple[bytes, ...]:
    """The shipped calibrations, and shorter ones whose covariance is of the first three parameters."""
    out = list(shipped("simulator/fitting/calibrations"))
    for content in tuple(out):
        raw = yaml.load(content, Loader=nodes.LOADER)  # a SafeLoader
        names, matrix = (raw["covariance"].get(key, [])[:3] for key in ("names", "matrix"))
        raw["covariance"] = {"names": names, "matrix": [row[: len(names)] for row in matrix]}
        raw["parameters"] = dict(list(raw["parameters"].items())[:3])
        raw["scope"]["curves"] = raw["scope"].get("curves", [])[:1]
        raw["data"] = raw.get("data", [])[:1]
        raw.setdefault("hash", "0" * 64)
        out += [yaml.dump(raw, Dumper=nodes.DUMPER, sort_keys=False).encode()] * 2
    return tuple(out)
