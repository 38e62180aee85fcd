"""The fused kernel of the routed experts, and a product's start-up, by hand in round parameters.

An expert of Qwen3.5-397B-A17B has 3 x 4096 x 1024 = 12,582,912 parameters; MXFP4 takes 17/32 bytes of each.
"""

from __future__ import annotations

import math
from typing import Any

import pytest

from simulator.cost.forward import target_operators
from simulator.cost.operator import ONE, D, Operator, T
from simulator.cost.priors import layered
from simulator.cost.rates import Rates
from simulator.facts.deployment import Deployment
from simulator.facts.reading import load_engine, load_hardware, load_model
from tests.cost.hand import PARAMETERS

EXPERT = 12_582_912


def deploy(hardware: str = "mi355x", **changes: Any) -> Deployment:
    base = {"hardware": load_hardware(hardware), "model": load_model("qwen3.5-397b-a17b"), "checkpoint": "mxfp4"}
    return Deployment.model_validate({**base, "engine": load_engine("sglang"), "tp": 1, **changes})


def experts(parameters: dict[str, float] = PARAMETERS, **changes: Any) -> Operator:
    return next(op for op in target_operators(deploy(**changes), parameters) if op.name == "moe routed experts")


@pytest.mark.parametrize(
    ("parallel", "columns", "part"),
    [
        ({"tp": 1}, 1024, 1.0),
        ({"tp": 8}, 128, 1 / 8),
        ({"tp": 8, "ep": 2}, 256, 1.25 / 8),
        ({"tp": 8, "ep": 4}, 512, 1.5 / 8),
        ({"tp": 8, "ep": 8}, 1024, 1.75 / 8),
    ],
)
def test_shards_and_groups(parallel: dict[str, int], columns: int, part: float) -> None:
    """Half the bandwidth at 32 columns, half the rate at 256; each doubling of groups adds a quarter to the busiest."""
    op = experts(**parallel)
    assert op.bytes == {D: pytest.approx(EXPERT * 17 / 32 * part), ONE: 0.0}
    assert op.flops == {T: pytest.approx(2 * 10 * EXPERT * part)}
    assert op.byte_rate == pytest.approx(8e12 * 0.8 * columns / (columns + 32))
    assert op.flops_rate == pytest.approx(10066e12 * 0.3 * columns / (columns + 256))
    assert (op.count, op.latency, op.floor) == (60, pytest.approx(10e-6), pytest.approx(30e-6))


def test_half_of_either_rate_at_its_width() -> None:
    """A shard of 128 columns: at half the bandwidth or the rate of a wide one where the width is 128 too."""
    half = experts(PARAMETERS | {"moe.fp4.narrow_width": 128.0, "moe.fp4.half_width": 128.0}, tp=8)
    assert (half.byte_rate, half.flops_rate) == pytest.approx((8e12 * 0.8 / 2, 10066e12 * 0.3 / 2))
    third = experts(PARAMETERS | {"moe.fp4.narrow_width": 256.0, "moe.fp4.half_width": 384.0}, tp=8)
    assert (third.byte_rate, third.flops_rate) == pytest.approx((8e12 * 0.8 / 3, 10066e12 * 0.3 / 4))


def test_streamed_in_one_format_and_computed_in_another() -> None:
    """An H100 has no FP4: streaming, slowed by unpacking, and start-up are MXFP4's, the arithmetic is BF16's."""
    op = experts(hardware="h100", tp=8, allow_dequant=True)
    assert op.byte_rate == pytest.approx(3.35e12 * 0.8 * 128 / (128 + 32) * 0.625)
    assert op.flops_rate == pytest.approx(989e12 * 0.5 * 128 / (128 + 128))
    assert (op.latency, op.floor) == pytest.approx((10e-6, 30e-6))


@pytest.mark.parametrize(("ep", "factor"), [(1, 1.0), (2, 1.25), (4, 1.5), (8, 1.75), (16, 2.0)])
def test_imbalance(ep: int, factor: float) -> None:
    assert Rates.of(deploy(), PARAMETERS).imbalance(ep) == pytest.approx(factor)
    assert Rates.of(deploy(), PARAMETERS | {"moe.ep_imbalance": 1.0}).imbalance(ep) == 1.0
    if ep > 1:
        higher = Rates.of(deploy(), PARAMETERS | {"moe.ep_imbalance": 3.0}).imbalance(ep)
        assert higher == pytest.approx(1 + 2 * math.log2(ep))


def test_what_expert_parallelism_adds() -> None:
    """One start-up in each layer, and no bytes."""
    names = {op.name: op for op in target_operators(deploy(tp=8, ep=4), PARAMETERS)}
    added = names["moe expert parallelism"]
    assert (added.count, added.latency, dict(added.bytes)) == (60, pytest.approx(7e-6), {T: 0.0})
    assert "moe expert parallelism" not in {op.name for op in target_operators(deploy(tp=8), PARAMETERS)}


@pytest.mark.parametrize(
    ("fmt", "latency_us", "depth_ns", "rate", "speed"),
    [
        ("bf16", 5.0, 0.5, 2516e12 * 0.45, 8e12 * 0.85),
        ("fp8", 6.0, 0.25, 5033e12 * 0.35, 8e12 * 0.9),
        ("mxfp4", 7.0, 0.125, 10066e12 * 0.325, 8e12 * 0.95),
    ],
)
@pytest.mark.parametrize("k", [64, 4096, 8192])
def test_a_product_of_each_format_and_depth(
    fmt: Any, latency_us: float, depth_ns: float, rate: float, speed: float, k: int
) -> None:
    """Whatever its width, a call starts up for longer the more input channels it adds up."""
    for n in (32, 10_240):
        op = Rates.of(deploy(), PARAMETERS).gemm("one", 1, k, n, fmt)
        assert op.latency == pytest.approx(latency_us * 1e-6 + k * depth_ns * 1e-9, rel=1e-12)
        assert (op.flops_rate, op.byte_rate) == pytest.approx((rate, speed))


def test_experts_of_no_tuning_table_run_in_a_default_configuration() -> None:
    """The tuner of MI355X has been at these experts in MXFP4 and not in BF16; widths are padded to 256 there, a fused
    shared expert is one more, and where there is no tuner's table nothing is known."""
    found = layered(load_hardware("mi355x"))
    assert not found.untuned("mxfp4", 4096, 512)
    assert found.untuned("bf16", 4096, 512)
    assert not found.untuned("mxfp4", 2880, 128)
    assert not found.untuned("fp8", 6144, 256)
    assert not layered(load_hardware("b200")).untuned("bf16", 4096, 512)
    rates = Rates.of(deploy(), PARAMETERS)
    assert (rates.expert_speed("mxfp4", 4096, 512), rates.expert_speed("bf16", 4096, 512)) == (1.0, 0.75)
