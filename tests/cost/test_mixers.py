"""Operators of latent, compressed and block-sparse attention, of indexes, Kimi delta attention and Mamba-2, by hand."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import pytest

from simulator import kernels as kn
from simulator.cost.account import Account
from simulator.cost.explain import explain_prefill, explain_round
from simulator.cost.forward import target_operators
from simulator.cost.operator import KV, QK, Operator, Part, T, launches, table
from simulator.facts.deployment import Deployment
from simulator.facts.model import Model
from simulator.facts.reading import load_engine, load_hardware, load_model
from simulator.serving.replica import build_replica
from simulator.speculation.acceptance import OFF, from_length
from tests.cost.hand import PARAMETERS, Hand, check, product

HBM = 3.35e12  # H100: 989 and 1979 TFLOP/s in BF16 and FP8; one port of 450 GB/s into a switch
BF16, FP8 = 989e12 * 0.45, 1979e12 * 0.35
gemm = functools.partial(product, us=5.0, ns=0.5, rate=BF16, speed=HBM * 0.85)
small = functools.partial(Hand, us=3.0, speed=HBM * 0.375)
cache = functools.partial(Hand, us=11.0, rate=989e12 * 0.25, speed=HBM * 0.55)
cache8 = functools.partial(Hand, us=13.0, rate=1979e12 * 0.2, speed=HBM * 0.525)
delta = functools.partial(Hand, us=8.0, rate=989e12 * 0.1, speed=HBM * 0.65)
switch = functools.partial(Hand, us=12 + 4, speed=450e9 * 0.75)
chosen = functools.partial(Hand, us=3.0, speed=HBM * 0.125)

MLA: dict[str, Any] = {
    "kind": "latent_attention",
    "query_heads": 8,
    "query_rank": 48,
    "kv_rank": 32,
    "nope_dim": 12,
    "rope_dim": 8,
    "value_dim": 10,
}
INDEX = {"heads": 4, "dim": 16, "top_k": 40}
COMPRESSED: dict[str, Any] = {
    "kind": "compressed_attention",
    "query_heads": 8,
    "head_dim": 16,
    "rope_dim": 8,
    "query_rank": 48,
    "output_groups": 4,
    "output_rank": 24,
    "window": 20,
    "ratio": 4,
}
BLOCKS = {"index_heads": 2, "index_dim": 16, "block": 8, "top_blocks": 3, "local_blocks": 1}
SPARSE: dict[str, Any] = {"kind": "attention", "query_heads": 8, "kv_heads": 4, "head_dim": 12, "blocks": BLOCKS}
KDA: dict[str, Any] = {"kind": "kimi_delta", "heads": 8, "head_dim": 16, "conv_kernel": 4}
MAMBA: dict[str, Any] = {
    "kind": "mamba2",
    "heads": 8,
    "head_dim": 12,
    "state_dim": 16,
    "groups": 2,
    "conv_kernel": 4,
}


def deploy(*mixers: tuple[int, dict[str, Any]], moe: bool = False, **changes: Any) -> Deployment:
    """Layers of some mixers and nothing else, or experts behind each; 96 channels, 1000 tokens, 16-bit weights."""
    fed: dict[str, Any] = {"moe": {"kind": "experts", "experts": 8, "top_k": 2, "intermediate": 64}} if moe else {}
    shape = {
        "name": "small",
        "source": "",
        "hidden": 96,
        "vocabulary": 1000,
        "mixers": {f"mixer{i}": shape for i, (_, shape) in enumerate(mixers)},
        "feed_forwards": fed,
        "layers": [
            {"count": count, "mixer": f"mixer{i}", "feed_forward": "moe" if moe else "none"}
            for i, (count, _) in enumerate(mixers)
        ],
    }
    checkpoint = {"repository": "", "precision": "bf16", "source": "", "attention": "bf16", "routed_experts": "bf16"}
    model = Model.model_validate(shape | {"checkpoints": {"one": checkpoint}})
    base = {"hardware": load_hardware("h100"), "model": model, "engine": load_engine("vllm"), "checkpoint": "one"}
    return Deployment.model_validate(base | {"tp": 4} | changes)


def matrix(count: float, rows: float, k: int, n: float, copies: float = 1.0) -> Hand:
    """A product of ``rows`` with 16-bit weights k x n, or with several of those."""
    read = 2 * copies * (k * n + rows * (k + n))
    return gemm(count, k=k, flops=2 * copies * rows * k * n, read=read)


def head(rows: float, gpus: int) -> dict[str, Hand]:
    found = {"lm head": matrix(1, rows, 96, 1000 / gpus)}
    if gpus > 1:
        sent = rows * 1000 * 2 * (gpus - 1) / gpus
        found["logits all-gather"] = switch(1, us=12 + 4 * math.log2(gpus / 2), sent=sent)
    return found


def reduced(count: int, rows: float, gpus: int) -> dict[str, Hand]:
    us = 12 + 4 * math.log2(gpus / 2)
    return {"all-reduce": switch(count, us=us, sent=rows * 2 * 96 * 2 * (gpus - 1) / gpus)}


def hidden(pair: float, key: float) -> float:
    """Seconds of reading a key of so many bytes that the arithmetic of a pair of so many FLOPs hides."""
    return min(key / (HBM * 0.55), pair / (989e12 * 0.25))


def agrees(d: Deployment, account: Account, batch: float, context: float) -> None:
    """The kernels take as long for this decode round."""
    plan = build_replica(d, OFF, PARAMETERS)
    seconds = kn.round_time(plan.target, plan.draft, plan.constants, batch, batch * context)
    assert seconds == pytest.approx(account.seconds, rel=1e-12)


def prefill(d: Deployment, prompts: int, tokens: int, cached: int) -> Account:
    """The account of a prefill pass, which the kernels take as long for."""
    account = explain_prefill(d, OFF, PARAMETERS, prompts, tokens, cached)
    plan = build_replica(d, OFF, PARAMETERS)
    pairs, again = prompts * tokens * (cached + tokens / 2), float(prompts * cached)
    tables = plan.target, plan.draft, plan.constants
    seconds = kn.prefill_time(*tables, float(prompts * tokens), float(prompts), pairs, again, 0.0, 0.0)
    assert seconds == pytest.approx(account.seconds, rel=1e-12)
    return account


@pytest.mark.parametrize(("tp", "dp"), [(1, 1), (4, 1), (4, 4), (8, 1)])
def test_latent_attention_decodes_on_the_latent(tp: int, dp: int) -> None:
    """8 requests of 50 cached tokens; every GPU reads the whole latents, of 40 channels, of the requests of its rank.

    A head's query of 12 + 8 channels becomes one of 32 + 8, and what it sums are latents of 32; tiles are of 16 heads.
    """
    d = deploy((5, MLA), tp=tp, dp=dp)
    rows, heads = 8 / dp, 8 * dp // tp
    pair = 2 * 16 * (40 + 32)
    expected = {
        "mla down": matrix(5, rows, 96, 48 + 32 + 8),
        "mla query up": matrix(5, rows, 48, heads * 20),
        "mla absorb keys": matrix(5, rows, 12, 32, heads),
        "mla (latent cache)": cache(
            5, flops=rows * 50 * pair, read=(rows * 50 + rows) * 40 * 2, hidden=rows * 50 * hidden(pair, 80)
        ),
        "mla absorb values": matrix(5, rows, 32, 10, heads),
        "mla out": matrix(5, rows, heads * 10, 96),
        "mla norm, rope, gate": small(3 * 5, read=rows * 2 * (88 + heads * 20) * 2),
        **head(8, tp),
        **(reduced(5, 8, tp) if tp > 1 and dp == 1 else {}),
    }
    account = explain_round(d, OFF, PARAMETERS, 8, 50)
    check(account, "decode", expected)
    agrees(d, account, 8, 50)


@pytest.mark.parametrize(("tp", "dp"), [(1, 1), (4, 1), (4, 4)])
def test_latent_attention_prefills_with_keys_and_values(tp: int, dp: int) -> None:
    """Two prompts of 64 new tokens, and 32 that an earlier pass cached: keys of 20, values of 10 for each head.

    They are made of the latents of old and new tokens, and each pair takes 2 x (20 + 10) FLOPs a head.
    """
    d = deploy((5, MLA), tp=tp, dp=dp)
    rows, old, heads = 128 / dp, 64 / dp, 8 * dp // tp
    made, out = heads * (12 + 10), heads * (20 + 10)
    expected = {
        "mla down": matrix(5, rows, 96, 88),
        "mla query up": matrix(5, rows, 48, heads * 20),
        "mla keys, values up": gemm(
            5,
            k=32,
            flops=2 * (rows + old) * 32 * made,
            read=2 * 32 * made + rows * (2 * (32 + made) + 80) + old * (80 + 2 * made),
        ),
        "mla (keys, values)": cache(5, flops=128 * 64 / dp * 2 * out, read=(rows + old) * out * 2),
        "mla out": matrix(5, rows, heads * 10, 96),
        "mla norm, rope, gate": small(3 * 5, read=rows * 2 * (88 + heads * 20) * 2),
        **head(2, tp),
        **(reduced(5, 128, tp) if tp > 1 and dp == 1 else {}),
    }
    check(prefill(d, 2, 64, 32), "prefill", expected)


def test_both_forms_in_a_pass_that_decode_rides_along_with() -> None:
    """The tokens of prompts in one form, those that decode in the other: a pass takes what both take, less what it has
    once."""
    d = deploy((5, MLA))
    plan = build_replica(d, OFF, PARAMETERS)
    tables = plan.target, plan.draft, plan.constants
    both = kn.prefill_time(*tables, 128.0, 2.0, 128 * 64.0, 64.0, 8.0, 400.0)
    alone = explain_prefill(d, OFF, PARAMETERS, 2, 64, 32), explain_round(d, OFF, PARAMETERS, 8, 50)
    ops = {op.name: op for op in target_operators(d, PARAMETERS)}
    once = 0.0
    for op in ops.values():
        if op.part is Part.WHOLE:
            once += op.count * (op.latency + op.bytes.get(0, 0.0) / op.byte_rate)
    hosts = [next(row.seconds for row in account.rows if row.bound == "host") for account in alone]
    device = sum(account.seconds for account in alone) - sum(hosts) - once
    launched = launches([*ops.values()], 1.0, prompts=True) * 65e-6
    assert both == pytest.approx(max(launched, device) + 2000e-6 + 8 * 6e-6, rel=1e-12)


def test_a_gate_on_the_output_and_queries_without_a_latent() -> None:
    ops = {op.name: op for op in target_operators(deploy((2, MLA | {"output_gate": True})), PARAMETERS)}
    assert ops["mla output gate"].flops == {T: 2 * 96 * 2 * 10}
    assert ops["mla norm, rope, gate"].count == 2 * 4
    ops = {op.name: op for op in target_operators(deploy((2, MLA | {"query_rank": None})), PARAMETERS)}
    assert ops["mla down"].flops == {T: 2 * 96 * 40}
    assert ops["mla query up"].flops == {T: 2 * 96 * 2 * 20}


def indexed(count: int, rows: float, context: float, pairs: float) -> dict[str, Hand]:
    """An index with four heads of 16 on every GPU: keys of 16 bytes and a scale, scores of 4 written and read.

    Of each query all scores are walked, 0.25 us each.
    """
    return {
        "index queries": matrix(count, rows, 48, 64),
        "index keys, weights": matrix(count, rows, 96, 16 + 4),
        "index scores": cache8(count, flops=pairs * 2 * 64, read=(context + rows) * 20 + pairs * 4),
        "index top-k": chosen(count, read=pairs * 4, least=3 + context / rows / 4),
        "index norm, rope": small(3 * count, read=rows * 2 * (64 + 20) * 2),
    }


@pytest.mark.parametrize(("tp", "dp"), [(1, 1), (4, 1), (4, 4)])
@pytest.mark.parametrize(("context", "seen"), [(30, 30), (90, 40)])
def test_an_index_runs_in_some_layers_and_serves_others(tp: int, dp: int, context: int, seen: int) -> None:
    """Three layers with an index and two that share it: all see 40 keys at most, three score every key."""
    d = deploy((3, MLA | {"index": INDEX}), (2, MLA | {"index": INDEX | {"shared": True}}), tp=tp, dp=dp)
    rows = 8 / dp
    pair = 2 * 16 * (40 + 32)
    account = explain_round(d, OFF, PARAMETERS, 8, context)
    found = {row.name: row for row in account.merged()}
    core = found["mla (latent cache)"]
    assert core.flops == pytest.approx(5 * rows * seen * pair)
    assert core.bytes == pytest.approx(5 * (rows * seen + rows) * 80)
    assert core.transfer_seconds == pytest.approx(
        5 * ((rows * seen + rows) * 80 / (HBM * 0.55) - rows * seen * hidden(pair, 80))
    )
    for name, hand in indexed(3, rows, rows * context, rows * context).items():
        row = found[name]
        amounts = (row.count, row.flops, row.bytes, row.message_bytes, row.seconds)
        assert amounts == pytest.approx(hand.row()[:5]), name
    assert found["mla absorb keys"].count == 5
    agrees(d, account, 8, context)


@pytest.mark.parametrize(("heads", "kv", "width", "walk"), [(8, 4, 128, 0.4), (8, 4, 64, 0.0)])
def test_few_sequences_are_walked_in_series(heads: int, kv: int, width: int, walk: float) -> None:
    """Of two requests of 300 tokens with keys of 128 channels each: 11 us and 0.4 us a token, however few the bytes."""
    d = deploy((3, {"kind": "attention", "query_heads": heads, "kv_heads": kv, "head_dim": width}), tp=1)
    account = explain_round(d, OFF, PARAMETERS, 2, 300)
    core = {row.name: row for row in account.merged()}["attention (KV cache)"]
    read = 2 * 301 * 2 * kv * width * 2
    bytes_and_flops = 11 + 1e6 * (read / (HBM * 0.55) + 2 * 300 * 4 * heads * width / (989e12 * 0.25))
    assert core.seconds == pytest.approx(3e-6 * max(11 + 300 * walk, bytes_and_flops))
    assert core.bytes == pytest.approx(3 * read)
    agrees(d, account, 2, 300)


def test_prompts_with_an_index_are_absorbed() -> None:
    """Two prompts of 64 tokens after 32: 128 x 64 pairs are scored, 128 x 40 are attended."""
    d = deploy((5, MLA | {"index": INDEX}))
    found = {row.name: row for row in prefill(d, 2, 64, 32).merged()}
    core = found["mla (latent cache), prompts"]
    assert core.flops == pytest.approx(5 * 128 * 40 * 2 * 16 * (40 + 32))
    assert core.bytes == pytest.approx(5 * (64 + 128) * 80)
    assert found["index top-k"].seconds == pytest.approx(5e-6 * max(3 + 1e6 * 128 * 64 * 4 / (HBM * 0.125), 3 + 32 / 4))
    assert core.transfer_seconds == pytest.approx(core.bytes / (HBM * 0.55))
    assert found["index scores"].flops == pytest.approx(5 * 128 * 64 * 2 * 64)
    assert found["mla absorb values"].flops == pytest.approx(5 * 128 * 2 * 2 * 32 * 10)
    assert not {"mla (latent cache)", "mla (keys, values)", "mla keys, values up"} & found.keys()


@pytest.mark.parametrize(("tp", "heads", "kv", "own"), [(1, 8, 4, 2), (2, 4, 2, 1), (8, 1, 1, 1)])
def test_blocks_of_keys(tp: int, heads: int, kv: int, own: int) -> None:
    """6 requests of 90 tokens, of which a query sees 4 blocks of 8; the index has a key of 16 channels for all."""
    d = deploy((3, SPARSE), tp=tp)
    account = explain_round(d, OFF, PARAMETERS, 6, 90)
    expected = {
        "attention qkv": matrix(3, 6, 96, heads * 12 + 2 * kv * 12),
        "attention (KV cache, blocks)": cache(3, flops=6 * 32 * 4 * heads * 12, read=(6 * 32 + 6) * 2 * kv * 12 * 2),
        "attention out": matrix(3, 6, heads * 12, 96),
        "attention norm, rope, gate": small(2 * 3, read=6 * 4 * heads * 12 * 2),
        "index queries": matrix(3, 6, 96, own * 16),
        "index keys, weights": matrix(3, 6, 96, 16),
        "index scores": cache8(3, flops=6 * 90 * 2 * own * 16, read=(6 * 90 + 6) * 20 + 6 * 90 * 4),
        "index top-k": chosen(3, read=6 * 90 * 4, least=3 + 90 / 4),
        "index norm, rope": small(3 * 3, read=6 * 2 * (own * 16 + 16) * 2),
        **head(6, tp),
        **(reduced(3, 6, tp) if tp > 1 else {}),
    }
    check(account, "decode", expected)
    agrees(d, account, 6, 90)


@pytest.mark.parametrize(("tp", "dp"), [(1, 1), (4, 1), (4, 2)])
def test_compressed_attention(tp: int, dp: int) -> None:
    """8 requests of 100 tokens: the last 20 as they are and all 25 compressed ones, keys of 16 channels for all heads.

    The compressor makes keys and weights of 16 channels; groups of two heads give 24 channels each.
    """
    d = deploy((3, COMPRESSED), tp=tp, dp=dp)
    ranks = tp // dp
    rows, heads, groups = 8 / dp, 8 // ranks, 4 // ranks
    pair = 4 * heads * 16
    account = explain_round(d, OFF, PARAMETERS, 8, 100)
    expected = {
        "compressed attention down": matrix(3, rows, 96, 48 + 16),
        "compressed attention query up": matrix(3, rows, 48, heads * 16),
        "compressed attention (window)": cache(
            3, flops=rows * 20 * pair, read=(rows * 20 + rows) * 32, hidden=rows * 20 * hidden(pair, 32)
        ),
        "compressed attention (compressed)": cache(
            1,
            us=0.0,  # the same kernel
            flops=3 * rows * 25 * pair,
            read=3 * (rows * 25 + rows / 4) * 32,
            hidden=3 * rows * 25 * hidden(pair, 32),
        ),
        "compressed attention groups": matrix(3, rows, 2 * 16, 24, groups),
        "compressed attention out": matrix(3, rows, groups * 24, 96),
        "compressed attention norm, rope": small(3 * 3, read=rows * 2 * (64 + heads * 16) * 2),
        "compressor": matrix(3, rows, 96, 2 * 16),
        **head(8, tp),
    }
    if tp > 1 and dp == 1:
        expected |= reduced(3, 8, tp)
    if dp == 2:  # summed inside a pair, whose rank has half of the tokens
        expected["all-reduce in attention group"] = switch(3, us=12.0, sent=4 * 2 * 96 * 2 / 2)
    check(account, "decode", expected)
    agrees(d, account, 8, 100)


def test_compressed_attention_with_an_index() -> None:
    """Of 300 tokens 75 compressed keys, of which a query sees 40; every one has an index key, made of two parts."""
    d = deploy((3, COMPRESSED | {"index": INDEX}), tp=1)
    found = {row.name: row for row in explain_round(d, OFF, PARAMETERS, 8, 300).merged()}
    assert found["compressed attention (compressed)"].flops == pytest.approx(3 * 8 * 40 * 4 * 8 * 16)
    assert found["compressor"].flops == pytest.approx(3 * 8 * 2 * 96 * 4 * 16)
    scores = found["index scores"]
    assert scores.flops == pytest.approx(3 * 8 * 75 * 2 * 64)
    assert scores.bytes == pytest.approx(3 * (8 * 75 * 20 + 8 / 4 * 20 + 8 * 75 * 4))
    assert found["index top-k"].bytes == pytest.approx(3 * 8 * 75 * 4)
    assert found["index top-k"].seconds == pytest.approx(3 * (3 + 75 / 4) * 1e-6)
    assert found["index keys, weights"].flops == pytest.approx(3 * 8 * 2 * 96 * (4 * 16 + 4))
    plain = target_operators(deploy((3, COMPRESSED | {"ratio": None}), tp=1), PARAMETERS)
    assert not {"compressor", "compressed attention (compressed)"} & {op.name for op in plain}


@pytest.mark.parametrize(("tp", "dp"), [(1, 1), (4, 1), (4, 2)])
def test_kimi_delta(tp: int, dp: int) -> None:
    """A state of 16 x 16 a head, read and written once, and convolutions over three tokens; gates of rank 16."""
    d = deploy((3, KDA), tp=tp, dp=dp)
    ranks = tp // dp
    rows, heads = 8 / dp, 8 // ranks
    width = heads * 16
    copy = heads * 16 * 16 * 2 + 3 * 3 * width * 2
    account = explain_round(d, OFF, PARAMETERS, 8, 100)
    expected = {
        "kda qkv, gate": matrix(3, rows, 96, 3 * width),
        "kda beta, gates down": matrix(3, rows, 96, heads + 2 * 16),
        "kda gates up": matrix(3, rows, 16, width, 2),
        "kda delta rule (state)": delta(
            3,
            flops=rows * heads * (6 * 16 * 16 + 64 * 5 * 16),
            read=rows * 2 * copy + rows * 5 * width * 2,
        ),
        "kda out": matrix(3, rows, width, 96),
        "kda convolution, norm, gate": small(3 * 3, read=rows * 6 * width * 2),
        **head(8, tp),
    }
    if tp > 1 and dp == 1:
        expected |= reduced(3, 8, tp)
    if dp == 2:
        expected["all-reduce in attention group"] = switch(3, us=12.0, sent=4 * 2 * 96 * 2 / 2)
    check(account, "decode", expected)
    agrees(d, account, 8, 100)


def test_a_full_gate_of_kimi_delta() -> None:
    ops = {op.name: op for op in target_operators(deploy((3, KDA | {"full_rank_gate": True})), PARAMETERS)}
    assert ops["kda qkv, gate"].flops == {T: 2 * 96 * 4 * 32}
    assert ops["kda beta, gates down"].flops == {T: 2 * 96 * (2 + 16)}
    assert ops["kda gates up"].flops == {T: 2 * 16 * 32}


@pytest.mark.parametrize(("tp", "groups"), [(1, 2), (2, 1), (8, 1)])
def test_mamba(tp: int, groups: int) -> None:
    """A state of 12 x 16 a head; B and C of 16 channels for each group, of which a GPU has one at least."""
    d = deploy((3, MAMBA), tp=tp)
    heads, inner = 8 / tp, 96 / tp
    conv = inner + 2 * groups * 16
    copy = (8 * 12 * 16 * 2 + 3 * (96 + 2 * 2 * 16) * 2) / tp
    account = explain_round(d, OFF, PARAMETERS, 6, 100)
    expected = {
        "mamba in": matrix(3, 6, 96, inner + conv + heads),
        "mamba scan (state)": delta(
            3,
            flops=6 * (heads * (4 * 12 * 16 + 128 * 12) + groups * 128 * 16),
            read=6 * 2 * copy + 6 * (conv + inner) * 2,
        ),
        "mamba out": matrix(3, 6, int(inner), 96),
        "mamba convolution, norm, gate": small(3 * 3, read=6 * 2 * (conv + inner) * 2),
        **head(6, tp),
        **(reduced(3, 6, tp) if tp > 1 else {}),
    }
    check(account, "decode", expected)
    agrees(d, account, 6, 100)


@pytest.mark.parametrize("ep", [1, 4])
def test_ranks_of_latent_attention_gather_for_experts(ep: int) -> None:
    """Each of four ranks has a quarter of 8 tokens in attention; for the experts every GPU gets all of them."""
    account = explain_round(deploy((5, MLA), moe=True, dp=4, ep=ep), OFF, PARAMETERS, 8, 50)
    found = {row.name: row for row in account.merged()}
    for name in ("all-gather to experts", "reduce-scatter from experts"):
        assert (found[name].count, found[name].message_bytes) == (5, 5 * 8 * 96 * 2 * 3 / 4)
    busiest = 1.0 if ep == 1 else 1 + 0.25 * 2
    expert = 3 * 96 * 64
    assert found["moe routed experts"].flops == pytest.approx(5 * 8 * 2 * expert * 2 / 4 * busiest)
    assert found["mla (latent cache)"].bytes == pytest.approx(5 * 2 * 51 * 80)
    assert ("moe expert parallelism" in found) == (ep > 1)
    assert not any("all-reduce" in name for name in found)


def test_verification_stays_on_the_latent() -> None:
    """DeepSeek-R1 on eight GPUs drafts one token: 2 x 4 tokens are verified, 16 heads a GPU, in FP8."""
    base = {"hardware": load_hardware("mi355x"), "model": load_model("deepseek-r1"), "engine": load_engine("atom")}
    d = Deployment.model_validate(base | {"checkpoint": "fp8", "tp": 8})
    account = explain_round(d, from_length(1.8, 1), PARAMETERS, 4, 1000)
    rows = {row.group: row for row in account.rows if row.name == "mla (latent cache)"}
    assert rows["verify"].flops == 61 * 4 * 2 * 1000 * 2 * 16 * (576 + 512)
    assert rows["verify"].bytes == 61 * (4 * 1000 * 1.5 + 8) * 576
    assert rows["draft 1"].flops == 4 * 1000 * 2 * 16 * (576 + 512)
    draft = explain_prefill(d, from_length(1.8, 1), PARAMETERS, 1, 512).groups()["draft prefill"]
    names = [row.name for row in draft]
    assert "mla (keys, values)" in names
    assert "mla (latent cache)" not in names


def test_a_table_has_a_row_for_each_part() -> None:
    made: dict[str, Any] = {"resource": "HBM", "count": 1, "latency": 1.0, "flops_rate": 1.0, "byte_rate": 1.0}
    ops = [
        Operator("a", flops={T: 2.0}, **made),
        Operator("b", flops={T: 3.0}, part=Part.PROMPTS, **made),
        Operator("c", flops={T: 5.0}, part=Part.DECODES, window=4.0, **made),
        Operator("d", flops={T: 7.0}, part=Part.PROMPTS, **made),
    ]
    rows = table(ops)
    assert rows[:, [2, 3, 11, 12]].tolist() == [[1, 2, math.inf, 0], [2, 10, math.inf, 1], [1, 5, 4, 2]]
    assert [launches(ops, 1.0, prompts) for prompts in (False, True)] == [2, 3]


def test_reading_that_hides_behind_arithmetic() -> None:
    """Of 4 s to read a key arithmetic hides 3, of 2 s all."""
    made: dict[str, Any] = {"resource": "HBM", "count": 1, "latency": 0.0, "flops_rate": 1.0, "byte_rate": 1.0}
    loads = np.array([1.0, 5.0, 20.0, 0.0, 10.0, 0.0, 0.0])
    for read, hid in ((4.0, 3.0), (2.0, 2.0)):
        op = Operator("a", flops={QK: 3.0}, bytes={KV: read, T: 1.0}, overlaps=True, **made)
        assert op.seconds(loads) == 20 * 3 + 10 * (read - hid) + 5
        assert (op.compute_seconds(loads), op.transfer_seconds(loads)) == (60, 10 * (read - hid) + 5)
