"""What fills the memory of one GPU: KV cache and recurrent states per request beside the weights, in bytes."""

from __future__ import annotations

import math
from dataclasses import dataclass

from simulator.errors import InputError
from simulator.facts.deployment import Deployment
from simulator.facts.engine import Engine
from simulator.facts.model import Model
from simulator.facts.weights import weight_bytes_per_gpu
from simulator.units import GIGA


def kv_bytes(model: Model, tokens: float, fmt: str, spec_tokens: int = 0, ranks: int = 1) -> float:
    """KV-cache bytes of a sequence of ``tokens`` tokens on each of ``ranks`` GPUs, those of the draft when k > 0.

    Layers with a window keep no more tokens than it spans.
    """
    kept: dict[float, float] = {}
    for layer, count in (*model.target_layers.mixers, *(model.draft_layers.mixers if spec_tokens > 0 else ())):
        for found, each in layer.caches(tokens, fmt, ranks):
            kept[found] = kept.get(found, 0.0) + count * each
    return sum(cached * each for cached, each in kept.items())


def kv_bytes_per_token(model: Model, fmt: str, spec_tokens: int = 0) -> float:
    """KV-cache bytes of one token within every window, one copy of every head (30,720 B in BF16 without drafts)."""
    return kv_bytes(model, 1.0, fmt, spec_tokens)


def kv_bytes_per_gpu(deployment: Deployment, tokens: float, spec_tokens: int = 0) -> float:
    """KV-cache bytes of a sequence on each GPU of the attention rank that serves it, in the fullest pipeline stage."""
    d = deployment
    found = kv_bytes(d.model, tokens, d.kv_format, spec_tokens, d.attention_tp)
    return found if d.pp == 1 else found * d.stage_share


def state_bytes(model: Model, dtype: str) -> float:
    """Bytes of one copy of a sequence's recurrent state, convolution state included (97.7 MB BF16, 192 MB FP32)."""
    return sum((count * layer.state_bytes(dtype) for layer, count in model.target_layers.mixers), 0.0)


def state_bytes_per_gpu(deployment: Deployment) -> float:
    """Bytes of one copy of a sequence's recurrent state on each GPU of the attention rank that serves it."""
    found = state_bytes(deployment.model, deployment.engine.state_dtype) / deployment.attention_tp
    return found if deployment.pp == 1 else found * deployment.stage_share


MOST_CONCURRENCY = 1_000_000
"""Of an attention rank, also where requests keep next to nothing."""


@dataclass(frozen=True)
class MemoryFit:
    """What fills the memory of one GPU. Bytes per GPU; requests are counted over the whole replica.

    ``kv_per_request``: of ``tokens`` tokens, which a running request holds or has reserved; ``kv_longest``: of the
    longest request at its end, which has to fit alone (0: no longer than that).
    """

    weights: float
    workspace: float
    kv_per_request: float
    state_per_request: float
    hbm: float
    budget: float
    dp: int
    state_pool: float | None = None
    cache_fraction: float = 1.0
    tokens: float | None = None
    kv_longest: float = 0.0

    @property
    def free(self) -> float:
        """Bytes for caches and states."""
        return max(0.0, self.budget - self.weights - self.workspace) * self.cache_fraction

    @property
    def max_concurrency(self) -> int:
        """Largest number of running requests of the replica that fits; 0 if the weights alone, or with them the caches
        of the longest request at its end, do not."""
        free = self.free
        pools = [(free, self.kv_per_request + self.state_per_request)]
        longest = self.kv_longest + self.state_per_request
        if self.state_pool is not None and self.state_per_request > 0:
            states = self.state_pool * free
            pools = [(states, self.state_per_request), (free - states, self.kv_per_request)]
            longest = self.kv_longest
        if longest > pools[-1][0]:
            return 0
        requests = min((size / each for size, each in pools if each > 0), default=MOST_CONCURRENCY if free else 0)
        return self.dp * math.floor(min(requests, MOST_CONCURRENCY))

    def used(self, concurrency: int) -> float:
        """Bytes in use on the fullest GPU with this many running requests in the replica."""
        requests = math.ceil(concurrency / self.dp)
        return self.weights + self.workspace + requests * (self.kv_per_request + self.state_per_request)

    def fits(self, concurrency: int) -> bool:
        """Whether this many running requests fit."""
        return concurrency <= self.max_concurrency and self.used(0) <= self.budget

    def arithmetic(self, concurrency: int) -> str:
        """The sum in GB per GPU, and whether it fits, as one paragraph."""
        requests = math.ceil(concurrency / self.dp)
        each = "" if self.dp == 1 else f" (of {concurrency} over {self.dp} attention ranks)"
        verdict = "it fits" if self.fits(concurrency) else "it does not fit"
        largest = self.max_concurrency
        limit = f"the largest concurrency that fits is {largest}" if largest else "not even one request fits"
        free, pools = self.free, ""
        if self.cache_fraction < 1:
            pools += f"; caches may take {100 * self.cache_fraction:.0f} % of what is left, {free / GIGA:.2f} GB"
        if self.state_pool is not None and self.state_per_request > 0 and free > 0:
            pools += (
                f"; of the {free / GIGA:.2f} GB beside the weights {100 * self.state_pool:.0f} % are kept for states, "
                "the rest for the KV cache"
            )
        length = "" if self.tokens is None else f" of {self.tokens:,.0f} tokens"
        return (
            f"Per GPU: weights {self.weights / GIGA:.2f} GB + workspace {self.workspace / GIGA:.2f} GB"
            f" + {requests} requests{each} x (KV cache{length} {self.kv_per_request / GIGA:.3f} GB"
            f" + recurrent state {self.state_per_request / GIGA:.3f} GB) = {self.used(concurrency) / GIGA:.2f} GB;"
            f" the budget is {self.budget / self.hbm:.2f} x {self.hbm / GIGA:g} GB = {self.budget / GIGA:.2f} GB"
            f"{pools}: {verdict}; {limit}."
        )


def reserved_tokens(engine: Engine, prompt: float, output: float, nominal: float) -> float:
    """Tokens of cache that a running request takes in the mean.

    Pages taken as it grows: its prompt and, in the mean over its run, half of its output. Else all it may need.

    Args:
        engine: says which.
        prompt: mean input tokens.
        output: mean output tokens.
        nominal: input and output tokens that a request may need.
    """
    return prompt + 0.5 * output if engine.reserve == "held" else nominal


def memory_fit(
    deployment: Deployment, tokens_per_request: float, spec_tokens: int, longest: float | None = None
) -> MemoryFit:
    """Memory of one GPU when each running request takes ``tokens_per_request`` tokens and k = ``spec_tokens``.

    ``longest``: tokens of the longest request at its end, which has to fit alone; None: the same.

    Raises:
        InputError: a length that is not positive, or speculation with a model that has no MTP layer.
    """
    if not (math.isfinite(tokens_per_request) and tokens_per_request > 0):
        raise InputError(f"tokens per request must be positive and finite, found {tokens_per_request}")
    if spec_tokens < 0:
        raise InputError(f"speculative tokens must be 0 or more, found {spec_tokens}")
    if spec_tokens and deployment.model.draft is None:
        raise InputError(f"model {deployment.model.name} has no MTP layer: speculative tokens must be 0")
    engine, hardware = deployment.engine, deployment.hardware
    return MemoryFit(
        weights=sum(weight_bytes_per_gpu(deployment, draft=spec_tokens > 0).values()),
        workspace=engine.workspace,
        kv_per_request=kv_bytes_per_gpu(deployment, tokens_per_request, spec_tokens),
        state_per_request=engine.speculation.slots(spec_tokens) * state_bytes_per_gpu(deployment),
        hbm=hardware.hbm_capacity,
        budget=engine.memory_fraction * hardware.hbm_capacity,
        dp=deployment.dp,
        state_pool=engine.state_pool,
        cache_fraction=engine.cache_fraction,
        tokens=tokens_per_request,
        kv_longest=kv_bytes_per_gpu(deployment, longest or tokens_per_request, spec_tokens),
    )
