"""The account against the compiled kernels, against counts by hand, and against what bounds the hardware.

Account and kernels come from the same operators, so their agreement says nothing about these: that is for
``test_hand_computed.py``. Here it is asked of every engine and parallelism.
"""

from __future__ import annotations

import doctest
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator import kernels as kn
from simulator.cost import bounds, loads
from simulator.cost.account import Account
from simulator.cost.bounds import OperatorCost, account, ridge, shares
from simulator.cost.explain import explain_prefill, explain_round
from simulator.cost.loads import Load, Routing, decode_load, verify_load
from simulator.cost.operator import Operator, T
from simulator.cost.parameters import priors
from simulator.errors import InputError
from simulator.facts.deployment import Deployment
from simulator.facts.reading import load_engine, load_hardware, load_model
from simulator.serving.replica import build_replica
from simulator.speculation.acceptance import OFF, Speculation, from_length

QWEN = load_model("qwen3.5-397b-a17b")
MTP = from_length(2.8, 3)


def deploy(engine: str = "sglang", hardware: str = "mi355x", **changes: Any) -> Deployment:
    base = {"hardware": load_hardware(hardware), "model": QWEN, "engine": load_engine(engine), "checkpoint": "mxfp4"}
    return Deployment.model_validate(base | {"tp": 2} | changes)


def find(result: Account, name: str) -> OperatorCost:
    return next(row for row in result.rows if row.name == name)


def decode_host(deployment: Deployment, spec: Speculation, batch: float) -> float:
    """Seconds: per step, per request, and per draft pass, of which every engine has k (SGLang 2 + extend, ATOM 3)."""
    p = priors()
    return 1e-6 * (p["host.step_us"] + p["host.request_us"] * batch + p["host.draft_us"] * spec.tokens)


@pytest.mark.parametrize("spec", [OFF, from_length(1.5, 1), MTP], ids=["off", "mtp1", "mtp3"])
@pytest.mark.parametrize("engine", ["sglang", "atom", "vllm"])
@pytest.mark.parametrize("changes", [{}, {"checkpoint": "fp8", "tp": 4}, {"tp": 8, "ep": 2, "dp": 4}, {"tp": 1}])
def test_round_is_the_kernels_round(spec: Speculation, engine: str, changes: dict[str, Any]) -> None:
    deployment = deploy(engine, **changes)
    plan = build_replica(deployment, spec, priors())
    for batch, context in ((1, 900.0), (7, 0.0), (64, 8200.0), (300, 1500.0)):
        result = explain_round(deployment, spec, priors(), batch, context)
        kernel = kn.round_time(plan.target, plan.draft, plan.constants, float(batch), batch * context)
        host = decode_host(deployment, spec, batch)
        assert result.device_seconds == pytest.approx(kernel - host, rel=1e-12)
        assert result.seconds == pytest.approx(kernel, rel=1e-12)
        assert find(result, "host").seconds == pytest.approx(host, rel=1e-12)


@pytest.mark.parametrize("spec", [OFF, MTP], ids=["off", "mtp3"])
@pytest.mark.parametrize("engine", ["sglang", "atom", "vllm"])
@pytest.mark.parametrize("changes", [{}, {"checkpoint": "mxfp4-attnfp8", "tp": 4}])
def test_prefill_is_the_kernels_prefill(spec: Speculation, engine: str, changes: dict[str, Any]) -> None:
    deployment = deploy(engine, **changes)
    plan = build_replica(deployment, spec, priors())
    for prompts, tokens, cached in ((1, 8.0, 0.0), (4, 1000.0, 0.0), (1, 8192.0, 0.0), (2, 512.0, 4096.0)):
        result = explain_prefill(deployment, spec, priors(), prompts, tokens, cached)
        pairs = prompts * tokens * (cached + 0.5 * tokens)
        kernel = kn.prefill_time(
            plan.target, plan.draft, plan.constants, prompts * tokens, float(prompts), pairs, prompts * cached, 0.0, 0.0
        )
        device = result.device_seconds
        host = plan.constants.host_prefill + max(0.0, plan.constants.launch - device)
        assert device == pytest.approx(kernel - host, rel=1e-12)
        assert result.seconds == pytest.approx(kernel, rel=1e-12)


@given(st.floats(0, 1e5), st.floats(0, 1), st.floats(0, 20), st.floats(0, 1))
def test_distinct_experts_is_the_kernels(tokens: float, part: float, skew: float, correlation: float) -> None:
    sequences = part * tokens
    independent = sequences + (tokens - sequences) * (1 - correlation)
    kernel = kn.distinct_experts(512.0, 10.0, skew, independent)
    assert Routing(512, 10, skew, correlation).distinct(tokens, sequences) == pytest.approx(
        kernel, rel=1e-12, abs=1e-12
    )


def test_dense_gemm_by_hand() -> None:
    """One token: 2 FLOPs per weight, all in BF16. 16 key and 64 value heads of 128, q k v z, over TP 2."""
    row = find(explain_round(deploy(), OFF, priors(), 1, 1000), "gdn qkvz")
    k, n = 4096, (2 * 16 * 128 + 2 * 64 * 128) / 2
    assert row.count == 45
    assert row.flops == 45 * 2 * k * n
    assert row.bytes == 45 * 2 * (k * n + k + n)
    assert row.intensity == pytest.approx(k * n / (k * n + k + n))
    assert row.peak_flops == 2516e12


def test_experts_of_one_token() -> None:
    """Ten experts of 6.685 MB (facts: 12,582,912 parameters of 0.53125 B) in each of 60 layers, over TP 2."""
    row = find(explain_round(deploy(), OFF, priors(), 1, 1000), "moe routed experts")
    assert row.bytes == pytest.approx(60 * 10 * 12_582_912 * 0.53125 / 2, rel=1e-9)
    assert row.bytes * 2 / 600 == pytest.approx(6.685e6, rel=1e-4)
    assert row.flops == pytest.approx(60 * 10 * 2 * 12_582_912 / 2)
    assert row.peak_flops == 10066e12


def test_all_reduce_messages() -> None:
    """Two per layer of 4096 BF16 values; on a full mesh of n each link carries 2/n of them."""
    for tp in (2, 4, 8):
        row = find(explain_round(deploy(tp=tp), OFF, priors(), 16, 1000), "all-reduce")
        assert row.count == 120
        assert row.message_bytes == pytest.approx(120 * 16 * 4096 * 2 * 2 / tp)
        assert row.bytes == 0.0
        assert row.intensity is None


def test_reading_weights_once() -> None:
    """A large batch reads every expert: the target's bytes tend to the weights plus the state and the KV cache."""
    result = explain_round(deploy(), OFF, dict(priors()) | {"routing.skew": 0.0}, 2000, 0)
    assert find(result, "moe routed experts").bytes == pytest.approx(60 * 6_442_450_944 * 0.53125 / 2, rel=1e-9)


def test_what_bounds() -> None:
    assert explain_round(deploy(), OFF, priors(), 1, 1000).bound_by in {"memory", "floor"}
    assert explain_round(deploy(), OFF, priors(), 256, 1000).bound_by == "memory"
    assert explain_prefill(deploy(tp=1), OFF, priors(), 2, 8192).bound_by == "compute"


def test_one_link_bounds_prefill_at_tp2() -> None:
    """Facts: at TP2 both GPUs share one 76.8 GB/s link; 8,192 tokens spend about 154 ms in all-reduce, 52 in MoE."""
    result = explain_prefill(deploy(), OFF, priors(), 1, 8192)
    assert result.bound_by == "communication"
    assert find(result, "all-reduce").seconds == pytest.approx(0.154, rel=0.1)
    assert find(result, "moe routed experts").seconds == pytest.approx(0.052, rel=0.1)


def test_bound_of_one_operator() -> None:
    load = Load(tokens=100, pairs=0, logits=0, cached=0, transfers=0, distinct=0)
    op: dict[str, Any] = {"name": "x", "count": 3, "latency": 1e-6, "flops_rate": 1e12, "byte_rate": 1e9}
    memory = Operator(resource="HBM", flops={T: 1e3}, bytes={T: 1e3}, **op)
    compute = Operator(resource="HBM", flops={T: 1e9}, bytes={T: 1e3}, **op)
    links = Operator(resource="links", bytes={T: 1e3}, **op)
    floor = Operator(resource="HBM", floor=1e-3, flops={T: 1e3}, bytes={T: 1e3}, **op)
    costs = account([memory, compute, links, floor], load, "pass")
    assert [c.bound for c in costs] == ["memory", "compute", "communication", "floor"]
    assert [c.seconds for c in costs] == pytest.approx([3 * 101.1e-6, 3 * 100101e-6, 3 * 101e-6, 3e-3])
    assert costs[3].floor_seconds == pytest.approx(3 * (1e-3 - 100.1e-6))
    assert sum(c.share for c in shares(costs)) == pytest.approx(1.0)


def test_ridge_point() -> None:
    hardware = load_hardware("mi355x")
    at = ridge(hardware.peak_flops.bf16, hardware.hbm_bandwidth)
    assert at == pytest.approx(314.5)
    assert at * hardware.hbm_bandwidth == pytest.approx(hardware.peak_flops.bf16)


@pytest.mark.parametrize(("batch", "context"), [(1, 100), (64, 1500), (1024, 9000)])
def test_nothing_beats_the_hardware(batch: int, context: int) -> None:
    for result in (
        explain_round(deploy(), MTP, priors(), batch, context),
        explain_prefill(deploy(), MTP, priors(), 2, 8192),
    ):
        assert result.mfu is not None
        assert 0 < result.mfu < 1
        assert 0 < result.mbu < 1
        for row in result.rows:
            assert row.achieved_flops <= (row.peak_flops or 0.0)
            assert row.bytes / row.seconds <= result.hbm_bandwidth


def test_format_of_most_flops() -> None:
    """MI300X computes a stored FP8 in FP8; the FP8 checkpoint has most FLOPs in it."""
    hardware = load_hardware("mi300x")
    result = explain_round(deploy(hardware="mi300x", checkpoint="fp8", tp=8), OFF, priors(), 64, 1000)
    assert result.peak_flops == hardware.peak_flops.fp8


def test_groups_and_totals() -> None:
    result = explain_round(deploy(), MTP, priors(), 8, 1000)
    assert list(result.groups()) == ["draft 1", "draft 2", "draft extend", "verify", "host"]
    assert list(explain_round(deploy("atom"), MTP, priors(), 8, 1000).groups()) == [
        "draft 1",
        "draft 2",
        "draft 3",
        "verify",
        "host",
    ]
    assert list(explain_prefill(deploy(), MTP, priors(), 1, 1000).groups()) == ["prefill", "draft prefill", "host"]
    assert sum(row.share for row in result.rows) == pytest.approx(1.0)
    assert sum(result.parts().values()) == pytest.approx(result.seconds)
    merged = result.merged()
    assert sum(row.seconds for row in merged) == pytest.approx(result.seconds)
    assert sum(row.flops for row in merged) == pytest.approx(result.flops)
    assert {row.group for row in merged} == {"draft", "verify", "host"}
    assert [row.seconds for row in merged] == sorted((row.seconds for row in merged), reverse=True)
    assert result.rows[0].as_row()["bound"] == result.rows[0].bound


def test_decode_is_verify_without_drafts() -> None:
    routing = Routing(512, 10, 0.1, 0.5)
    assert verify_load(routing, 8, 9000, 0, 0.5, 2.0) == decode_load(routing, 8, 9000, 2.0)


@pytest.mark.parametrize(("batch", "context"), [(0, 10), (-1, 10), (float("nan"), 10), (1, -1), (1, float("inf"))])
def test_bad_round(batch: float, context: float) -> None:
    with pytest.raises(InputError, match="expected a finite number"):
        explain_round(deploy(), OFF, priors(), batch, context)


def test_bad_prefill() -> None:
    with pytest.raises(InputError, match="prompts: expected a finite number above 0, found 0"):
        explain_prefill(deploy(), OFF, priors(), 0, 100)
    with pytest.raises(InputError, match=r"exceed one prefill pass of sglang \(chunk_tokens 16384\)"):
        explain_prefill(deploy(), OFF, priors(), 3, 8192)
    with pytest.raises(InputError, match="cached_tokens"):
        explain_prefill(deploy(), OFF, priors(), 1, 100, -1)


def test_examples() -> None:
    for module in (loads, bounds):
        assert doctest.testmod(module).failed == 0


def test_needs_no_numba() -> None:
    code = "import sys, simulator.cost.explain; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("engine", ["sglang", "atom"])
def test_an_account_says_what_each_pass_has_to_do(engine: str) -> None:
    deployment = deploy(engine)
    verify = explain_round(deployment, MTP, priors(), 16, 8192.0)
    assert list(verify.loads) == [name for name in verify.groups() if name != "host"]
    assert (verify.loads["draft 1"].tokens, verify.loads["verify"].tokens) == (16, 64)
    plain = explain_round(deployment, OFF, priors(), 16, 8192.0).loads["decode"]
    p = priors()
    for load, independent in ((plain, 16.0), (verify.loads["verify"], 16 + 48 * (1 - p["routing.correlation"]))):
        assert load.distinct == pytest.approx(kn.distinct_experts(512.0, 10.0, p["routing.skew"], independent))
    assert list(explain_prefill(deployment, MTP, p, 2, 1024.0).loads) == ["prefill", "draft prefill"]
