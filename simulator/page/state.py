"""What the page shows, as plain and bounded values: the one argument of every answer, and what a link carries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from simulator.errors import InputError, brief

Tab = Literal["curve", "break-even", "why", "plan", "agentic", "check"]
Name = Annotated[str, Field(max_length=80, pattern=r"^[a-z0-9][a-z0-9.\-]*$")]
MaybeName = Annotated[str, Field(max_length=80, pattern=r"^([a-z0-9][a-z0-9.\-]*)?$")]
"""A name of a profile, never a path; empty: by the usual rule."""
ColumnName = Annotated[str, Field(max_length=80, pattern=r"^[a-z0-9_]+$")]
Runs = Annotated[str, Field(max_length=200, pattern=r"^[0-9]{1,2}:[0-9., ]+$")]
"""Runs of one replica size, as ``--sweep`` takes them."""
Tokens = Annotated[int, Field(ge=1, le=131_072)]
Speed = Annotated[float, Field(gt=0, le=100_000)]
STATED = r"^(fitted|length:[0-9]{1,2}(\.[0-9]{1,6})?|rate:[01](\.[0-9]{1,6})?|profile:[a-z0-9][a-z0-9.\-]{0,79})$"
MOST_CLIENTS = 1024
"""Most clients of one run: what a page asks for is answered in seconds."""
MOST_RUNS = 32
"""Most concurrencies of one replica size."""
MOST_SESSIONS = 256
"""Most live session trees of a replay."""
Live = Annotated[int, Field(ge=1, le=MOST_SESSIONS)]
"""Live session trees."""


class State(BaseModel):
    """Everything that decides what the page shows. Defaults are the published MI355X table, MTP and Off."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    tab: Tab = "curve"
    model: Name = "qwen3.5-397b-a17b"
    hardware: Annotated[tuple[Name, ...], Field(min_length=1, max_length=4)] = ("mi355x",)
    engine: Name = "sglang"
    recipe: MaybeName = ""
    precision: Literal["", "bf16", "fp8", "fp4", "int4"] = ""
    checkpoint: MaybeName = ""
    calibration: MaybeName = ""
    isl: Tokens = 1024
    osl: Tokens = 1024
    sweep: Annotated[tuple[Runs, ...], Field(min_length=1, max_length=6)] = ("2:4..256", "4:4..16")
    mtp: Annotated[tuple[Annotated[int, Field(ge=0, le=16)], ...], Field(min_length=1, max_length=8)] = (0, 3)
    acceptance: Annotated[str, Field(pattern=STATED)] = "fitted"
    x: ColumnName = "interactivity_tok_s_user"
    y: ColumnName = "total_tok_s_gpu"
    logx: bool = False
    logy: bool = False
    cost_basis: Literal["hyperscaler", "neocloud", "rental"] = "hyperscaler"
    at: Annotated[tuple[Speed, ...], Field(max_length=8)] = (44.0, 64.0, 84.0)
    against: MaybeName = "inferencex-mi355x-fp4-1k1k"
    pins: Annotated[tuple[Annotated[str, Field(max_length=2000)], ...], Field(max_length=6)] = ()
    why_hardware: MaybeName = ""
    why_mtp: Annotated[int, Field(ge=-1, le=16)] = -1
    why_tp: Annotated[int, Field(ge=0, le=64)] = 0
    why_concurrency: Annotated[int, Field(ge=1, le=MOST_CLIENTS)] = 32
    promises: Annotated[tuple[Annotated[str, Field(max_length=40)], ...], Field(min_length=1, max_length=6)] = (
        "ttft-p99=2s",
        "tpot-p95=25ms",
    )
    rate: Annotated[float, Field(gt=0, le=10_000)] = 10.0
    agentic_concurrency: Annotated[tuple[Live, ...], Field(min_length=1, max_length=8)] = (1, 4, 8, 16, 32, 64, 96)
    agentic_prefix_cache: Literal["on", "off"] = "on"
    agentic_host_cache_ratio: Annotated[float, Field(ge=0, le=100)] = 0.0

    @field_validator("hardware", "mtp", "at", "sweep", "agentic_concurrency")
    @classmethod
    def _once(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(set(value)) != len(value):
            raise ValueError("expected each value once")
        return value

    def changed(self) -> dict[str, Any]:
        """What differs from the default state: what a link carries."""
        default = State().as_json()
        return {name: value for name, value in self.as_json().items() if value != default[name]}

    def as_json(self) -> dict[str, Any]:
        """All values, plain."""
        return self.model_dump(mode="json")


def read_state(text: str | bytes | Mapping[str, Any]) -> State:
    """A state from JSON text or a mapping; what is absent has its default.

    Raises:
        InputError: names the key, what was found and what was expected; all faults at once.

    Example:
        >>> read_state('{"isl": 8192}').isl
        8192
    """
    try:
        return State.model_validate_json(text if isinstance(text, str | bytes) else json.dumps(text))
    except ValidationError as fault:
        raise InputError("\n".join(map(_fault, fault.errors()))) from None


EXPECTED = {
    "acceptance": "fitted, length:X, rate:A or profile:NAME",
    "sweep": "TP:clients such as 2:4..256",
    "x": "the name of a metric",
    "y": "the name of a metric",
}


def _fault(error: Any) -> str:
    place = ".".join(str(part) for part in error["loc"] if not str(part).startswith("constrained-str")) or "state"
    if error["type"] == "string_pattern_mismatch":
        kind = str(error["loc"][0])
        return (
            f"{place}: expected {EXPECTED.get(kind, 'the name of a profile that ships')}, found {brief(error['input'])}"
        )
    found = "" if error["type"] in ("json_invalid", "missing") else f", found {brief(error['input'])}"
    if error["type"] == "extra_forbidden":
        return f"{place}: no such key{found}; expected {', '.join(State.model_fields)}"
    return f"{place}: {error['msg'].removeprefix('Value error, ')}{found}"
