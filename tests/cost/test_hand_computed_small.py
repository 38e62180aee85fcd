"""Every operator of two small made-up models by hand, of shapes that Qwen3.5 does not have.

The first has more KV heads than GPUs, no output gate, no recurrent layers, no shared expert and two draft layers; the
second fewer KV heads than GPUs and a shared expert of another width than the routed ones.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import pytest

from simulator.cost.explain import explain_prefill, explain_round
from simulator.cost.loads import Routing
from simulator.facts.deployment import Deployment
from simulator.facts.model import Model
from simulator.facts.reading import load_engine, load_hardware
from simulator.facts.weights import weight_bytes_per_gpu
from simulator.speculation.acceptance import OFF, from_length
from tests.cost.hand import PARAMETERS, Hand, check, product

FORMATS = ("routed_experts", "shared_expert", "attention", "gdn", "lm_head", "draft_experts", "draft_dense")


def model(formats: dict[str, str] | None = None, **shape: Any) -> Model:
    """A model with one checkpoint, BF16 but for the given groups."""
    made = dict.fromkeys(FORMATS, "bf16") | (formats or {})
    checkpoint = {"repository": "", "precision": "bf16", "source": "", **made}
    return Model.model_validate({"name": "small", "source": "", "checkpoints": {"one": checkpoint}, **shape})


PLAIN: dict[str, Any] = {
    "hidden": 96,
    "layers": 3,
    "full_attention_every": 1,
    "vocabulary": 1000,
    "attention": {"query_heads": 16, "kv_heads": 8, "head_dim": 10},
    "moe": {"experts": 8, "top_k": 2, "intermediate": 64, "shared_intermediate": 0},
    "mtp_layers": 2,
}
MIXED: dict[str, Any] = {
    "hidden": 40,
    "layers": 6,
    "full_attention_every": 3,
    "vocabulary": 800,
    "attention": {"query_heads": 8, "kv_heads": 2, "head_dim": 12, "output_gate": True},
    "gdn": {"key_heads": 4, "key_dim": 6, "value_heads": 8, "value_dim": 14, "conv_kernel": 3},
    "moe": {"experts": 16, "top_k": 4, "intermediate": 32, "shared_intermediate": 48},
    "mtp_layers": 1,
}


def deploy(shape: Model, hardware: str, engine: str = "vllm", **changes: Any) -> Deployment:
    base = {"hardware": load_hardware(hardware), "model": shape, "engine": load_engine(engine), "checkpoint": "one"}
    if "fused" in changes:
        base["engine"] = load_engine(engine).model_copy(update={"fused_shared_expert": changes.pop("fused")})
    return Deployment.model_validate(base | changes)


HBM = 3.35e12  # H100: 989 and 1979 TFLOP/s in BF16 and FP8, no FP4; one port of 450 GB/s into a switch
BF16 = 989e12 * 0.45
gemm = functools.partial(product, us=5.0, ns=0.5, speed=HBM * 0.85)
gemm8 = functools.partial(product, us=6.0, ns=0.25, speed=HBM * 0.9)
small = functools.partial(Hand, us=3.0, speed=HBM * 0.375)
cache = functools.partial(Hand, us=11.0, speed=HBM * 0.55)
cache8 = functools.partial(Hand, us=13.0, speed=HBM * 0.525)
delta = functools.partial(Hand, us=8.0, speed=HBM * 0.65)
switch = functools.partial(Hand, speed=450e9 * 0.75)


@pytest.mark.parametrize(("group", "layers", "logits"), [("draft extend", 2, 5), ("verify", 3, 10)])
def test_more_kv_heads_than_gpus(group: str, layers: int, logits: int) -> None:
    """5 requests with 30 cached tokens, one draft each: 10 tokens, in the extending draft and in the verification.

    Four GPUs: 4 query heads, 2 KV heads and 16 columns of an expert each. MXFP4 experts are computed in BF16, as an
    H100 has no unit for four bits: streaming is MXFP4's, half its speed at 32 columns and
    five eighths of it for unpacking, and compute is BF16's, half its
    rate at 128.
    """
    d = deploy(model(formats={"routed_experts": "mxfp4"}, **PLAIN), "h100", tp=4, kv_dtype="fp8", allow_dequant=True)
    pairs = 5 * 30 * 2
    read = 5 * 30 * (1 + 0.5) if group == "verify" else 5 * 30
    independent = 5 + 5 * 0.75
    distinct = 8 * (1 - (6 / 8) ** independent)
    bits = {"us": 10.0, "least": 30.0, "rate": 989e12 * 0.5 * 16 / (16 + 128), "speed": HBM * 0.8 * 16 / 48 * 0.625}
    wide = {"us": 25.0, "least": 55.0, "rate": 989e12 * 0.5 * 16 / (16 + 128), "speed": HBM * 0.6 / 2}
    expert = 3 * 96 * 64
    stored, kernel = (0.53125, bits) if group == "verify" else (2, wide)
    expected = {
        "attention qkv": gemm(
            layers, k=96, flops=2 * 10 * 96 * 80, rate=BF16, read=2 * (96 * 80 + 10 * (96 + 80))
        ),  # queries 4 x 10, keys and values 2 x 2 x 10
        "attention (KV cache)": cache8(
            layers, flops=pairs * 4 * 4 * 10, rate=1979e12 * 0.2, read=(read + 10) * 2 * 2 * 10
        ),
        "attention out": gemm(layers, k=40, flops=2 * 10 * 40 * 96, rate=BF16, read=2 * (40 * 96 + 10 * (40 + 96))),
        "attention norm, rope, gate": small(3 * layers, read=10 * 4 * 40 * 2),
        "moe router": gemm(layers, k=96, flops=2 * 10 * 96 * 8, rate=BF16, read=2 * (96 * 8 + 10 * (96 + 8))),
        "moe sort and quantise": small(layers, us=9.0, read=10 * 2 * 96 * 2),
        "moe routed experts": Hand(
            layers, flops=2 * 10 * 2 * expert / 4, read=distinct * expert / 4 * stored, **kernel
        ),
        "moe top-k, gate, add": small(3 * layers, read=10 * 3 * 96 * 2),  # none for a shared expert
        "lm head": gemm(1, k=96, flops=2 * logits * 96 * 250, rate=BF16, read=2 * (96 * 250 + logits * (96 + 250))),
        "logits all-gather": switch(1, us=12 + 4, sent=logits * 1000 * 2 * 3 / 4),
        "all-reduce": switch(2 * layers, us=12 + 4, sent=10 * 2 * 96 * 2 * 3 / 4),
    }
    if group == "draft extend":
        expected["draft projection"] = gemm(
            2, k=192, flops=2 * 10 * 192 * 96, rate=BF16, read=2 * (192 * 96 + 10 * (192 + 96))
        )
    account = explain_round(d, from_length(1.5, 1), PARAMETERS, 5, 30)
    assert list(account.groups()) == ["draft extend", "verify", "host"]
    check(account, group, expected)


@pytest.mark.parametrize("fused", [False, True])
def test_fewer_kv_heads_than_gpus_and_a_wide_shared_expert(fused: bool) -> None:
    """6 requests with 50 cached tokens on four GPUs: attention in two ranks of two, experts in two groups of two.

    A rank's GPU has 4 query heads, one KV head, 2 key and 4 value heads; a GPU has 16 columns of an expert and 12 of
    the shared one, whose weights are one and a half times those of a routed one.
    """
    formats = dict.fromkeys(("routed_experts", "shared_expert", "gdn"), "fp8")
    d = deploy(model(formats, **MIXED), "h100", fused=fused, tp=4, dp=2, ep=2)
    fp8, expert, distinct = 1979e12 * 0.35, 3 * 40 * 32, 16 * (1 - (12 / 16) ** 6)
    copy = (8 * 6 * 14 * 2 + 2 * (2 * 24 + 112) * 2) / 2
    expected = {
        "attention qkv": gemm(2, k=40, flops=2 * 3 * 40 * 120, rate=BF16, read=2 * (40 * 120 + 3 * (40 + 120))),
        "attention (KV cache)": cache(
            2, flops=6 * 50 / 2 * 4 * 4 * 12, rate=989e12 * 0.25, read=(6 * 50 + 6) / 2 * 2 * 12 * 2
        ),
        "attention out": gemm(2, k=48, flops=2 * 3 * 48 * 40, rate=BF16, read=2 * (48 * 40 + 3 * (48 + 40))),
        "attention norm, rope, gate": small(4 * 2, read=3 * 4 * 48 * 2),
        "gdn qkvz": gemm8(4, k=40, flops=2 * 3 * 40 * 136, rate=fp8, read=40 * 136 + 2 * 3 * (40 + 136)),
        "gdn beta, decay": gemm(4, k=40, flops=2 * 3 * 40 * 8, rate=BF16, read=2 * (40 * 8 + 3 * (40 + 8))),
        "gated delta rule (state)": delta(
            4,
            flops=3 * 4 * (6 * 6 * 14 + 64 * (3 * 6 + 2 * 14)),
            rate=989e12 * 0.1,
            read=6 * 2 / 2 * copy + 3 * (2 * 12 + 2 * 56) * 2,
        ),
        "gdn out": gemm8(4, k=56, flops=2 * 3 * 56 * 40, rate=fp8, read=56 * 40 + 2 * 3 * (56 + 40)),
        "gdn convolution, norm, gate": small(3 * 4, read=3 * 3 * (12 + 56) * 2),
        "moe router": gemm(6, k=40, flops=2 * 6 * 40 * 16, rate=BF16, read=2 * (40 * 16 + 6 * (40 + 16))),
        "moe sort and quantise": small(6, us=9.0, read=6 * 2 * 40 * 2),
        "moe routed experts": Hand(
            6,
            us=20.0,
            least=40.0,
            flops=1.25 * 2 * 6 * (4 + (1.5 if fused else 0)) * expert / 4,
            rate=1979e12 * 0.4 * 16 / (16 + 384),
            read=(1.25 * distinct + (1.5 if fused else 0)) * expert / 4,
            speed=HBM * 0.7 * 16 / (16 + 64),
        ),
        "moe expert parallelism": small(6, us=7.0),
        "moe top-k, gate, add": small((3 if fused else 6) * 6, read=6 * 3 * 40 * 2),
        "lm head": gemm(1, k=40, flops=2 * 6 * 40 * 200, rate=BF16, read=2 * (40 * 200 + 6 * (40 + 200))),
        "logits all-gather": switch(1, us=12 + 4, sent=6 * 800 * 2 * 3 / 4),
        "all-gather to experts": switch(6, us=12 + 4, sent=6 * 40 * 2 * 3 / 4),
        "reduce-scatter from experts": switch(6, us=12 + 4, sent=6 * 40 * 2 * 3 / 4),
        "all-reduce in attention group": switch(6, us=12, sent=3 * 2 * 40 * 2 / 2),
    }
    if not fused:
        expected["shared expert up, gate"] = gemm8(
            6, k=40, flops=2 * 6 * 40 * 24, rate=fp8, read=40 * 24 + 2 * 6 * (40 + 24)
        )
        expected["shared expert down"] = gemm8(
            6, k=12, flops=2 * 6 * 12 * 40, rate=fp8, read=12 * 40 + 2 * 6 * (12 + 40)
        )
    check(explain_round(d, OFF, PARAMETERS, 6, 50), "decode", expected)


def test_whole_attention_on_every_gpu() -> None:
    """Ranks of one GPU have nothing to reduce among themselves, only what the experts need."""
    links = explain_round(deploy(model(**MIXED), "h100", tp=4, dp=4), OFF, PARAMETERS, 4, 50).rows
    assert [row.name for row in links if row.message_bytes] == [
        "logits all-gather",
        "all-gather to experts",
        "reduce-scatter from experts",
    ]


def test_one_gpu_sends_nothing() -> None:
    account = explain_prefill(deploy(model(**MIXED), "h100", tp=1), from_length(2.0, 2), PARAMETERS, 1, 64)
    assert account.message_bytes == 0.0
    assert not [row for row in account.rows if "reduce" in row.name or "gather" in row.name]


@pytest.mark.parametrize("parallel", [{"tp": 1}, {"tp": 4}, {"tp": 4, "ep": 2}, {"tp": 4, "dp": 2}, {"tp": 4, "dp": 4}])
@pytest.mark.parametrize("fused", [False, True])
def test_a_pass_over_all_experts_reads_the_weights_that_memory_holds(parallel: dict[str, int], fused: bool) -> None:
    """So many tokens that every expert is touched, less what their activations add, is every weight once.

    But for norms, convolutions, the embedding, and beta and decay, which the count of memory has in the format of the
    other GDN projections.
    """
    formats = dict.fromkeys(("attention", "gdn", "routed_experts", "shared_expert"), "fp8")
    d = deploy(model(formats | dict.fromkeys(FORMATS[5:], "fp8"), **MIXED), "h100", fused=fused, **parallel)
    held = weight_bytes_per_gpu(d, draft=True)
    parameters = PARAMETERS | {"moe.ep_imbalance": 1.0}
    few, many = (explain_round(d, from_length(2.0, 2), parameters, batch, 0) for batch in (5000, 10000))
    ranks = d.attention_tp

    def read(name: str, group: str) -> float:
        rows = ([r for r in account.rows if (r.group, r.name) == (group, name)] for account in (few, many))
        one, two = (sum(row.bytes for row in found) for found in rows)
        return 2 * one - two  # what does not grow with the tokens

    for draft, group in (("", "verify"), ("draft_", "draft 1")):
        assert read("moe router", group) == pytest.approx(held[f"{draft}router"])
        experts = read("moe routed experts", group)
        if not fused:
            shared = read("shared expert up, gate", group) + read("shared expert down", group)
            assert shared == pytest.approx(held[f"{draft}shared_expert"])
        routed = held["draft_experts" if draft else "routed_experts"]
        assert experts == pytest.approx(routed + (held[f"{draft}shared_expert"] if fused else 0.0))
        attention = read("attention qkv", group) + read("attention out", group)
        norms = (2 if draft == "" else 1) * 2 * 12 / ranks  # memory shards the head norms with the projections
        assert attention == pytest.approx(held[f"{draft}attention"] - norms)
    assert read("draft projection", "draft 1") == pytest.approx(held["draft_fc"])
    assert read("lm head", "verify") == pytest.approx(held["lm_head"])
    gdn = read("gdn qkvz", "verify") + read("gdn out", "verify") + read("gdn beta, decay", "verify") / 2
    rest = 4 * ((2 * 24 + 112) * 3 + 2 * 8 + 14)
    assert gdn == pytest.approx(held["gdn"] - rest / ranks)


def test_routing_of_few_tokens_by_counting() -> None:
    """Two tokens of one request that share a quarter of their experts; popularity of CV^2 1 is exponential."""
    uniform = Routing(experts=6, top_k=2, skew=0.0, correlation=0.25)
    assert uniform.distinct(2, 1) == pytest.approx(6 * (1 - (4 / 6) ** 1.75), rel=1e-12)
    assert Routing(6, 6, 0.0, 0.0).distinct(1, 1) == 6.0
    # gamma popularity of shape 1: missed by n tokens with 1 / (1 + n y), where one token misses with 4/6
    skewed = Routing(experts=6, top_k=2, skew=1.0, correlation=0.0)
    assert skewed.distinct(5, 5) == pytest.approx(6 * (1 - 1 / (1 + 5 * (6 / 4 - 1))), rel=1e-12)
    # and of shape 2: with 1 / (1 + n y)^2
    half = Routing(experts=6, top_k=2, skew=0.5, correlation=0.0)
    assert half.distinct(5, 5) == pytest.approx(6 * (1 - (1 + 5 * (math.sqrt(6 / 4) - 1)) ** -2), rel=1e-12)
