"""The rows of a measurement file, each column declared once: kind, unit, meaning, required or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, NamedTuple

from simulator.traffic.sweeps import Grid

LOWEST = 0.8
"""Shortest over nominal length where a row does not say: as the published benchmarks draw them."""

Kind = Literal["text", "count", "number", "flag", "spec", "sweep"]


class Column(NamedTuple):
    """One column of the schema.

    ``text`` is any non-blank string, ``count`` a whole number >= 1, ``number`` a finite number > 0, ``flag`` true or
    false, ``spec`` off or mtp by any name that engines have for them, ``sweep`` replica sizes with their concurrencies.
    """

    name: str
    kind: Kind
    unit: str
    meaning: str
    required: bool

    @property
    def expected(self) -> str:
        """What a cell of this column holds, in words."""
        words = {
            "text": "text",
            "count": "a whole number >= 1",
            "number": "a number > 0",
            "flag": "true or false",
            "spec": "off or mtp (none; nextn, eagle, eagle3, draft_model or ngram)",
            "sweep": "TP:clients such as 2:4..256;4:4..16",
        }[self.kind]
        return f"{words} ({self.unit})" if self.unit else words


def _need(kind: Kind, meaning: str, unit: str = "") -> Any:
    return field(metadata={"column": (kind, unit, meaning, True)})


def _may(kind: Kind, meaning: str, unit: str = "") -> Any:
    return field(default=None, metadata={"column": (kind, unit, meaning, False)})


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of a benchmark, closed loop or open loop. ``None`` is "not published", never zero.

    Throughput is per GPU of the replica (TP x PP) over the whole run, ramp and drain included. ``isl`` and ``osl`` are
    nominal lengths L; the lengths drawn are uniform integers in [``range_ratio`` x L, L].
    """

    hardware: str = _need("text", "accelerator")
    model: str = _need("text", "served model")
    precision: str = _need("text", "weights, such as FP4 or FP8")
    engine: str = _need("text", "serving engine")
    spec: str = _need("spec", "speculative decoding")
    isl: int = _need("count", "nominal input length", "tokens")
    osl: int = _need("count", "nominal output length", "tokens")
    tp: int = _need("count", "tensor-parallel GPUs of the replica", "GPUs")
    source: str | None = _may("text", "who published it")
    date: str | None = _may("text", "day of the run")
    checkpoint: str | None = _may("text", "weights as published")
    engine_version: str | None = _may("text", "image or commit of the engine")
    recipe: str | None = _may("text", "launch recipe: name or path; blank: that of day and version")
    spec_tokens: int | None = _may("count", "draft tokens per round k", "tokens")
    acceptance_length: float | None = _may("number", "mean tokens emitted per round, 1 to k+1", "tokens")
    ep: int | None = _may("count", "expert-parallel GPUs, inside TP")
    dp_attention: bool | None = _may("flag", "attention is data-parallel")
    total_tok_s_gpu: float | None = _may("number", "input and output tokens per GPU", "tok/s/GPU")
    output_tok_s_gpu: float | None = _may("number", "output tokens per GPU", "tok/s/GPU")
    mean_ttft_ms: float | None = _may("number", "mean time to first token", "ms")
    median_ttft_ms: float | None = _may("number", "median time to first token", "ms")
    p99_ttft_ms: float | None = _may("number", "99th percentile of the time to first token", "ms")
    mean_tpot_ms: float | None = _may("number", "mean over requests of (latency - TTFT) / (output tokens - 1)", "ms")
    median_tpot_ms: float | None = _may("number", "median over requests of the same", "ms")
    interactivity_tok_s_user: float | None = _may("number", "1000 / median TPOT in ms", "tok/s/user")
    cost_usd_per_mtok: float | None = _may("number", "price of a GPU hour over its tokens", "USD per million tokens")
    tok_s_per_mw: float | None = _may("number", "throughput per all-in power", "tok/s/MW")
    kv_cache_dtype: str | None = _may("text", "KV-cache format")
    notes: str | None = _may("text", "anything else")
    gpus: int | None = _may("count", "GPUs of the run, where they are not tp", "GPUs")
    requests: int | None = _may("count", "finished requests of the run")
    range_ratio: float | None = _may("number", "shortest over nominal length, up to 1: fixed; blank: 0.8")
    file: str = ""
    line: int = 0
    extras: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def all_gpus(self) -> int:
        """GPUs that the throughput is divided by."""
        return self.gpus or self.tp

    @property
    def ratio(self) -> float:
        """Shortest over nominal length."""
        return LOWEST if self.range_ratio is None else self.range_ratio


@dataclass(frozen=True, kw_only=True)
class MeasuredPoint(Run):
    """One run of the closed-loop benchmark: so many clients, each sends its next request when its last one ends."""

    concurrency: int = _need("count", "closed-loop clients")
    requests_per_client: int | None = _may("count", "requests of the run over its concurrency; blank: 10")


@dataclass(frozen=True, kw_only=True)
class OpenLoopPoint(Run):
    """One run of an open-loop benchmark: requests are sent at a rate, however many are under way.

    ``burstiness`` is the shape of gamma-distributed gaps: 1 is Poisson, below it requests come in bursts; their
    coefficient of variation is 1 / sqrt(burstiness).
    """

    request_rate_per_s: float = _need("number", "requests sent per second, in place of a concurrency", "1/s")
    burstiness: float | None = _may("number", "shape of the gaps between requests: 1 Poisson, below it bursts")

    @property
    def concurrency(self) -> None:
        """There is none in an open loop."""
        return None


@dataclass(frozen=True, kw_only=True)
class FrontierPoint:
    """One point read off an interpolated Pareto frontier: not a run. Each metric was splined on its own."""

    hardware: str = _need("text", "accelerator")
    model: str = _need("text", "served model")
    precision: str = _need("text", "weights, such as FP4 or FP8")
    isl: int = _need("count", "nominal input length", "tokens")
    osl: int = _need("count", "nominal output length", "tokens")
    spec: str = _need("spec", "speculative decoding")
    interactivity_tok_s_user: float = _need("number", "1000 / median TPOT in ms", "tok/s/user")
    total_tok_s_gpu: float = _need("number", "input and output tokens per GPU", "tok/s/GPU")
    cost_usd_per_mtok: float | None = _may("number", "price of a GPU hour over its tokens", "USD per million tokens")
    tok_s_per_mw: float | None = _may("number", "throughput per all-in power", "tok/s/MW")
    concurrency: float | None = _may("number", "closed-loop clients, splined")
    source: str | None = _may("text", "who published it")
    date: str | None = _may("text", "day of publication")
    checkpoint: str | None = _may("text", "weights as published")
    engine: str | None = _may("text", "serving engine")
    engine_version: str | None = _may("text", "image or commit of the engine")
    recipe: str | None = _may("text", "launch recipe: name or path; blank: that of day and version")
    spec_tokens: int | None = _may("count", "draft tokens per round k", "tokens")
    acceptance_length: float | None = _may("number", "mean tokens emitted per round, 1 to k+1", "tokens")
    sweep: Grid | None = field(
        default=None, metadata={"column": ("sweep", "", "runs behind the frontier: clients of each TP", False)}
    )
    notes: str | None = _may("text", "anything else")
    file: str = ""
    line: int = 0
    extras: Mapping[str, str] = field(default_factory=dict, hash=False)


Row = MeasuredPoint | OpenLoopPoint | FrontierPoint


def _columns(row_type: type[Run] | type[FrontierPoint]) -> dict[str, Column]:
    """The columns of a kind of row, those that it must have first."""
    found = [Column(f.name, *f.metadata["column"]) for f in fields(row_type) if "column" in f.metadata]
    return {column.name: column for column in sorted(found, key=lambda column: not column.required)}


CLOSED_COLUMNS = _columns(MeasuredPoint)
"""Columns of a closed-loop run: column name -> :class:`Column`."""
OPEN_COLUMNS = _columns(OpenLoopPoint)
"""Columns of an open-loop run."""
POINT_COLUMNS = CLOSED_COLUMNS | {
    name: column._replace(required=False) for name, column in OPEN_COLUMNS.items() if name not in CLOSED_COLUMNS
}
"""Schema of a points file: either kind of run, a row each; in place of ``concurrency`` a row may have
``request_rate_per_s``."""
FRONTIER_COLUMNS = _columns(FrontierPoint)
"""Schema of a frontier file: column name -> :class:`Column`."""
METRICS = (
    "total_tok_s_gpu",
    "output_tok_s_gpu",
    "mean_ttft_ms",
    "median_ttft_ms",
    "p99_ttft_ms",
    "mean_tpot_ms",
    "median_tpot_ms",
    "interactivity_tok_s_user",
)
"""The measured columns of a points file; a file has at least one."""
