"""Scheduling policy, memory rules and speculation rounds of a serving engine."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from simulator.facts.formats import Format
from simulator.facts.plausible import Plausible
from simulator.facts.prefix_cache import PrefixCache
from simulator.facts.quantities import Bytes, Fraction, Spec, Whole

CHUNKS, STEPS, REQUESTS = Plausible(16, 10_000_000), Plausible(1, 10_000), Plausible(1, 1_000_000)
ChunkTokens = Annotated[Whole, CHUNKS]
PollSteps = Annotated[Whole, STEPS]
Requests = Annotated[Whole, REQUESTS]
Transfers = Annotated[Whole, Plausible(1, 100)]
WireFormat = Literal["bf16", "int8", "int6", "int4"]
StateFormat = Literal["bf16", "fp32"]


class Round(Spec):
    """One speculation round of an engine, as passes over B running requests with k draft tokens each.

    The fields say what the engine does when it drafts; the methods give the numbers at a depth k, those of plain decode
    at k = 0.
    """

    single_draft_passes: Literal["k", "k-1"] = Field(description="serial draft passes of one token per request")
    draft_extend: bool = Field(description="one draft pass over all k+1 verified tokens of each request")
    state_reads: Transfers = Field(ge=0, description="recurrent-state reads per request and round")
    state_writes: Literal["k+1", "k+2"] = Field(description="recurrent-state writes per request and round")
    state_moves: Transfers = Field(ge=0, description="further state transfers per request and round (copy back)")
    state_slots: Literal["k+1", "k+2"] = Field(description="state copies kept per running request")
    source: str

    def single_passes(self, k: int) -> int:
        """Serial draft passes of one token per request in a round."""
        return _at(self.single_draft_passes, k) if k else 0

    def extend_passes(self, k: int) -> int:
        """Draft passes over the verified tokens in a round, 0 or 1."""
        return int(self.draft_extend) if k else 0

    def state_transfers(self, k: int) -> int:
        """Recurrent-state reads and writes per request and round; plain decode reads and writes once."""
        return self.state_reads + _at(self.state_writes, k) + self.state_moves if k else 2

    def slots(self, k: int) -> int:
        """State copies kept per running request; plain decode keeps one."""
        return _at(self.state_slots, k) if k else 1


def _at(count: str, k: int) -> int:
    """The number that ``k``, ``k-1``, ``k+1`` or ``k+2`` stands for."""
    return k + int(count.removeprefix("k") or 0)


class Engine(Spec):
    """Scheduling policy and memory rules of a serving engine."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    aliases: list[str] = Field(default_factory=list, description="other names that people write for it")
    policy: Literal["prefill_first", "shared_budget"]
    chunk_tokens: ChunkTokens = Field(gt=0, description="prefill tokens per step; with shared_budget decode counts too")
    split_prompts: bool = Field(description="a prefill batch may end inside a prompt")
    lookahead: bool = Field(description="the next step is queued before the running one ends, so arrivals wait for it")
    poll_steps: PollSteps = Field(default=1, gt=0, description="decode steps between two looks for new requests")
    poll_steps_many: Annotated[PollSteps | None, STEPS] = Field(
        default=None, gt=0, description="the same, of a server launched for many clients"
    )
    many_clients: Annotated[Requests | None, REQUESTS] = Field(
        default=None, gt=0, description="from how many clients on that is"
    )
    max_running: Annotated[Requests | None, REQUESTS] = Field(
        default=None, gt=0, description="most requests that run at once; absent: as many as clients"
    )
    memory_fraction: Annotated[Fraction, Plausible(0.3, 1, "fraction")] = Field(
        gt=0, le=1, description="of HBM for weights, caches and workspace"
    )
    workspace: Annotated[Bytes, Plausible(0.001, 500, "GB")] = Field(
        ge=0, description="activations, graphs and communication buffers, inside the fraction"
    )
    state_pool: Annotated[Fraction | None, Plausible(0.01, 0.99, "fraction")] = Field(
        default=None, gt=0, lt=1, description="of the memory left by the weights, kept for recurrent states alone"
    )
    cache_fraction: Annotated[Fraction, Plausible(0.1, 1, "fraction")] = Field(
        default=1.0, gt=0, le=1, description="of the memory left by weights and workspace, for caches"
    )
    reserve: Literal["held", "nominal"] = Field(
        default="held", description="a running request takes pages as it grows, or from the start all it may need"
    )
    kv_dtype: Format = Field(description="default KV-cache format")
    state_dtype: StateFormat = Field(description="recurrent-state format")
    fused_shared_expert: bool = Field(
        default=False, description="the shared expert runs in the MoE kernel where it has the format of the others"
    )
    all_reduce_library: Literal["quick_reduce", "aiter"] = Field(
        default="quick_reduce", description="whose rule says from which size on a message is quantised"
    )
    all_reduce_format: WireFormat = Field(default="bf16", description="of large all-reduce messages on the wire")
    draft_overlap: bool = Field(default=False, description="the host prepares a draft pass while the device works")
    draft_graphs: bool = Field(default=True, description="a graph replays a draft pass; else its kernels are launched")
    speculation: Round
    prefix_cache: PrefixCache | None = Field(default=None, description="how prompts are kept; absent: unknown")
    source: str

    @model_validator(mode="before")
    @classmethod
    def _moved(cls, raw: Any) -> Any:
        if isinstance(raw, dict) and "recipes" in raw:
            raise ValueError("recipes: recipes are files of their own (mtpsim profiles recipe); --recipe names one")
        return raw

    @model_validator(mode="after")
    def _polls(self) -> Engine:
        if (self.poll_steps_many is None) != (self.many_clients is None):
            raise ValueError("poll_steps_many and many_clients: expected both or neither")
        return self

    def polls(self, clients: int | None) -> int:
        """Decode steps between two looks for new requests of a server launched for so many clients; None: unknown."""
        if clients is None or self.many_clients is None or self.poll_steps_many is None:
            return self.poll_steps
        return self.poll_steps_many if clients >= self.many_clients else self.poll_steps
