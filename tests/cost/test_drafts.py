"""Passes of drafts of every kind, by hand."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from simulator import kernels as kn
from simulator.cost.explain import explain_prefill, explain_round
from simulator.cost.forward import draft_operators
from simulator.facts.deployment import Deployment
from simulator.facts.model import Model
from simulator.facts.reading import load_engine, load_hardware
from simulator.serving.replica import build_replica
from simulator.speculation.acceptance import OFF, from_length
from tests.cost.hand import PARAMETERS, Hand, check, product

HBM = 3.35e12  # H100: 989 TFLOP/s in BF16; one port of 450 GB/s into a switch
gemm = functools.partial(product, us=5.0, ns=0.5, rate=989e12 * 0.45, speed=HBM * 0.85)
small = functools.partial(Hand, us=3.0, speed=HBM * 0.375)
cache = functools.partial(Hand, us=11.0, rate=989e12 * 0.25, speed=HBM * 0.55)
switch = functools.partial(Hand, us=12.0, speed=450e9 * 0.75)
SPECULATION = from_length(2.0, 3)
OWN: dict[str, Any] = {
    "hidden": 64,
    "mixers": {"full": {"kind": "attention", "query_heads": 8, "kv_heads": 2, "head_dim": 16}},
    "feed_forwards": {"mlp": {"kind": "dense", "intermediate": 160}},
    "layers": [{"count": 2, "mixer": "full", "feed_forward": "mlp"}],
    "source": "made up",
}
TARGET: dict[str, Any] = {
    "name": "target",
    "source": "made up",
    "hidden": 96,
    "vocabulary": 1000,
    "mixers": {"near": {"kind": "attention", "query_heads": 8, "kv_heads": 4, "head_dim": 12, "window": 30}},
    "feed_forwards": {"moe": {"kind": "experts", "experts": 8, "top_k": 2, "intermediate": 64}},
    "layers": [{"count": 5, "mixer": "near", "feed_forward": "moe"}],
    "checkpoints": {
        "one": {"repository": "", "precision": "bf16", "source": "", "attention": "bf16", "routed_experts": "bf16"}
    },
}
DRAFTS: dict[str, dict[str, Any]] = {
    "eagle3": {"kind": "eagle3", "vocabulary": 500, **OWN},
    "block": {"kind": "block", **OWN},
    "model": {"kind": "model", "vocabulary": 1000, **OWN},
    "ngram": {"kind": "ngram"},
}


def deploy(draft: str, engine: str = "vllm", **changes: Any) -> Deployment:
    model = Model.model_validate(TARGET | {"draft": DRAFTS[draft]})
    base = {"hardware": load_hardware("h100"), "model": model, "engine": load_engine(engine), "checkpoint": "one"}
    return Deployment.model_validate(base | {"tp": 2} | changes)


def matrix(count: float, rows: float, k: int, n: float) -> Hand:
    return gemm(count, k=k, flops=2 * rows * k * n, read=2 * (k * n + rows * (k + n)))


def layers(rows: int, queries: int, context: int) -> dict[str, Hand]:
    """Two layers of 64 channels on two GPUs: 4 query heads and a KV head of 16 each, 80 columns of the feed-forward."""
    return {
        "attention qkv": matrix(2, rows, 64, 64 + 2 * 16),
        "attention (KV cache)": cache(2, flops=queries * context * 4 * 4 * 16, read=(6 * context + rows) * 2 * 16 * 2),
        "attention out": matrix(2, rows, 64, 64),
        "attention norm, rope, gate": small(2 * 2, read=rows * 4 * 64 * 2),
        "dense up, gate": matrix(2, rows, 64, 160),
        "dense norm, activation": small(2 * 2, read=rows * 3 * 80 * 2),
        "dense down": matrix(2, rows, 80, 64),
        "all-reduce": switch(4, sent=rows * 2 * 64 * 2 / 2),
    }


def test_a_pass_of_an_eagle_draft() -> None:
    """Three hidden vectors of 96 to one of 64, whole on both GPUs; half of 500 tokens on each."""
    account = explain_round(deploy("eagle3"), SPECULATION, PARAMETERS, 6, 50)
    assert list(account.groups()) == ["draft 1", "draft 2", "draft extend", "verify", "host"]
    expected = {
        "draft projection": matrix(1, 6, 3 * 96, 64),
        "draft embedding to qkv": matrix(2, 6, 64, (128 + 2 * 32) / 2),
        **layers(6, 6, 50),
        "lm head": matrix(1, 6, 64, 250),
        "logits all-gather": switch(1, sent=6 * 500 * 2 / 2),
    }
    check(account, "draft 1", expected)


def test_a_block_is_one_pass() -> None:
    """Four queries of each request, three of which make a token: the target's head on 64 channels, 500 on each GPU."""
    for engine in ("vllm", "atom"):
        account = explain_round(deploy("block", engine, kv_dtype="bf16"), SPECULATION, PARAMETERS, 6, 50)
        assert list(account.groups()) == ["draft block", "verify", "host"]
        expected = {
            "draft projection": matrix(1, 24, 5 * 96, 64),
            **layers(24, 24, 50),
            "lm head": matrix(1, 18, 64, 500),
            "logits all-gather": switch(1, sent=18 * 1000 * 2 / 2),
        }
        check(account, "draft block", expected)
        host = next(row.seconds for row in account.rows if row.bound == "host")
        assert host == pytest.approx((300 + 6 * 6 + 70) * 1e-6)


def test_a_pass_of_a_draft_model() -> None:
    account = explain_round(deploy("model"), SPECULATION, PARAMETERS, 6, 50)
    head = {"lm head": matrix(1, 6, 64, 500), "logits all-gather": switch(1, sent=6 * 1000 * 2 / 2)}
    check(account, "draft 1", {**layers(6, 6, 50), **head})


def test_ngrams_cost_no_pass() -> None:
    """A round is the verification and the host's step; a prefill is that of the target."""
    d = deploy("ngram")
    assert draft_operators(d, PARAMETERS) == []
    account = explain_round(d, SPECULATION, PARAMETERS, 6, 50)
    assert list(account.groups()) == ["verify", "host"]
    host = next(row.seconds for row in account.rows if row.bound == "host")
    assert host == pytest.approx((300 + 6 * 6) * 1e-6)
    drafted, plain = (explain_prefill(d, how, PARAMETERS, 2, 64) for how in (SPECULATION, OFF))
    assert drafted.seconds == plain.seconds


@pytest.mark.parametrize("engine", ["vllm", "sglang", "atom"])
@pytest.mark.parametrize("draft", [*DRAFTS])
@pytest.mark.parametrize("context", [20, 500])
def test_the_kernels_agree(engine: str, draft: str, context: int) -> None:
    d = deploy(draft, engine)
    plan = build_replica(d, SPECULATION, PARAMETERS)
    tables = plan.target, plan.draft, plan.constants
    account = explain_round(d, SPECULATION, PARAMETERS, 6, context)
    assert kn.round_time(*tables, 6.0, 6.0 * context) == pytest.approx(account.seconds, rel=1e-12)
    account = explain_prefill(d, SPECULATION, PARAMETERS, 2, 64, context)
    pairs = 128.0 * (context + 32)
    seconds = kn.prefill_time(*tables, 128.0, 2.0, pairs, 2.0 * context, 0.0, 0.0)
    assert seconds == pytest.approx(account.seconds, rel=1e-12)
