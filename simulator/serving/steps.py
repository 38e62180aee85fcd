"""What a step away from the measured runs costs: ``simulator/fitting/steps.yaml``, made by
``python benchmarks/scope_steps.py --write``."""

from __future__ import annotations

import functools
from importlib import resources

import yaml
from pydantic import Field

from simulator.facts.quantities import Spec

KINDS = ("throughput", "tpot", "ttft")


class Step(Spec):
    """Standard deviation of log(measured / predicted) that one step adds, and where it comes from."""

    throughput: float = Field(ge=0)
    tpot: float = Field(ge=0)
    ttft: float = Field(ge=0)
    source: str

    def of(self, kind: str) -> float:
        """That of ``throughput``, ``tpot`` or ``ttft``."""
        return float(getattr(self, kind))


@functools.cache
def steps() -> dict[str, Step]:
    """Per aspect of a scenario the cost of another category, or of one doubling."""
    text = resources.files("simulator").joinpath("fitting", "steps.yaml").read_text(encoding="utf-8")
    return {name: Step(**fields) for name, fields in yaml.safe_load(text).items()}
