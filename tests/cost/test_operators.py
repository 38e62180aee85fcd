"""Operators by hand from shapes: what each GPU computes, moves and sends, and at which rate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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

QWEN = load_model("qwen3.5-397b-a17b")
P = priors()
FUSING = load_engine("sglang").model_copy(update={"fused_shared_expert": True})


def deploy(hardware: str = "mi355x", **changes: Any) -> Deployment:
    base = {"hardware": load_hardware(hardware), "model": QWEN, "engine": load_engine("sglang"), "checkpoint": "mxfp4"}
    return Deployment.model_validate(base | {"tp": 2} | changes)


def find(operators: list[Operator], name: str) -> Operator:
    return next(op for op in operators if op.name == name)


def target(name: str, **changes: Any) -> Operator:
    return find(target_operators(deploy(**changes), P), name)


def test_gemm_by_hand() -> None:
    """FP8 weights of 64 x 32, and this GPU has a quarter of the tokens: activations of 64 + 32 BF16 values each."""
    op = Rates(deploy(), P).gemm("one", 3, 64, 32, "fp8", share=1 / 4)
    assert op.flops == {T: 2 * 64 * 32 / 4}
    assert op.bytes == {ONE: 64 * 32, T: (64 + 32) * 2 / 4}
    assert op.count == 3
    assert op.latency == pytest.approx(P["dense.latency_us"] * 1e-6)
    assert op.flops_rate == pytest.approx(5033e12 * P["dense.compute_eff"])
    assert op.byte_rate == pytest.approx(8e12 * P["dense.bandwidth_eff"])


def test_weights_that_the_hardware_cannot_compute_are_read_narrow_and_computed_wider() -> None:
    op = Rates(deploy("h100", allow_dequant=True), P).gemm("one", 1, 64, 32, "mxfp4")
    assert op.bytes[ONE] == 64 * 32 * 0.53125
    assert op.flops_rate == pytest.approx(1979e12 * P["dense.compute_eff"])


@pytest.mark.parametrize(("hardware", "share"), [("mi355x", 1 / 4), ("b200", 3 / 4)])
def test_a_collective_of_four_by_hand(hardware: str, share: float) -> None:
    """A mesh has a link to each of three peers, that carries a quarter; a switch port carries three quarters."""
    op = Rates(deploy(hardware), P).collective("one", 1, {T: 1000.0}, 4, passes=2)
    assert op.bytes == {T: pytest.approx(2 * 1000 * share)}
    assert op.latency == pytest.approx((P["comm.latency_us"] + 2 * P["comm.doubling_us"]) * 1e-6)


def test_without_losses_rates_are_the_peaks() -> None:
    ops = target_operators(deploy(), lossless(P))
    assert {op.byte_rate for op in ops if op.resource == "HBM"} == {8e12}
    assert {op.flops_rate for op in ops} == {2516e12, 10066e12}
    assert lossless(P)["dense.latency_us"] == P["dense.latency_us"]


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
    """TP 4 with two expert-parallel groups: the busiest GPU has 1.2 times its quarter; shards are 512 columns wide."""
    op = target("moe routed experts", tp=4, ep=2)
    assert op.bytes == {D: pytest.approx(12_582_912 * 0.53125 / 4 * 1.2), ONE: 0.0}
    assert op.flops == {T: pytest.approx(2 * 12_582_912 * 10 / 4 * 1.2)}
    width = 512 / (512 + P["moe.half_width"])
    assert op.flops_rate == pytest.approx(10066e12 * P["moe.fp4.compute_eff"] * width)


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
    assert {"moe.fp4.bandwidth_eff", "gdn.latency_us", "moe.half_width"} <= watched.seen
    assert not [name for name in watched.seen if name.startswith(("comm.", "moe.fp8.", "moe.bf16.", "host."))]
    assert "moe.ep_imbalance" not in watched.seen
    target_operators(deploy(tp=2, ep=2), watched)
    assert {"moe.ep_imbalance", "comm.latency_us"} <= watched.seen


def test_a_table_is_the_sum_of_its_operators() -> None:
    """One row of all linear operators, one of the kernel with a least time."""
    ops = target_operators(deploy(), P)
    rows = table(ops)
    assert rows.shape == (2, 2 + LOADS)
    loads = np.array([1.0, 7.0, 9000.0, 7.0, 9000.0, 14.0, 60.0])
    linear = sum(op.count * float(loads @ op.row()[2:]) for op in ops if op.floor == 0.0)
    assert float(loads @ rows[0, 2:]) == pytest.approx(linear, rel=1e-12)
    experts = find(ops, "moe routed experts")
    assert rows[1].tolist() == experts.row()
