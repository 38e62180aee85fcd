"""Operators by hand from shapes: what each GPU computes, moves and sends, and at which rate."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from simulator.cost.forward import draft_operators, target_operators
from simulator.cost.operator import KV, LOADS, ONE, QK, ST, D, L, Operator, T, table
from simulator.cost.parameters import priors
from simulator.cost.rates import Rates, lossless
from simulator.facts.deployment import Deployment
from simulator.facts.memory import state_bytes
from simulator.facts.reading import load_engine, load_hardware, load_model
from simulator.kernels.passes import work_time

QWEN = load_model("qwen3.5-397b-a17b")
P = priors()
QUANTISING = load_engine("sglang").model_copy(update={"all_reduce_format": "int8"})
FUSING = load_engine("sglang").model_copy(update={"fused_shared_expert": True})


def deploy(hardware: str = "mi355x", **changes: Any) -> Deployment:
    base = {"hardware": load_hardware(hardware), "model": QWEN, "engine": load_engine("sglang"), "checkpoint": "mxfp4"}
    return Deployment.model_validate(base | {"tp": 2} | changes)


def find(operators: list[Operator], name: str) -> Operator:
    return next(op for op in operators if op.name == name)


def target(name: str, **changes: Any) -> Operator:
    return find(target_operators(deploy(**changes), P), name)


def test_gemm_by_hand() -> None:
    """FP8 weights of 64 x 32, and this GPU has a quarter of the tokens: activations of 64 + 32 BF16 values each.

    A call starts within a time that grows with the 64 input channels.
    """
    op = Rates.of(deploy(), P).gemm("one", 3, 64, 32, "fp8", share=1 / 4)
    assert op.flops == {T: 2 * 64 * 32 / 4}
    assert op.bytes == {ONE: 64 * 32, T: (64 + 32) * 2 / 4}
    assert op.count == 3
    assert op.latency == pytest.approx(P["dense.fp8.latency_us"] * 1e-6 + 64 * P["dense.fp8.depth_ns"] * 1e-9)
    assert op.flops_rate == pytest.approx(5033e12 * P["dense.fp8.compute_eff"])
    assert op.byte_rate == pytest.approx(8e12 * P["dense.fp8.bandwidth_eff"])


def test_weights_that_the_hardware_cannot_compute_are_read_narrow_and_computed_wider() -> None:
    op = Rates.of(deploy("h100", allow_dequant=True), P).gemm("one", 1, 64, 32, "mxfp4")
    assert op.bytes[ONE] == 64 * 32 * 0.53125
    assert op.flops_rate == pytest.approx(989e12 * P["dense.bf16.compute_eff"], rel=1e-3)


@pytest.mark.parametrize(("hardware", "share"), [("mi355x", 1 / 4), ("b200", 3 / 4)])
def test_a_collective_of_four_by_hand(hardware: str, share: float) -> None:
    """A mesh has a link to each of three peers, that carries a quarter; a switch port carries three quarters.

    Four are one doubling beyond the two that ``comm.latency_us`` is of.
    """
    op = Rates.of(deploy(hardware), P).collective("one", 1, {T: 1000.0}, 4, passes=2)
    assert op.bytes == {T: pytest.approx(2 * 1000 * share)}
    assert op.latency == pytest.approx((P["comm.latency_us"] + P["comm.doubling_us"]) * 1e-6)


def test_without_losses_rates_are_the_peaks() -> None:
    ops = target_operators(deploy(), lossless(P))
    assert {op.byte_rate for op in ops if op.resource == "HBM"} == {8e12}
    assert {op.flops_rate for op in ops} == {2516e12, 10066e12}
    assert lossless(P)["dense.bf16.latency_us"] == P["dense.bf16.latency_us"]


def test_attention_by_hand() -> None:
    """TP 8 in two ranks of four GPUs: each has 8 of 32 query heads and one of 2 KV heads, for half of the tokens."""
    core = target("attention (KV cache)", tp=8, dp=2)
    assert core.count == 15
    assert core.flops == {QK: 4 * 8 * 256 / 2}
    cached = 2 * 256 * 2 / 2  # a key and a value in BF16
    assert core.bytes == {KV: cached, T: cached}
    qkv = target("attention qkv", tp=8, dp=2)
    assert qkv.bytes[ONE] == 4096 * (2 * 8 * 256 + 2 * 256) * 2  # queries with their gate, a key and a value
    assert target("attention (KV cache)", tp=8, dp=2, kv_dtype="fp8").bytes[KV] == cached / 2


@pytest.mark.parametrize(("tp", "dp"), [(1, 1), (4, 1), (8, 2), (4, 4)])
@pytest.mark.parametrize("dtype", ["bf16", "fp32"])
def test_a_state_that_moves_is_the_state_that_is_kept(tp: int, dp: int, dtype: str) -> None:
    """The transfers of dp requests, one for each rank, move on each GPU its share of one copy."""
    engine = load_engine("sglang").model_copy(update={"state_dtype": dtype})
    core = target("gated delta rule (state)", tp=tp, dp=dp, engine=engine)
    assert core.count * core.bytes[ST] * dp * (tp // dp) == state_bytes(QWEN, dtype)


def test_delta_rule_by_hand() -> None:
    """TP 2: 32 value heads of 128 x 128; chunks of 64 tokens."""
    core = target("gated delta rule (state)")
    assert core.flops == {T: 32 * (6 * 128 * 128 + 64 * (3 * 128 + 2 * 128))}
    assert core.bytes[T] == (2 * 8 * 128 + 2 * 32 * 128) * 2


def test_experts_by_hand() -> None:
    """TP 4 with two expert-parallel groups: the busiest GPU has more than its quarter by one doubling's imbalance.

    Shards are 512 columns wide.
    """
    op = find(target_operators(deploy(tp=4, ep=2), {**P, "moe.ep_imbalance": 1.2}), "moe routed experts")
    assert op.bytes == {D: pytest.approx(12_582_912 * 0.53125 / 4 * 1.2), ONE: 0.0}
    assert op.flops == {T: pytest.approx(2 * 12_582_912 * 10 / 4 * 1.2)}
    width = 512 / (512 + P["moe.fp4.half_width"])
    assert op.flops_rate == pytest.approx(10066e12 * P["moe.fp4.compute_eff"] * width)
    width = 512 / (512 + P["moe.fp4.narrow_width"])
    assert op.byte_rate == pytest.approx(8e12 * P["moe.fp4.bandwidth_eff"] * width)


def test_a_fused_shared_expert_is_always_read_and_has_no_operators_of_its_own() -> None:
    ops = target_operators(deploy(checkpoint="fp8", engine=FUSING), P)
    fused = find(ops, "moe routed experts")
    assert fused.bytes[ONE] == 12_582_912 / 2
    assert fused.flops[T] == 2 * 12_582_912 * 11 / 2
    assert not any(op.name.startswith("shared expert") for op in ops)
    apart = target_operators(deploy(engine=FUSING), P)  # MXFP4 experts, and the shared one in BF16
    assert find(apart, "shared expert up, gate").bytes[ONE] == 4096 * 2 * 512 * 2
    assert find(apart, "shared expert down").bytes[ONE] == 512 * 4096 * 2


def test_draft_by_hand() -> None:
    """One full-attention layer behind a projection of two hidden vectors to one; the target's head."""
    ops = draft_operators(deploy(), P)
    assert find(ops, "draft projection").bytes[ONE] == 2 * 4096 * 4096 * 2
    assert find(ops, "attention (KV cache)").count == find(ops, "moe routed experts").count == 1
    assert find(ops, "all-reduce").count == 2
    assert find(ops, "lm head") == find(target_operators(deploy(), P), "lm head")
    assert find(ops, "logits all-gather").bytes == {L: 248320 * 2 / 2}
    assert not any("delta" in op.name for op in ops)


def test_draft_experts_of_another_format_are_not_fused() -> None:
    """The target's shared expert is MXFP4 as the routed ones are and fused; the draft is BF16."""
    d = deploy(checkpoint="mxfp4-attnfp8", engine=FUSING)
    assert d.fused_shared_expert
    ops = draft_operators(d, P)
    assert find(ops, "moe routed experts").bytes[ONE] == 0.0
    assert find(ops, "shared expert down").count == 1


def test_collectives_of_each_parallelism() -> None:
    def sent(**changes: Any) -> dict[str, tuple[float, float]]:
        ops = target_operators(deploy(**changes), P)
        return {op.name: (op.count, op.bytes[T]) for op in ops if op.resource == "links" and T in op.bytes}

    vector = 4096 * 2
    assert sent(tp=1) == {}
    assert sent(tp=4) == {"all-reduce": (120, 2 * vector / 4)}
    ranks = {"all-gather to experts": (60, vector / 8), "reduce-scatter from experts": (60, vector / 8)}
    assert sent(tp=8, dp=8) == ranks
    assert sent(tp=8, dp=2) == ranks | {"all-reduce in attention group": (60, 2 * vector / 2 / 4)}


class Watched(Mapping[str, float]):
    def __init__(self) -> None:
        self.seen: set[str] = set()

    def __getitem__(self, name: str) -> float:
        self.seen.add(name)
        return P[name]

    def __iter__(self) -> Iterator[str]:
        return iter(P)

    def __len__(self) -> int:
        return len(P)


def test_only_the_parameters_that_matter_are_read() -> None:
    """Intervals leave out what a table did not ask for: other formats, links of one GPU, the balance of one group."""
    watched = Watched()
    target_operators(deploy(tp=1), watched)
    assert {"moe.fp4.bandwidth_eff", "gdn.latency_us", "moe.fp4.half_width"} <= watched.seen
    assert not [name for name in watched.seen if name.startswith(("comm.", "moe.fp8.", "moe.bf16.", "host."))]
    assert not {"moe.ep_imbalance", "moe.ep_latency_us"} & watched.seen
    target_operators(deploy(tp=2, ep=2), watched)
    assert {"moe.ep_imbalance", "moe.ep_latency_us", "comm.latency_us"} <= watched.seen
    assert "comm.codec_eff" not in watched.seen
    target_operators(deploy(engine=QUANTISING), watched)
    assert "comm.codec_eff" in watched.seen


def test_a_table_is_the_sum_of_its_operators() -> None:
    """One row of all linear operators, one of the kernel with a least time."""
    ops = target_operators(deploy(), P)
    rows = table(ops)
    assert rows.shape == (2, 2 + LOADS + 5)
    loads = np.array([1.0, 7.0, 9000.0, 7.0, 9000.0, 14.0, 60.0])
    linear = sum(op.count * op.seconds(loads) for op in ops if op.floor == 0.0)
    assert float(loads @ rows[0, 2:-5]) == pytest.approx(linear, rel=1e-12)
    assert rows[:, -5:].tolist() == [[0.0, math.inf, math.inf, 0.0, 0.0]] * 2
    experts = find(ops, "moe routed experts")
    assert rows[1].tolist() == experts.rows()[0]


def test_a_table_has_a_row_of_linear_operators_for_each_window() -> None:
    """Two rows of all passes merge, two of passes of at least 8 tokens merge, and a kernel with a least time is apart.

    Seconds: 2 (1 + T / 10) + 3 (2 + T / 20) always, 5 (0.5 + T / 4) below 8 tokens, from there 7 and 11 T / 2; and
    13 times at least 4 below 8.
    """
    made: dict[str, Any] = {"resource": "HBM", "flops_rate": 1.0}
    ops = [
        Operator("a", count=2, latency=1.0, byte_rate=10.0, bytes={T: 1.0}, **made),
        Operator("b", count=5, latency=0.5, byte_rate=4.0, bytes={T: 1.0}, most=8.0, **made),
        Operator("c", count=7, latency=1.0, byte_rate=1.0, least=8.0, **made),
        Operator("d", count=3, latency=2.0, byte_rate=20.0, bytes={T: 1.0}, **made),
        Operator("e", count=11, latency=0.0, byte_rate=2.0, bytes={T: 1.0}, least=8.0, **made),
        Operator("f", count=13, latency=0.0, byte_rate=1.0, bytes={T: 1.0}, floor=4.0, most=8.0, **made),
    ]
    rows = table(ops)
    assert rows[:, [0, 1, 9, 10]].tolist() == [
        [1.0, 0.0, 0.0, math.inf],
        [1.0, 0.0, 0.0, 8.0],
        [1.0, 0.0, 8.0, math.inf],
        [13.0, 4.0, 0.0, 8.0],
    ]
    hand = {
        2.0: 2 * 1.2 + 3 * 2.1 + 5 * 1.0 + 13 * 4,
        7.5: 2 * 1.75 + 3 * 2.375 + 5 * 2.375 + 13 * 7.5,
        8.0: 2 * 1.8 + 3 * 2.4 + 7 * 1.0 + 11 * 4.0,
        100.0: 2 * 11.0 + 3 * 7.0 + 7 * 1.0 + 11 * 50.0,
    }
    for tokens, seconds in hand.items():
        loads = np.array([1.0, tokens, 0.0, 0.0, 0.0, 0.0, 0.0])
        assert sum(op.count * op.seconds(loads) for op in ops if op.runs(tokens)) == pytest.approx(seconds, rel=1e-14)
        assert work_time(rows, tokens, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0) == pytest.approx(seconds, rel=1e-14)


def test_first_tokens_at_a_rate_of_their_own() -> None:
    """Seconds: 3 (1 + 2 T + 4 T / 10), the FLOPs of the first 8 tokens at half the rate: 8 x 0.4 more from there on.
    A speed of 1 is no bend, and a window around it stays."""
    made: dict[str, Any] = {"resource": "HBM", "flops_rate": 10.0, "byte_rate": 1.0, "latency": 1.0}
    work: dict[str, Any] = {"flops": {T: 4.0}, "bytes": {T: 2.0}}
    bent = Operator("a", count=3, bend=8.0, first_speed=0.5, **made, **work)
    hand = {2.0: 3 * (5 + 0.8 + 0.8), 8.0: 3 * (17 + 3.2 + 3.2), 20.0: 3 * (41 + 8.0 + 3.2)}
    for tokens, seconds in hand.items():
        loads = np.array([1.0, tokens, 0.0, 0.0, 0.0, 0.0, 0.0])
        assert bent.count * bent.seconds(loads) == pytest.approx(seconds, rel=1e-14)
        assert work_time(table([bent]), tokens, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0) == pytest.approx(seconds, rel=1e-14)
        assert bent.compute_seconds(loads) == pytest.approx(seconds / 3 - 1 - 2 * tokens, rel=1e-14)
    assert len(replace(bent, first_speed=1.0).rows()) == 1
    assert [row[9:11] for row in replace(bent, least=4.0, most=16.0).rows()] == [[4.0, 8.0], [8.0, 16.0]]
    assert [row[9:11] for row in replace(bent, least=9.0).rows()] == [[9.0, math.inf]]


def test_dense_products_bend_at_512_rows_of_each_attention_rank() -> None:
    """A rank of two computes half the tokens of a pass, so 1,024 tokens are its first 512; the head's rows are logits
    and stay in one piece."""
    parameters = {**P, "dense.bf16.first_speed": 0.5}
    whole = find(target_operators(deploy(), parameters), "attention qkv")
    halves = find(target_operators(deploy(dp=2), parameters), "attention qkv")
    head = find(target_operators(deploy(), parameters), "lm head")
    assert (whole.bend, halves.bend, head.bend) == (512.0, 1024.0, math.inf)
    assert whole.first_speed == 0.5


def test_experts_whose_times_include_the_preparation() -> None:
    """No kernel that sorts and quantises, and one elementwise kernel fewer: of six a layer, or of three if fused."""
    bare = {**P, "moe.prep_us": 0.01}
    for engine, kernels in ((load_engine("sglang"), 6), (FUSING, 3)):
        checkpoint = "fp8" if engine is FUSING else "mxfp4"
        d = deploy(checkpoint=checkpoint, engine=engine)
        apart, inside = target_operators(d, P), target_operators(d, bare)
        assert find(apart, "moe sort and quantise").latency == pytest.approx(P["moe.prep_us"] * 1e-6)
        assert {op.name for op in apart} - {op.name for op in inside} == {"moe sort and quantise"}
        assert find(apart, "moe top-k, gate, add").count == 60 * kernels
        assert find(inside, "moe top-k, gate, add").count == 60 * (kernels - 1)
        assert sum(op.count for op in apart) - sum(op.count for op in inside) == 2 * 60
