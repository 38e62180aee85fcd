"""Every operator of Qwen3.5-397B-A17B by hand: FLOPs, bytes, messages and seconds per GPU, from the published shape.

Config.json: hidden 4096; 60 layers, 15 of full attention (32 query heads, 2 KV heads, head dim 256, an output gate) and
45 of Gated DeltaNet (16 key and 64 value heads of 128, convolution of 4); 512 experts, 10 per token, 1024 wide, and a
shared one of 1024; vocabulary 248,320; one MTP layer. An expert has 3 x 4096 x 1024 = 12,582,912 parameters.
"""

from __future__ import annotations

import functools
from typing import Any

import pytest

from simulator import kernels as kn
from simulator.cost.explain import explain_prefill, explain_round
from simulator.facts.deployment import Deployment
from simulator.facts.reading import load_engine, load_hardware, load_model
from simulator.serving.replica import build_replica
from simulator.speculation.acceptance import OFF, Speculation, from_length
from tests.cost.hand import PARAMETERS, Hand, check, product, seconds

MTP = from_length(2.8, 3)
EXPERT = 12_582_912


def deploy(hardware: str, engine: str, checkpoint: str, state: str = "bf16", **changes: Any) -> Deployment:
    made = load_engine(engine).model_copy(update={"state_dtype": state, "fused_shared_expert": True})
    base = {"hardware": load_hardware(hardware), "model": load_model("qwen3.5-397b-a17b"), "engine": made}
    return Deployment.model_validate(base | {"checkpoint": checkpoint} | changes)


def distinct(tokens: float) -> float:
    """Of 512 experts, when each token takes 10 at random: each is missed with 502/512."""
    return 512 * (1 - (502 / 512) ** tokens)


# Achieved rates: HBM of both accelerators 8 TB/s; MI355X 2516, 5033 and 10066 TFLOP/s in BF16, FP8 and FP4, a mesh of
# links of 76.8 GB/s; B200 2250, 4500 and 9000 TFLOP/s, one port of 900 GB/s into a switch.
HBM = 8e12
gemm = functools.partial(product, us=5.0, ns=0.5, speed=HBM * 0.85)
gemm8 = functools.partial(product, us=6.0, ns=0.25, speed=HBM * 0.9)
small = functools.partial(Hand, us=3.0, speed=HBM * 0.375)
cache = functools.partial(Hand, us=11.0, speed=HBM * 0.55)
cache8 = functools.partial(Hand, us=13.0, speed=HBM * 0.525)
delta = functools.partial(Hand, us=8.0, speed=HBM * 0.65)
mesh = functools.partial(Hand, speed=76.8e9 * 0.75)
switch = functools.partial(Hand, speed=900e9 * 0.75)


def kernels_round(deployment: Deployment, speculation: Speculation, batch: float, context: float) -> float:
    """Seconds of a decode round as the kernels have it."""
    plan = build_replica(deployment, speculation, PARAMETERS)
    return kn.round_time(plan.target, plan.draft, plan.constants, batch, batch * context)


def test_plain_decode_on_eight_gpus_of_a_mesh() -> None:
    """16 requests with 1000 cached tokens each; experts MXFP4, the rest BF16, 16-bit KV cache and state.

    Each GPU: 4 query heads, one KV head (two on eight GPUs: replicated), 2 key and 8 value heads, 128 columns of each
    expert, 31,040 of the vocabulary.
    """
    d, dense = deploy("mi355x", "sglang", "mxfp4", tp=8), 2516e12 * 0.45
    copy = (64 * 128 * 128 * 2 + 3 * (2 * 2048 + 8192) * 2) / 8  # a state and its convolution's, of which an eighth
    expected = {
        "attention qkv": gemm(
            15, k=4096, flops=2 * 16 * 4096 * 2560, rate=dense, read=2 * (4096 * 2560 + 16 * (4096 + 2560))
        ),  # queries and gate 2 x 1024, a key and a value 2 x 256
        "attention (KV cache)": cache(
            15, flops=16 * 1000 * 4 * 4 * 256, rate=2516e12 * 0.25, read=(16 * 1000 + 16) * 2 * 256 * 2
        ),
        "attention out": gemm(
            15, k=1024, flops=2 * 16 * 1024 * 4096, rate=dense, read=2 * (1024 * 4096 + 16 * (1024 + 4096))
        ),
        "attention norm, rope, gate": small(4 * 15, read=16 * 4 * 1024 * 2),
        "gdn qkvz": gemm(
            45, k=4096, flops=2 * 16 * 4096 * 2560, rate=dense, read=2 * (4096 * 2560 + 16 * (4096 + 2560))
        ),
        "gdn beta, decay": gemm(
            45, k=4096, flops=2 * 16 * 4096 * 16, rate=dense, read=2 * (4096 * 16 + 16 * (4096 + 16))
        ),
        "gated delta rule (state)": delta(
            45,
            flops=16 * 8 * (6 * 128 * 128 + 64 * (3 * 128 + 2 * 128)),
            rate=2516e12 * 0.1,
            read=16 * 2 * copy + 16 * (2 * 256 + 2 * 1024) * 2,  # read and written once
        ),
        "gdn out": gemm(
            45, k=1024, flops=2 * 16 * 1024 * 4096, rate=dense, read=2 * (1024 * 4096 + 16 * (1024 + 4096))
        ),
        "gdn convolution, norm, gate": small(3 * 45, read=16 * 3 * (256 + 1024) * 2),
        "moe router": gemm(
            60, k=4096, flops=2 * 16 * 4096 * 512, rate=dense, read=2 * (4096 * 512 + 16 * (4096 + 512))
        ),
        "moe sort and quantise": small(60, us=9.0, read=16 * 2 * 4096 * 2),
        "moe routed experts": Hand(
            60,
            us=10.0,
            least=30.0,
            flops=2 * 16 * 10 * EXPERT / 8,
            rate=10066e12 * 0.3 * 128 / (128 + 256),
            read=distinct(16) * EXPERT / 8 * 0.53125,
            speed=HBM * 0.8 * 128 / (128 + 32),
        ),
        "moe top-k, gate, add": small(6 * 60, read=16 * 3 * 4096 * 2),
        "shared expert up, gate": gemm(
            60, k=4096, flops=2 * 16 * 4096 * 256, rate=dense, read=2 * (4096 * 256 + 16 * (4096 + 256))
        ),
        "shared expert down": gemm(
            60, k=128, flops=2 * 16 * 128 * 4096, rate=dense, read=2 * (128 * 4096 + 16 * (128 + 4096))
        ),
        "lm head": gemm(
            1, k=4096, flops=2 * 16 * 4096 * 31040, rate=dense, read=2 * (4096 * 31040 + 16 * (4096 + 31040))
        ),
        "logits all-gather": mesh(1, us=12 + 4 * 2, sent=16 * 248_320 * 2 / 8),
        "all-reduce": mesh(2 * 60, us=12 + 4 * 2, sent=16 * 2 * 4096 * 2 / 8),
    }
    account = explain_round(d, OFF, PARAMETERS, 16, 1000)
    check(account, "decode", expected)
    assert account.seconds == pytest.approx(seconds(expected) + (300 + 6 * 16) * 1e-6)
    assert kernels_round(d, OFF, 16, 1000) == pytest.approx(account.seconds, rel=1e-12)


EP: dict[str, Any] = {"tp": 8, "ep": 4, "kv_dtype": "fp8"}


def test_verification_with_expert_parallelism_behind_a_switch() -> None:
    """4 requests with 2000 cached tokens, 3 drafts each: 16 tokens, of which 4 + 12 x 3/4 route independently.

    FP8 but for router, beta, decay and head; the shared expert is computed as an eleventh one. Groups of two GPUs share
    an expert, 512 columns each; over two doublings of groups the busiest has 1 + 2/4 times its part. States are FP32.
    """
    d, fp8, bf16 = deploy("b200", "sglang", "fp8", "fp32", **EP), 4500e12 * 0.35, 2250e12 * 0.45
    copy = (64 * 128 * 128 * 4 + 3 * (2 * 2048 + 8192) * 2) / 8  # the convolution's state stays BF16
    kv = 4 * 2000 * (1 + 0.5 * 3)  # half of the cache again for each token after the first
    expected = {
        "attention qkv": gemm8(
            15, k=4096, flops=2 * 16 * 4096 * 2560, rate=fp8, read=4096 * 2560 + 2 * 16 * (4096 + 2560)
        ),
        "attention (KV cache)": cache8(
            15, flops=4 * 2000 * 4 * 4 * 4 * 256, rate=4500e12 * 0.2, read=(kv + 16) * 2 * 256
        ),
        "attention out": gemm8(
            15, k=1024, flops=2 * 16 * 1024 * 4096, rate=fp8, read=1024 * 4096 + 2 * 16 * (1024 + 4096)
        ),
        "attention norm, rope, gate": small(4 * 15, read=16 * 4 * 1024 * 2),
        "gdn qkvz": gemm8(45, k=4096, flops=2 * 16 * 4096 * 2560, rate=fp8, read=4096 * 2560 + 2 * 16 * (4096 + 2560)),
        "gdn beta, decay": gemm(
            45, k=4096, flops=2 * 16 * 4096 * 16, rate=bf16, read=2 * (4096 * 16 + 16 * (4096 + 16))
        ),
        "gated delta rule (state)": delta(
            45,
            flops=16 * 8 * (6 * 128 * 128 + 64 * (3 * 128 + 2 * 128)),
            rate=2250e12 * 0.1,
            read=4 * 7 * copy + 16 * (2 * 256 + 2 * 1024) * 2,  # read once, written four times, copied once
        ),
        "gdn out": gemm8(45, k=1024, flops=2 * 16 * 1024 * 4096, rate=fp8, read=1024 * 4096 + 2 * 16 * (1024 + 4096)),
        "gdn convolution, norm, gate": small(3 * 45, read=16 * 3 * (256 + 1024) * 2),
        "moe router": gemm(60, k=4096, flops=2 * 16 * 4096 * 512, rate=bf16, read=2 * (4096 * 512 + 16 * (4096 + 512))),
        "moe sort and quantise": small(60, us=9.0, read=16 * 2 * 4096 * 2),
        "moe routed experts": Hand(
            60,
            us=20.0,
            least=40.0,
            flops=1.5 * 2 * 16 * 11 * EXPERT / 8,
            rate=4500e12 * 0.4 * 512 / (512 + 384),
            read=(1.5 * distinct(13) + 1) * EXPERT / 8,
            speed=HBM * 0.7 * 512 / (512 + 64),
        ),
        "moe expert parallelism": small(60, us=7.0),
        "moe top-k, gate, add": small(3 * 60, read=16 * 3 * 4096 * 2),
        "lm head": gemm(
            1, k=4096, flops=2 * 16 * 4096 * 31040, rate=bf16, read=2 * (4096 * 31040 + 16 * (4096 + 31040))
        ),
        "logits all-gather": switch(1, us=12 + 4 * 2, sent=16 * 248_320 * 2 * 7 / 8),
        "all-reduce": switch(2 * 60, us=12 + 4 * 2, sent=16 * 2 * 4096 * 2 * 7 / 8),
    }
    account = explain_round(d, MTP, PARAMETERS, 4, 2000)
    check(account, "verify", expected)
    drafts = draft(4, 4 * 2000, 4), draft(4, 4 * 2000, 4), draft(16, 4 * 2000 * 4, 13)
    assert account.seconds == pytest.approx(seconds(expected, *drafts) + (300 + 6 * 4 + 70 * 3) * 1e-6)
    assert kernels_round(d, MTP, 4, 2000) == pytest.approx(account.seconds, rel=1e-12)


def draft(t: int, pairs: int, independent: int) -> dict[str, Hand]:
    """A draft pass of that round over ``t`` tokens, with the logits of one for each request.

    The projection of two hidden vectors to one is a plain linear layer: BF16 and whole on every GPU. The cache is read
    once; there is no recurrent state.
    """
    fp8, bf16 = 4500e12 * 0.35, 2250e12 * 0.45
    return {
        "draft projection": gemm(
            1, k=8192, flops=2 * t * 8192 * 4096, rate=bf16, read=2 * (8192 * 4096 + t * (8192 + 4096))
        ),
        "attention qkv": gemm8(
            1, k=4096, flops=2 * t * 4096 * 2560, rate=fp8, read=4096 * 2560 + 2 * t * (4096 + 2560)
        ),
        "attention (KV cache)": cache8(1, flops=pairs * 4 * 4 * 256, rate=4500e12 * 0.2, read=(4 * 2000 + t) * 2 * 256),
        "attention out": gemm8(
            1, k=1024, flops=2 * t * 1024 * 4096, rate=fp8, read=1024 * 4096 + 2 * t * (1024 + 4096)
        ),
        "attention norm, rope, gate": small(4, read=t * 4 * 1024 * 2),
        "moe router": gemm(1, k=4096, flops=2 * t * 4096 * 512, rate=bf16, read=2 * (4096 * 512 + t * (4096 + 512))),
        "moe sort and quantise": small(1, us=9.0, read=t * 2 * 4096 * 2),
        "moe routed experts": Hand(
            1,
            us=20.0,
            least=40.0,
            flops=1.5 * 2 * t * 11 * EXPERT / 8,
            rate=4500e12 * 0.4 * 512 / (512 + 384),
            read=(1.5 * distinct(independent) + 1) * EXPERT / 8,
            speed=HBM * 0.7 * 512 / (512 + 64),
        ),
        "moe expert parallelism": small(1, us=7.0),
        "moe top-k, gate, add": small(3, read=t * 3 * 4096 * 2),
        "lm head": gemm(1, k=4096, flops=2 * 4 * 4096 * 31040, rate=bf16, read=2 * (4096 * 31040 + 4 * (4096 + 31040))),
        "logits all-gather": switch(1, us=12 + 4 * 2, sent=4 * 248_320 * 2 * 7 / 8),
        "all-reduce": switch(2, us=12 + 4 * 2, sent=t * 2 * 4096 * 2 * 7 / 8),
    }


def test_drafts_of_that_round() -> None:
    """One token of each request, twice, then all verified tokens at once."""
    account = explain_round(deploy("b200", "sglang", "fp8", "fp32", **EP), MTP, PARAMETERS, 4, 2000)
    assert list(account.groups()) == ["draft 1", "draft 2", "draft extend", "verify", "host"]
    single, extend = draft(4, 4 * 2000, 4), draft(16, 4 * 2000 * 4, 13)
    check(account, "draft 1", single)
    check(account, "draft 2", single)
    check(account, "draft extend", extend)


def test_prefill_with_attention_in_four_ranks_of_two_gpus() -> None:
    """Two prompts of 512 new tokens after 100 cached ones; FP8 attention, MXFP4 experts with the shared one among them.

    A rank has a quarter of the tokens; each of its two GPUs 16 query heads and one KV head. Experts and head are split
    over all eight, so tokens are gathered for them and their sums scattered, and attention is summed inside the pair.
    """
    d, fp8, bf16 = deploy("mi355x", "atom", "mxfp4-attnfp8", tp=8, dp=4), 5033e12 * 0.35, 2516e12 * 0.45
    pairs = 2 * 512 * (100 + 256)
    copy = (64 * 128 * 128 * 2 + 3 * (2 * 2048 + 8192) * 2) / 2
    expected = {
        "attention qkv": gemm8(
            15, k=4096, flops=2 * 256 * 4096 * 8704, rate=fp8, read=4096 * 8704 + 2 * 256 * (4096 + 8704)
        ),  # queries and gate 2 x 4096, a key and a value 2 x 256
        "attention (KV cache)": cache8(
            15, flops=pairs / 4 * 4 * 16 * 256, rate=5033e12 * 0.2, read=(2 * 100 + 1024) / 4 * 2 * 256
        ),  # ATOM's cache is FP8
        "attention out": gemm8(
            15, k=4096, flops=2 * 256 * 4096 * 4096, rate=fp8, read=4096 * 4096 + 2 * 256 * (4096 + 4096)
        ),
        "attention norm, rope, gate": small(4 * 15, read=256 * 4 * 4096 * 2),
        "gdn qkvz": gemm8(
            45, k=4096, flops=2 * 256 * 4096 * 10240, rate=fp8, read=4096 * 10240 + 2 * 256 * (4096 + 10240)
        ),
        "gdn beta, decay": gemm(
            45, k=4096, flops=2 * 256 * 4096 * 64, rate=bf16, read=2 * (4096 * 64 + 256 * (4096 + 64))
        ),
        "gated delta rule (state)": delta(
            45,
            flops=256 * 32 * (6 * 128 * 128 + 64 * (3 * 128 + 2 * 128)),
            rate=2516e12 * 0.1,
            read=2 * copy / 4 + 256 * (2 * 1024 + 2 * 4096) * 2,  # each prompt leaves one state behind
        ),
        "gdn out": gemm8(45, k=4096, flops=2 * 256 * 4096 * 4096, rate=fp8, read=4096 * 4096 + 2 * 256 * (4096 + 4096)),
        "gdn convolution, norm, gate": small(3 * 45, read=256 * 3 * (1024 + 4096) * 2),
        "moe router": gemm(
            60, k=4096, flops=2 * 1024 * 4096 * 512, rate=bf16, read=2 * (4096 * 512 + 1024 * (4096 + 512))
        ),
        "moe sort and quantise": small(60, us=9.0, read=1024 * 2 * 4096 * 2),
        "moe routed experts": Hand(
            60,
            us=10.0,
            least=30.0,
            flops=2 * 1024 * 11 * EXPERT / 8,
            rate=10066e12 * 0.3 * 128 / (128 + 256),
            read=(distinct(2 + 1022 * 0.75) + 1) * EXPERT / 8 * 0.53125,
            speed=HBM * 0.8 * 128 / (128 + 32),
        ),
        "moe top-k, gate, add": small(3 * 60, read=1024 * 3 * 4096 * 2),
        "lm head": gemm(1, k=4096, flops=2 * 2 * 4096 * 31040, rate=bf16, read=2 * (4096 * 31040 + 2 * (4096 + 31040))),
        "logits all-gather": mesh(1, us=12 + 4 * 2, sent=2 * 248_320 * 2 / 8),
        "all-gather to experts": mesh(60, us=12 + 4 * 2, sent=1024 * 4096 * 2 / 8),
        "reduce-scatter from experts": mesh(60, us=12 + 4 * 2, sent=1024 * 4096 * 2 / 8),
        "all-reduce in attention group": mesh(60, us=12, sent=256 * 2 * 4096 * 2 / 2),
    }
    check(explain_prefill(d, OFF, PARAMETERS, 2, 512, 100), "prefill", expected)


def test_the_draft_prefills_with_it() -> None:
    """All of the draft is BF16, so its shared expert is apart; its projection runs on a rank's own tokens. No tuning
    table of the accelerator has 512 BF16 experts: three quarters of the rate."""
    d, bf16 = deploy("mi355x", "atom", "mxfp4-attnfp8", tp=8, dp=4), 2516e12 * 0.45
    expected = {
        "draft projection": gemm(
            1, k=8192, flops=2 * 256 * 8192 * 4096, rate=bf16, read=2 * (8192 * 4096 + 256 * 12288)
        ),
        "attention qkv": gemm(1, k=4096, flops=2 * 256 * 4096 * 8704, rate=bf16, read=2 * (4096 * 8704 + 256 * 12800)),
        "attention (KV cache)": cache8(
            1, flops=2 * 128 * 356 * 4 * 16 * 256, rate=5033e12 * 0.2, read=(2 * 100 + 1024) / 4 * 2 * 256
        ),
        "attention out": gemm(1, k=4096, flops=2 * 256 * 4096 * 4096, rate=bf16, read=2 * (4096 * 4096 + 256 * 8192)),
        "attention norm, rope, gate": small(4, read=256 * 4 * 4096 * 2),
        "moe router": gemm(1, k=4096, flops=2 * 1024 * 4096 * 512, rate=bf16, read=2 * (4096 * 512 + 1024 * 4608)),
        "moe sort and quantise": small(1, us=9.0, read=1024 * 2 * 4096 * 2),
        "moe routed experts": Hand(
            1,
            us=25.0,
            least=55.0,
            flops=2 * 1024 * 10 * EXPERT / 8,
            rate=2516e12 * 0.5 * 128 / (128 + 128) * 0.75,
            read=distinct(2 + 1022 * 0.75) * EXPERT / 8 * 2,
            speed=HBM * 0.6 * 128 / (128 + 16) * 0.75,
        ),
        "moe top-k, gate, add": small(6, read=1024 * 3 * 4096 * 2),
        "shared expert up, gate": gemm(
            1, k=4096, flops=2 * 1024 * 4096 * 256, rate=bf16, read=2 * (4096 * 256 + 1024 * 4352)
        ),
        "shared expert down": gemm(
            1, k=128, flops=2 * 1024 * 128 * 4096, rate=bf16, read=2 * (128 * 4096 + 1024 * 4224)
        ),
        "lm head": gemm(1, k=4096, flops=2 * 2 * 4096 * 31040, rate=bf16, read=2 * (4096 * 31040 + 2 * 35136)),
        "logits all-gather": mesh(1, us=12 + 4 * 2, sent=2 * 248_320 * 2 / 8),
        "all-gather to experts": mesh(1, us=12 + 4 * 2, sent=1024 * 4096 * 2 / 8),
        "reduce-scatter from experts": mesh(1, us=12 + 4 * 2, sent=1024 * 4096 * 2 / 8),
        "all-reduce in attention group": mesh(1, us=12, sent=256 * 2 * 4096 * 2 / 2),
    }
    account = explain_prefill(d, MTP, PARAMETERS, 2, 512, 100)
    check(account, "draft prefill", expected)
    # kernels of both models: 15 x 7 of attention, 45 x 36 of GDN, whose rule is 30 over chunks, 60 x 6 of experts,
    # 60 x 3 of links, and the head's 2
    target = 15 * (3 + 4) + 45 * (3 + 30 + 3) + 60 * (3 + 3) + 60 * 3 + 2
    draft = 1 + (3 + 4) + (3 + 6 + 2) + 3 + 2
    assert account.seconds == pytest.approx(2000e-6 + 65e-6 * (target + draft))
    assert account.device_seconds < 65e-6 * (target + draft)
    plan = build_replica(d, MTP, PARAMETERS)
    sizes = 1024.0, 2.0, 1024.0 * (100 + 256), 200.0, 0.0, 0.0
    kernels = kn.prefill_time(plan.target, plan.draft, plan.constants, *sizes)
    assert kernels == pytest.approx(account.seconds, rel=1e-12)
