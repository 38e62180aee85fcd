"""What a calibration was fitted to: the scope that it may be used in, and every measured curve."""

from __future__ import annotations

import itertools
from typing import Annotated

from pydantic import Field

from simulator.facts.plausible import Plausible
from simulator.facts.quantities import Spec, Whole

Ranks = Annotated[Whole, Plausible(1, 10_000)]
Tokens = Annotated[Whole, Plausible(1, 10_000_000)]
Counted = Annotated[Whole, Field(gt=0)]


class Curve(Spec):
    """Runs that differ in nothing but their concurrency and the image of their engine."""

    hardware: str
    model: str
    engine: str
    checkpoint: str
    kv_dtype: str
    tp: Ranks = Field(gt=0)
    ep: Ranks = Field(gt=0)
    dp: Ranks = Field(gt=0)
    isl: Tokens = Field(gt=0)
    osl: Tokens = Field(gt=0)
    spec_tokens: Annotated[Whole, Plausible(1, 64)] = Field(ge=0)
    concurrency: Annotated[list[Counted], Plausible(1, 1_000_000)] = Field(min_length=1)


class Scope(Spec):
    """What the calibration was fitted to. An empty list means: not restricted."""

    hardware: list[str] = Field(default_factory=list)
    model: list[str] = Field(default_factory=list)
    engine: list[str] = Field(default_factory=list)
    precision: list[str] = Field(default_factory=list)
    checkpoint: list[str] = Field(default_factory=list)
    tp: Annotated[list[Counted], Plausible(1, 10_000)] = Field(default_factory=list)
    isl: Annotated[list[Counted], Plausible(1, 10_000_000)] = Field(default_factory=list)
    concurrency: Annotated[list[Counted], Plausible(1, 1_000_000)] = Field(default_factory=list)
    spec: list[str] = Field(default_factory=list)
    curves: list[Curve] = Field(default_factory=list, description="what was measured")
    images: list[str] = Field(default_factory=list, description="of the engine, as the runs state them")
    recipes: list[str] = Field(default_factory=list, description="that launched the runs")
    kernels: list[str] = Field(default_factory=list, description="hardware whose kernel times the priors come from")

    @property
    def measured(self) -> list[Curve]:
        """The measured curves. A file that names none has those that its lists allow, with KV caches of FP8, outputs of
        1024 tokens and three draft tokens, what all of them had."""
        if self.curves or not (self.tp and self.isl and self.concurrency):
            return self.curves
        lists = (self.hardware, self.model, self.engine, self.checkpoint, self.tp, self.isl, self.spec)
        return [
            Curve(
                hardware=hardware,
                model=model,
                engine=engine,
                checkpoint=checkpoint,
                kv_dtype="fp8",
                tp=tp,
                ep=1,
                dp=1,
                isl=isl,
                osl=1024,
                spec_tokens=0 if spec == "off" else 3,
                concurrency=self.concurrency,
            )
            for hardware, model, engine, checkpoint, tp, isl, spec in itertools.product(*lists)
        ]
