"""How far a scenario is from what its calibration was fitted to, and how much wider that makes the intervals.

The nearest measured curve is the one from which the steps cost least (:mod:`simulator.serving.steps`). A number between
two measured ones is ``between`` and costs nothing: leaving each concurrency out in turn is what the noise of a
calibration comes from.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from simulator.cost.measured import Curve
from simulator.facts.deployment import Deployment
from simulator.facts.identity import known_hardware, known_model
from simulator.serving.scenario import Scenario
from simulator.serving.steps import KINDS, steps

Word = Literal["inside", "between", "extrapolated", "unmeasured"]
WORDS: tuple[Word, ...] = ("inside", "between", "extrapolated", "unmeasured")
"""From best to worst."""
OUTSIDE = WORDS[2:]
"""Those that nothing measured stands behind."""

CATEGORIES = ("hardware", "model", "engine", "checkpoint", "kv_dtype")
RANKS = ("ep", "dp", "spec_tokens")
"""Numbers whose least value means "not at all": what was never switched on is unmeasured, not extrapolated."""
SIZES = ("tp", "isl", "osl")
OPTIONS = {"kv_dtype": "KV cache", "spec_tokens": "MTP", "isl": "ISL", "osl": "OSL", "tp": "TP", "ep": "EP", "dp": "DP"}
SAME_LENGTH = math.log(1.0 / 0.8)
"""Lengths closer than this (log) are the same: the measured runs drew theirs from 0.8 to 1 of the nominal one."""


@dataclass(frozen=True)
class Reason:
    """One way in which a scenario is not what was measured.

    Attributes:
        aspect: hardware, model, engine, checkpoint, kv_dtype, ep, dp, spec_tokens, tp, isl, osl or concurrency.
        word: the verdict on it.
        text: a few words for people.
        size: of the step: doublings, or 1 for another category; 0 between measured numbers.
    """

    aspect: str
    word: Word
    text: str
    size: float


@dataclass(frozen=True)
class Verdict:
    """Where a scenario stands to its calibration; no reasons: it was measured."""

    reasons: tuple[Reason, ...] = ()

    @property
    def scope(self) -> Word:
        """The worst word among the reasons."""
        return max((r.word for r in self.reasons), key=WORDS.index, default="inside")

    @property
    def texts(self) -> list[str]:
        """The reasons in words, the worst first."""
        return [r.text for r in sorted(self.reasons, key=lambda r: -WORDS.index(r.word))]

    @property
    def text(self) -> str:
        """Such as ``extrapolated (TP 8 beyond 4)``."""
        return self.scope + (f" ({'; '.join(self.texts)})" if self.reasons else "")

    def as_row(self) -> dict[str, Any]:
        """``scope`` and ``scope_reasons``."""
        return {"scope": self.scope, "scope_reasons": self.texts}

    def without(self, other: Verdict) -> Verdict:
        """What this one alone has: in a ratio of the two the rest cancels."""
        return Verdict(tuple(reason for reason in self.reasons if reason not in other.reasons))

    def also(self, reason: Reason) -> Verdict:
        """The same with one reason more."""
        return Verdict((*self.reasons, reason))

    def spread(self, kind: str) -> float:
        """Standard deviation of log(measured / predicted) that the steps add to ``throughput``, ``tpot`` or ``ttft``.

        Steps are independent: their variances add, each in proportion to its size.
        """
        return math.sqrt(sum(r.size * steps()[r.aspect].of(kind) ** 2 for r in self.reasons if r.size))


INSIDE = Verdict()


def judge(scenario: Scenario, concurrency: int, image: str | None = None) -> Verdict:
    """The verdict on one scenario at one number of clients, of which the engine ran in an ``image`` if that is known.

    Example:
        >>> from simulator import make_scenario
        >>> judge(make_scenario(engine="atom", tp=4), 64).scope
        'inside'
        >>> judge(make_scenario(engine="atom", tp=8), 64).texts
        ['TP 8 beyond 4']
    """
    w = scenario.workload
    verdict = _judge(scenario, w.isl, w.osl, concurrency)
    known = scenario.calibration.scope.images
    if image and known and image not in known:
        text = f"image {image}, not among the {len(known)} measured"
        verdict = verdict.also(Reason("image", "unmeasured", text, 1.0))
    return verdict


def judge_traffic(
    scenario: Scenario, mean_isl: float, mean_osl: float, running: float | None = None, *, pools: bool = False
) -> Verdict:
    """The verdict on open-loop traffic: lengths by their means, as many clients as requests run in a replica.

    Args:
        scenario: of a replica; of pools, of one that decodes.
        mean_isl: input tokens.
        mean_osl: output tokens.
        running: requests in one replica; None: not judged.
        pools: prefill and decode have GPUs of their own.
    """
    isl, osl = (max(1, round(mean / MEAN_OF_NOMINAL)) for mean in (mean_isl, mean_osl))
    verdict = _judge(scenario, isl, osl, None if running is None else max(1, round(running)))
    return verdict.also(POOLS) if pools else verdict


STAGES = Reason("pp", "unmeasured", "pipeline stages: no such run is among the measurements", 1.0)
KEPT = Reason("hit_rate", "unmeasured", "prompts found in a prefix cache: no such run is among the measurements", 0.0)
POOLS = Reason(
    "pools", "unmeasured", "prefill and decode in pools of their own: no such run is among the measurements", 1.0
)
MEAN_OF_NOMINAL = 0.9
"""Mean over nominal length of the measured runs, which draw lengths uniformly from 0.8 to 1 of the nominal one."""


@dataclass(frozen=True)
class Asked:
    """What is asked of a calibration, apart from concurrency."""

    hardware: str
    model: str
    engine: str
    checkpoint: str
    kv_dtype: str
    tp: int
    ep: int
    dp: int
    isl: int
    osl: int
    spec_tokens: int

    @classmethod
    def of(cls, d: Deployment, isl: int, osl: int, spec_tokens: int) -> Asked:
        """A deployment with lengths and a draft depth."""
        names = (known_hardware(d.hardware), known_model(d.model), d.engine.name, d.checkpoint, d.kv_format)
        return cls(*names, d.tp, d.ep, d.dp, isl, osl, spec_tokens)


def _judge(scenario: Scenario, isl: int, osl: int, concurrency: int | None) -> Verdict:
    verdict = _of_one_stage(scenario, isl, osl, concurrency)
    if scenario.deployment.hit_rate:
        verdict = verdict.also(KEPT)
    return verdict.also(STAGES) if scenario.deployment.pp > 1 else verdict


def _of_one_stage(scenario: Scenario, isl: int, osl: int, concurrency: int | None) -> Verdict:
    calibration = scenario.calibration
    asked = Asked.of(scenario.deployment, isl, osl, scenario.speculation.tokens)
    curves = calibration.scope.measured
    if curves:
        return nearest(curves, asked, concurrency)
    text = f"no measured run of {asked.model} with {asked.engine} on {asked.hardware} behind {calibration.name}"
    verdict = Verdict((Reason("calibration", "unmeasured", text, 0.0),))
    kernels = calibration.scope.kernels
    if kernels and asked.hardware not in kernels:
        text = f"kernel times are those of {', '.join(kernels)}"
        verdict = verdict.also(Reason("hardware", "unmeasured", text, 0.0))  # the priors are as wide as that asks for
    return verdict


def nearest(curves: Sequence[Curve], asked: Asked, concurrency: int | None) -> Verdict:
    """The verdict from the curve that the fewest and cheapest steps lead away from."""
    return _nearest(tuple(map(_frozen, curves)), asked, concurrency)


@dataclass(frozen=True)
class _Frozen:
    """A curve that can be a key."""

    asked: Asked
    concurrency: tuple[int, ...]


def _frozen(curve: Curve) -> _Frozen:
    fields = curve.model_dump()
    return _Frozen(Asked(**{k: v for k, v in fields.items() if k != "concurrency"}), tuple(sorted(curve.concurrency)))


@functools.lru_cache(maxsize=4096)
def _nearest(curves: tuple[_Frozen, ...], asked: Asked, concurrency: int | None) -> Verdict:
    found = [Verdict(tuple(_steps(curve, curves, asked, concurrency))) for curve in curves]
    return min(found, key=lambda v: (sum(v.spread(kind) for kind in KINDS), WORDS.index(v.scope), len(v.reasons)))


def _steps(curve: _Frozen, curves: Sequence[_Frozen], asked: Asked, concurrency: int | None) -> Iterator[Reason]:
    for name in CATEGORIES:
        have, want = getattr(curve.asked, name), getattr(asked, name)
        if have != want:
            known = sorted({str(getattr(c.asked, name)) for c in curves})
            yield Reason(name, "unmeasured", f"{OPTIONS.get(name, name)} {want}, measured {' and '.join(known)}", 1.0)
    for name in (*RANKS, *SIZES):
        have, want = getattr(curve.asked, name), getattr(asked, name)
        if have == want or (name in ("isl", "osl") and abs(math.log(want / have)) <= SAME_LENGTH):
            continue
        beside = [getattr(c.asked, name) for c in curves if _same_but(name, curve.asked, c.asked)]
        yield _number(name, want, beside, off={"ep": 1, "dp": 1, "spec_tokens": 0}.get(name))
    if concurrency is not None and concurrency not in curve.concurrency:
        yield _number("concurrency", concurrency, curve.concurrency, None)


def _same_but(name: str, one: Asked, other: Asked) -> bool:
    return replace(one, **{name: getattr(other, name)}) == other


def _number(name: str, want: int, known: Sequence[int], off: int | None) -> Reason:
    """The verdict on a number that no run of this curve had; ``off`` is the value that means "not at all"."""
    label = OPTIONS.get(name, name)
    known = [value for value in known if value != off] if want != off and set(known) != {off} else known
    low, high = min(known), max(known)
    if low < want < high and want != off:
        return Reason(name, "between", f"{label} {want} between {low} and {high}", 0.0)
    nearest = min(known, key=lambda value: abs(math.log((value or 0.5) / (want or 0.5))))
    if off is not None and (want == off or set(known) == {off}):
        text = f"{label} {want or 'off'}, measured {' and '.join(str(v or 'off') for v in sorted(set(known)))}"
        return Reason(name, "unmeasured", text, 1.0)
    doublings = abs(math.log2((nearest or 0.5) / (want or 0.5)))
    ends = f"{low} to {high}" if low < high else f"{low}"
    return Reason(name, "extrapolated", f"{label} {want} beyond {ends}", doublings)
