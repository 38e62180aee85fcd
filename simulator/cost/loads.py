"""The seven loads of a forward pass, from batch, context and draft depth."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simulator.cost.operator import KV, LOADS, ONE, QK, ST, D, L, T
from simulator.facts.model import Model


@dataclass(frozen=True)
class Load:
    """What one forward pass has to do; see the table in :mod:`simulator.cost.operator`.

    Attributes:
        tokens: tokens in the pass (T).
        pairs: query-key pairs in one full-attention layer (QK).
        logits: tokens whose logits are computed (L).
        cached: cached tokens read in one full-attention layer, repeated reads counted (KV).
        transfers: recurrent-state reads and writes of one sequence's state (ST).
        distinct: distinct routed experts touched per layer (D).
        reads: reads of a sequence's cache that ``cached`` consists of, which a window makes shorter.
        prefills: its tokens are those of prompts, none of requests that decode.
    """

    tokens: float
    pairs: float
    logits: float
    cached: float
    transfers: float
    distinct: float
    reads: float = math.inf
    prefills: bool = False

    def vector(self, window: float = math.inf) -> NDArray[np.float64]:
        """The loads in the order ONE, T, QK, L, KV, ST, D, shape (7,), where a query sees ``window`` tokens at most."""
        pairs, cached = self.pairs, self.cached
        if window < math.inf:
            pairs, cached = min(pairs, self.tokens * window), min(cached, self.reads * window)
        out = np.zeros(LOADS)
        out[[ONE, T, QK, L, KV, ST, D]] = (
            1.0,
            self.tokens,
            pairs,
            self.logits,
            cached,
            self.transfers,
            self.distinct,
        )
        return out

    def each(self, window: float = math.inf) -> float:
        """Cached tokens in one read of a sequence, where a query sees ``window`` tokens at most."""
        return min(self.cached / self.reads, window) if self.reads > 0.0 else 0.0


@dataclass(frozen=True)
class Routing:
    """How tokens choose experts.

    Attributes:
        experts: routed experts per layer.
        top_k: experts per token.
        skew: squared coefficient of variation of expert popularity; 0 is uniform.
        correlation: part of a token's experts shared with the other tokens of its request in the pass.
    """

    experts: int
    top_k: int
    skew: float
    correlation: float

    @classmethod
    def of(cls, model: Model, parameters: Mapping[str, float]) -> Routing:
        """The routing of a model under one set of parameters; of one without experts, to none."""
        experts, top_k = model.experts.choice if model.experts else (0, 0)
        return cls(experts, top_k, parameters["routing.skew"], parameters["routing.correlation"])

    def distinct(self, tokens: float, sequences: float) -> float:
        """Expected distinct experts that ``tokens`` tokens of ``sequences`` requests touch in one layer.

        ``E (1 - (1 + n y)^(-1/s))`` with ``y = (1 - k/E)^(-s) - 1`` for gamma distributed popularity with squared
        coefficient of variation s; for s = 0 this is ``E (1 - (1 - k/E)^n)`` (MoESD, arXiv 2505.19645). Each token
        after a request's first counts ``1 - correlation`` towards n (Cohere, 2026).

        Example:
            >>> round(Routing(experts=512, top_k=10, skew=0.1, correlation=0.5).distinct(1, 1), 9)
            10.0
        """
        if self.top_k >= self.experts:
            return float(self.experts)
        independent = sequences + (tokens - sequences) * (1.0 - self.correlation)
        miss = math.log1p(-self.top_k / self.experts)
        if self.skew < 1e-6:
            return -self.experts * math.expm1(independent * miss)
        return -self.experts * math.expm1(-math.log1p(independent * math.expm1(-self.skew * miss)) / self.skew)


def decode_load(routing: Routing, batch: float, context: float, transfers: float = 0.0) -> Load:
    """A pass over one token of each of ``batch`` requests with ``context`` cached tokens in all.

    ``transfers``: recurrent-state transfers per request, 2 in plain decode and 0 in a draft, which has no such layers.
    """
    return Load(batch, context, batch, context, batch * transfers, routing.distinct(batch, batch), batch)


def verify_load(
    routing: Routing, batch: float, context: float, k: int, verify_reload: float, transfers: float = 0.0
) -> Load:
    """A target pass that verifies k drafted tokens of each request, k + 1 tokens in all; k = 0 is plain decode.

    ``verify_reload``: part of the KV cache read again for each token after a request's first.
    """
    q = k + 1
    again, distinct = 1.0 + verify_reload * (q - 1.0), routing.distinct(batch * q, batch)
    return Load(batch * q, context * q, batch * q, context * again, batch * transfers, distinct, batch * again)


def extend_load(routing: Routing, batch: float, context: float, k: int) -> Load:
    """A draft pass over the k + 1 verified tokens of each request, with the logits of one of them."""
    q = k + 1
    return Load(batch * q, context * q, batch, context, 0.0, routing.distinct(batch * q, batch), batch)


def block_load(routing: Routing, batch: float, context: float, k: int) -> Load:
    """A draft pass that makes k tokens of each request at once, from as many queries as are verified."""
    q = k + 1
    return Load(batch * q, context * q, batch * k, context, 0.0, routing.distinct(batch * q, batch), batch)


def prefill_load(
    routing: Routing, prompts: float, prompt_tokens: float, cached_tokens: float = 0.0, transfers: float = 0.0
) -> Load:
    """A pass over ``prompt_tokens`` new tokens of each of ``prompts`` prompts, after ``cached_tokens`` of each."""
    tokens = prompts * prompt_tokens
    pairs = tokens * (cached_tokens + 0.5 * prompt_tokens)
    distinct = routing.distinct(tokens, prompts)
    return Load(tokens, pairs, prompts, prompts * cached_tokens, prompts * transfers, distinct, prompts, True)
