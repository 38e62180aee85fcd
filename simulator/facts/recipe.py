"""How an engine is launched: settings with an address, and which of them is a run's.

A recipe belongs to an engine and, of what its address states, to accelerators or a vendor, to precisions, to runs with
or without drafts, and to a time or an image. None of its settings hangs on one of these alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date as calendar_date
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from simulator.facts.engine import (
    CHUNKS,
    REQUESTS,
    STEPS,
    ChunkTokens,
    Engine,
    PollSteps,
    Requests,
    StateFormat,
    WireFormat,
)
from simulator.facts.formats import Format
from simulator.facts.plausible import Plausible
from simulator.facts.quantities import Fraction, Spec


def _day(text: str) -> str:
    try:
        calendar_date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"expected a day such as 2026-08-29, found {text!r}") from None
    return text


Day = Annotated[str, AfterValidator(_day)]


class Address(Spec):
    """Which runs a recipe is for. What is absent matches any."""

    engine: str = Field(description="name of the engine profile")
    hardware: list[str] = Field(default_factory=list, description="accelerators that it was published for")
    vendor: Literal["amd", "nvidia"] | None = Field(
        default=None, description="other accelerators of this vendor take it while none of theirs is known"
    )
    precision: list[Literal["bf16", "fp8", "fp4"]] = Field(default_factory=list, description="of the weights")
    mtp: Literal["any", "off", "on"] = Field(default="any", description="runs without drafts, with drafts, or both")
    since: Day | None = Field(default=None, description="first day on which runs were launched like this")
    images: list[str] = Field(default_factory=list, description="engine versions, * stands for anything; beat the day")

    def rank(self, engine: str, hardware: str, vendor: str, precision: str, mtp: bool, day: str, image: str) -> Any:
        """How well a run matches, greater is better; None: not at all.

        Accelerator before vendor before neither; then a stated precision, a stated mtp, a matching image, and the
        latest ``since`` that is not after the day. ``day``: ISO, or empty for the latest; ``image``: or empty.
        """
        place = 2 if hardware in self.hardware else 1 if self.vendor == vendor else 0
        stated = bool(self.hardware) or self.vendor is not None
        pictured = any(fnmatchcase(image.lower(), pattern.lower()) for pattern in self.images)
        early = self.since is not None and day != "" and day < self.since and not pictured
        wrong = (
            self.engine != engine
            or (stated and place == 0)
            or (self.precision and precision not in self.precision)
            or self.mtp not in ("any", "on" if mtp else "off")
        )
        if wrong or early:
            return None
        return place, bool(self.precision), self.mtp != "any", pictured, self.since or ""


class Settings(Spec):
    """What a recipe changes of its engine; what is absent stays as the engine has it."""

    chunk_tokens: Annotated[ChunkTokens | None, CHUNKS] = Field(
        default=None, gt=0, description="prefill tokens per step"
    )
    poll_steps: Annotated[PollSteps | None, STEPS] = Field(
        default=None, gt=0, description="decode steps between looks for requests"
    )
    poll_steps_many: Annotated[PollSteps | None, STEPS] = Field(
        default=None, gt=0, description="the same, launched for many clients"
    )
    many_clients: Annotated[Requests | None, REQUESTS] = Field(
        default=None, gt=0, description="from how many clients on that is"
    )
    memory_fraction: Annotated[Fraction | None, Plausible(0.3, 1, "fraction")] = Field(
        default=None, gt=0, le=1, description="of HBM for weights and caches"
    )
    kv_dtype: Format | None = Field(default=None, description="KV-cache format")
    state_dtype: StateFormat | None = Field(default=None, description="recurrent-state format")
    state_pool: Annotated[Fraction | None, Plausible(0.01, 0.99, "fraction")] = Field(
        default=None, gt=0, lt=1, description="of the memory left by the weights, kept for recurrent states alone"
    )
    max_running: Annotated[Requests | None, REQUESTS] = Field(
        default=None, gt=0, description="most requests that run at once"
    )
    fused_shared_expert: bool | None = Field(default=None, description="shared expert in the MoE kernel")
    lookahead: bool | None = Field(default=None, description="the next step is queued before the running one ends")
    draft_overlap: bool | None = Field(default=None, description="drafts prepared while the device works (spec v2)")
    draft_graphs: bool | None = Field(default=None, description="a graph replays a draft pass")
    all_reduce_format: WireFormat | None = Field(default=None, description="large all-reduce messages on the wire")

    @model_validator(mode="after")
    def _polls(self) -> Settings:
        if (self.poll_steps_many is None) != (self.many_clients is None):
            raise ValueError("poll_steps_many and many_clients: expected both or neither")
        return self

    def stated(self) -> dict[str, Any]:
        """The settings that are not absent."""
        return self.model_dump(exclude_none=True)


class Recipe(Spec):
    """How runs of an engine were launched."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    address: Address
    by_rule: bool = Field(default=True, description="a run that names no recipe may get it")
    settings: Settings = Settings()
    launch: list[str] = Field(default_factory=list, description="launch flags and variables that say the same")
    source: str
    note: str = ""


class Launch(Spec):
    """Which recipe gave an engine its settings, and what was changed beside it.

    ``recipe`` None: the engine's own settings. ``by_rule``: nobody named the recipe. ``changes``: settings over those
    of the recipe. ``own``: the engine before both; ``date`` and ``image``: of the run, where known.
    ``among``: recipes of the runs that the calibration was fitted to, which go first where no run is known.
    """

    recipe: str | None = None
    by_rule: bool = True
    changes: dict[str, bool | int | float | str] = Field(default_factory=dict)
    own: Engine | None = None
    date: str | None = None
    image: str | None = None
    among: tuple[str, ...] = ()


def applied(engine: Engine, settings: Settings) -> Engine:
    """The engine with the settings of a recipe. A ``poll_steps`` alone holds for any number of clients."""
    changes = settings.stated()
    if "poll_steps" in changes and "poll_steps_many" not in changes:
        changes |= {"poll_steps_many": None, "many_clients": None}
    return engine.model_copy(update=changes)


def best(
    recipes: Iterable[Recipe],
    *,
    engine: str,
    hardware: str,
    vendor: str,
    precision: str,
    mtp: bool,
    date: str | None = None,
    image: str | None = None,
) -> Recipe | None:
    """The recipe whose address matches a run best, see :meth:`Address.rank`; of equals the first by name."""
    day, run = date or "", (engine, hardware, vendor, precision)
    ranked = [(r.address.rank(*run, mtp, day, image or ""), r) for r in recipes if r.by_rule]
    found = [(rank, recipe) for rank, recipe in ranked if rank is not None]
    if not found:
        return None
    top = max(rank for rank, _ in found)
    return min((recipe for rank, recipe in found if rank == top), key=lambda recipe: recipe.name)


def day_of(text: str | None) -> str | None:
    """The ISO day at the head of a text such as ``2026-08-29T12:00``; None if there is none."""
    head = re.match(r"\d{4}-\d{2}-\d{2}", text or "")
    return head.group() if head else None
