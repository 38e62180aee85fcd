"""The cost model's operators against published kernel times on MI355X, within the stated errors."""

from __future__ import annotations

import csv
from collections.abc import Callable
from importlib import resources

import numpy as np
import pytest

from simulator import kernels as kn
from simulator.cost.forward import target_operators
from simulator.cost.operator import LOADS, D, Operator, T, table
from simulator.cost.parameters import values_of
from simulator.cost.priors import layered
from simulator.facts.deployment import Deployment
from simulator.facts.reading import load_engine, load_hardware, load_model

PUBLISHED = resources.files("simulator") / "measurements" / "published"
with (PUBLISHED / "kernels_mi355x_qwen35.csv").open(encoding="utf-8") as file:
    ROWS = list(csv.DictReader(file))
PRIORS = values_of(layered(load_hardware("mi355x")).known)
EXPERTS, TOP_K, BF16_TOKEN_BYTES = 512, 10, 4096 * 2


def operator(name: str, checkpoint: str, tp: int) -> Operator:
    deployment = Deployment(
        hardware=load_hardware("mi355x"),
        model=load_model("qwen3.5-397b-a17b"),
        checkpoint=checkpoint,
        engine=load_engine("atom"),
        tp=tp,
    )
    return next(op for op in target_operators(deployment, PRIORS) if op.name == name)


def seconds_per_call(op: Operator, tokens: np.ndarray) -> np.ndarray:
    """One call as the kernels price it; routing in the published benchmarks is uniform and random."""
    loads = np.zeros((tokens.size, LOADS))
    loads[:, 0], loads[:, T] = 1.0, tokens
    loads[:, D] = [kn.distinct_experts(EXPERTS, TOP_K, 0.0, t) for t in tokens]
    return np.array([op.seconds(load) for load in loads])


def log_errors(op: Operator, kernel: str, precision: str, tp: int) -> np.ndarray:
    """log(model / measured) at every published size."""
    rows = [r for r in ROWS if (r["kernel"], r["precision"], r["tp"]) == (kernel, precision, str(tp))]
    assert len(rows) >= 7
    # an all-reduce is published by its message; the model's message is one BF16 hidden vector per token
    tokens = [float(r["message_bytes"]) / BF16_TOKEN_BYTES if r["message_bytes"] else float(r["tokens"]) for r in rows]
    return np.log(seconds_per_call(op, np.array(tokens)) * 1e6 / [float(r["time_us"]) for r in rows])


MOE = [
    ("mxfp4", "fused_moe", "MXFP4", 2),
    ("mxfp4", "fused_moe", "MXFP4", 4),
    ("fp8", "fused_moe_with_shared_expert", "FP8", 4),
]
GEMM = [
    ("gdn qkvz", "gemm_gdn_in_proj_qkvz_10240x4096"),
    ("attention qkv", "gemm_attn_qkv_gate_8704x4096"),
    ("gdn out", "gemm_out_proj_4096x4096"),
    ("attention out", "gemm_out_proj_4096x4096"),
]


def errors_of_moe() -> list[np.ndarray]:
    return [
        log_errors(operator("moe routed experts", checkpoint, tp), kernel, precision, tp)
        for checkpoint, kernel, precision, tp in MOE
    ]


def errors_of_gemms() -> list[np.ndarray]:
    return [log_errors(operator(name, "mxfp4", 2), kernel, "BF16", 2) for name, kernel in GEMM]


def errors_of_all_reduce() -> list[np.ndarray]:
    return [log_errors(operator("all-reduce", "mxfp4", tp), "all_reduce", "BF16", tp) for tp in (2, 4)]


@pytest.mark.parametrize(
    ("errors", "rms", "worst"),
    [(errors_of_moe, 0.115, 0.35), (errors_of_gemms, 0.12, 0.23), (errors_of_all_reduce, 0.145, 0.22)],
    ids=["moe", "gemm", "all-reduce"],
)
def test_published_kernel_times(errors: Callable[[], list[np.ndarray]], rms: float, worst: float) -> None:
    found = np.concatenate(errors())
    assert np.sqrt(np.mean(found**2)) < rms
    assert np.abs(found).max() < worst


@pytest.mark.parametrize(("checkpoint", "kernel", "precision", "tp"), MOE)
def test_each_fused_moe_is_centred(checkpoint: str, kernel: str, precision: str, tp: int) -> None:
    errors = log_errors(operator("moe routed experts", checkpoint, tp), kernel, precision, tp)
    assert abs(errors.mean()) < 0.05


def test_a_prefill_chunk_on_two_gpus_is_bound_by_the_link() -> None:
    # facts.md: 8,192 tokens at TP2 spend about 154 ms in all-reduce against about 52 ms in MoE
    tokens = np.array([8192.0])
    reduce, moe = operator("all-reduce", "mxfp4", 2), operator("moe routed experts", "mxfp4", 2)
    assert reduce.count * seconds_per_call(reduce, tokens)[0] == pytest.approx(0.154, rel=0.05)
    assert moe.count * seconds_per_call(moe, tokens)[0] == pytest.approx(0.052, rel=0.05)


def test_the_kernels_price_a_pass_as_the_sum_of_its_operators() -> None:
    ops = [operator(name, "mxfp4", 2) for name in ("moe routed experts", "gdn qkvz", "all-reduce")]
    c = kn.zero(kn.Constants)
    c.experts, c.top_k = EXPERTS, TOP_K
    for tokens in (1.0, 64.0, 8192.0):
        whole = kn.pass_time(table(ops), c, tokens, tokens, 0.0, 0.0, 0.0, 0.0, 0.0)
        parts = sum(op.count * seconds_per_call(op, np.array([tokens]))[0] for op in ops)
        assert whole == pytest.approx(parts, rel=1e-12)
