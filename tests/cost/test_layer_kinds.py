"""Operators of models that are not Qwen3.5, by hand: dense, without experts or draft, and with layers of one half."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from simulator import kernels as kn
from simulator.cost.explain import explain_prefill, explain_round
from simulator.cost.forward import draft_operators, target_operators
from simulator.cost.operator import ONE, D, Operator, T
from simulator.facts.deployment import Deployment
from simulator.facts.model import Model
from simulator.facts.reading import load_engine, load_hardware
from simulator.serving.replica import build_replica
from simulator.speculation.acceptance import OFF, from_length
from tests.cost.hand import PARAMETERS, Hand, check, product

HBM = 3.35e12  # H100: 989 and 1979 TFLOP/s in BF16 and FP8; one port of 450 GB/s into a switch
BF16, FP8 = 989e12 * 0.45, 1979e12 * 0.35
gemm = functools.partial(product, us=5.0, ns=0.5, speed=HBM * 0.85)
gemm8 = functools.partial(product, us=6.0, ns=0.25, speed=HBM * 0.9)
small = functools.partial(Hand, us=3.0, speed=HBM * 0.375)
cache = functools.partial(Hand, us=11.0, speed=HBM * 0.55)
switch = functools.partial(Hand, speed=450e9 * 0.75)

DENSE: dict[str, Any] = {
    "hidden": 96,
    "vocabulary": 1000,
    "mixers": {"full": {"kind": "attention", "query_heads": 8, "kv_heads": 4, "head_dim": 12}},
    "feed_forwards": {"mlp": {"kind": "dense", "intermediate": 160}},
    "layers": [{"count": 5, "mixer": "full", "feed_forward": "mlp"}],
}
HALVES: dict[str, Any] = {
    "hidden": 96,
    "vocabulary": 1000,
    "mixers": {
        "full": {"kind": "attention", "query_heads": 8, "kv_heads": 4, "head_dim": 12, "value_dim": 20},
        "net": {
            "kind": "gated_delta_net",
            "key_heads": 4,
            "key_dim": 8,
            "value_heads": 4,
            "value_dim": 8,
            "conv_kernel": 4,
        },
    },
    "feed_forwards": {
        "mlp": {"kind": "dense", "intermediate": 160, "gated": False},
        "moe": {"kind": "experts", "experts": 8, "top_k": 2, "intermediate": 64, "latent": 48},
    },
    "layers": [
        {"count": 2, "mixer": "full", "feed_forward": "mlp"},
        {"count": 3, "mixer": "net"},
        {"count": 4, "feed_forward": "moe"},
        {"count": 1, "mixer": "full", "feed_forward": "moe"},
    ],
    "draft": {"kind": "mtp", "layers": 1, "mixer": "full", "feed_forward": "mlp"},
}


def deploy(shape: dict[str, Any], formats: dict[str, str] | None = None, **changes: Any) -> Deployment:
    experts = any(one["kind"] == "experts" for one in shape["feed_forwards"].values())
    made = {"attention": "bf16"} | ({"routed_experts": "bf16"} if experts else {}) | (formats or {})
    checkpoint = {"repository": "", "precision": "bf16", "source": "", **made}
    model = Model.model_validate({"name": "small", "source": "", "checkpoints": {"one": checkpoint}, **shape})
    base = {"hardware": load_hardware("h100"), "model": model, "engine": load_engine("vllm"), "checkpoint": "one"}
    return Deployment.model_validate(base | {"tp": 4} | changes)


def find(operators: list[Operator], name: str) -> Operator:
    (found,) = [op for op in operators if op.name == name]
    return found


def counts(operators: list[Operator]) -> dict[str, float]:
    out: dict[str, float] = {}
    for op in operators:
        out[op.name] = out.get(op.name, 0.0) + op.count
    return out


def test_a_dense_model_by_hand() -> None:
    """6 requests with 50 cached tokens on four GPUs: 2 query heads, one KV head, 40 columns of FP8 matrices each."""
    expected = {
        "attention qkv": gemm(5, k=96, flops=2 * 6 * 96 * 48, rate=BF16, read=2 * (96 * 48 + 6 * (96 + 48))),
        "attention (KV cache)": cache(5, flops=6 * 50 * 4 * 24, rate=989e12 * 0.25, read=(6 * 50 + 6) * 2 * 12 * 2),
        "attention out": gemm(5, k=24, flops=2 * 6 * 24 * 96, rate=BF16, read=2 * (24 * 96 + 6 * (24 + 96))),
        "attention norm, rope, gate": small(2 * 5, read=6 * 4 * 24 * 2),
        "dense up, gate": gemm8(5, k=96, flops=2 * 6 * 96 * 80, rate=FP8, read=96 * 80 + 2 * 6 * (96 + 80)),
        "dense norm, activation": small(2 * 5, read=6 * 3 * 40 * 2),
        "dense down": gemm8(5, k=40, flops=2 * 6 * 40 * 96, rate=FP8, read=40 * 96 + 2 * 6 * (40 + 96)),
        "lm head": gemm(1, k=96, flops=2 * 6 * 96 * 250, rate=BF16, read=2 * (96 * 250 + 6 * (96 + 250))),
        "logits all-gather": switch(1, us=12 + 4, sent=6 * 1000 * 2 * 3 / 4),
        "all-reduce": switch(10, us=12 + 4, sent=6 * 2 * 96 * 2 * 3 / 4),
    }
    d = deploy(DENSE, {"dense": "fp8"})
    account = explain_round(d, OFF, PARAMETERS, 6, 50)
    check(account, "decode", expected)
    assert account.loads["decode"].distinct == 0.0
    plan = build_replica(d, OFF, PARAMETERS)
    assert kn.round_time(plan.target, plan.draft, plan.constants, 6, 300) == pytest.approx(account.seconds, rel=1e-12)
    prefill = explain_prefill(d, OFF, PARAMETERS, 2, 64)
    tables = plan.target, plan.draft, plan.constants
    seconds = kn.prefill_time(*tables, 128.0, 2.0, 2 * 0.5 * 64 * 64, 0.0, 0.0, 0.0)
    assert seconds == pytest.approx(prefill.seconds, rel=1e-12)
    assert draft_operators(d, PARAMETERS) == []


def test_layers_of_one_half_by_hand() -> None:
    """Ten layers, of which four have no mixer and three no feed-forward: 6 + 7 all-reduces."""
    ops = target_operators(deploy(HALVES), PARAMETERS)
    found = counts(ops)
    assert found["all-reduce"] == 13
    assert (found["attention out"], found["gdn out"]) == (3, 3)
    assert (found["dense up"], found["dense down"], found["moe routed experts"]) == (2, 2, 5)
    assert "dense up, gate" not in found
    assert find(ops, "dense up").bytes[ONE] == 96 * 40 * 2
    # values of 20 channels: 2 query heads and one KV head on each GPU
    assert find(ops, "attention qkv").bytes[ONE] == 96 * (2 * 12 + 12 + 20) * 2
    assert find(ops, "attention out").bytes[ONE] == 2 * 20 * 96 * 2
    core = find(ops, "attention (KV cache)")
    assert (core.bytes[T], [*core.flops.values()]) == ((12 + 20) * 2, [2 * 2 * (12 + 20)])


def test_experts_in_a_latent_width_by_hand() -> None:
    """Experts of 3 x 48 x 64 between two projections that every GPU has whole; no shared expert, so three kernels."""
    ops = target_operators(deploy(HALVES), PARAMETERS)
    assert find(ops, "moe to latent").bytes[ONE] == find(ops, "moe from latent").bytes[ONE] == 96 * 48 * 2
    experts = find(ops, "moe routed experts")
    assert experts.bytes == {D: 3 * 48 * 64 * 2 / 4, ONE: 0.0}
    assert experts.flops == {T: 2 * 3 * 48 * 64 * 2 / 4}
    assert find(ops, "moe sort and quantise").bytes == {T: 2 * 48 * 2}
    assert find(ops, "moe top-k, gate, add").count == 3 * 5


def test_ranks_gather_for_each_kind_of_feed_forward() -> None:
    found = counts(target_operators(deploy(HALVES, dp=2), PARAMETERS))
    assert (found["all-gather to experts"], found["reduce-scatter from experts"]) == (5, 5)
    assert (found["all-gather to dense"], found["reduce-scatter from dense"]) == (2, 2)
    assert found["all-reduce in attention group"] == 6
    dense = counts(target_operators(deploy(DENSE, dp=4), PARAMETERS))
    assert dense["all-gather to dense"] == 5
    assert not {"all-gather to experts", "all-reduce in attention group"} & dense.keys()


def test_a_draft_of_dense_layers() -> None:
    d = deploy(HALVES, {"draft_dense": "fp8"})
    ops = draft_operators(d, PARAMETERS)
    found = counts(ops)
    assert (found["draft projection"], found["dense up"], found["all-reduce"]) == (1, 1, 2)
    assert not any("moe" in name for name in found)
    assert find(ops, "dense down").bytes[ONE] == 40 * 96  # FP8
    plan = build_replica(d, from_length(1.5, 1), PARAMETERS)
    account = explain_round(d, from_length(1.5, 1), PARAMETERS, 3, 40)
    assert kn.round_time(plan.target, plan.draft, plan.constants, 3, 120) == pytest.approx(account.seconds, rel=1e-12)
