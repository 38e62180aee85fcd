"""Pipeline stages by hand: what a round and a pass take, what a GPU holds, and what is refused."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from simulator import kernels as kn
from simulator.cost.explain import explain_prefill, explain_round
from simulator.errors import InputError
from simulator.facts.deployment import Deployment, check_deployment
from simulator.facts.memory import kv_bytes_per_gpu, state_bytes_per_gpu
from simulator.facts.model import Model
from simulator.facts.reading import load_engine, load_hardware
from simulator.facts.weights import weight_bytes_per_gpu
from simulator.prediction.predict import predict_one
from simulator.serving.replica import build_replica
from simulator.serving.scenario import make_scenario
from simulator.speculation.acceptance import OFF
from tests.cost.hand import PARAMETERS, Hand, check, product

HBM = 3.35e12  # H100: 989 TFLOP/s in BF16; one port of 450 GB/s into a switch
gemm = functools.partial(product, us=5.0, ns=0.5, rate=989e12 * 0.45, speed=HBM * 0.85)
small = functools.partial(Hand, us=3.0, speed=HBM * 0.375)
cache = functools.partial(Hand, us=11.0, rate=989e12 * 0.25, speed=HBM * 0.55)
NET = {"kind": "gated_delta_net", "key_heads": 4, "key_dim": 8, "value_heads": 4, "value_dim": 8, "conv_kernel": 4}
SHAPE: dict[str, Any] = {
    "name": "small",
    "source": "made up",
    "hidden": 96,
    "vocabulary": 1000,
    "mixers": {"full": {"kind": "attention", "query_heads": 8, "kv_heads": 4, "head_dim": 12}},
    "feed_forwards": {"mlp": {"kind": "dense", "intermediate": 160}},
    "layers": [{"count": 5, "mixer": "full", "feed_forward": "mlp"}],
    "checkpoints": {"one": {"repository": "", "precision": "bf16", "source": "", "attention": "bf16"}},
}


def deploy(pp: int, tp: int = 1, **shape: Any) -> Deployment:
    model = Model.model_validate(SHAPE | shape)
    base = {"hardware": load_hardware("h100"), "model": model, "engine": load_engine("vllm"), "checkpoint": "one"}
    return Deployment.model_validate(base | {"tp": tp, "pp": pp})


def matrix(count: float, rows: float, k: int, n: float) -> Hand:
    return gemm(count, k=k, flops=2 * rows * k * n, read=2 * (k * n + rows * (k + n)))


def passed(rows: int, pairs: int, cached: int, logits: int, sent: Hand) -> dict[str, Hand]:
    """Five layers in two stages, three in the one that the other waits for: six in all."""
    return {
        "attention qkv": matrix(6, rows, 96, 96 + 2 * 48),
        "attention (KV cache)": cache(6, flops=pairs * 4 * 8 * 12, read=(cached + rows) * 2 * 48 * 2),
        "attention out": matrix(6, rows, 96, 96),
        "attention norm, rope, gate": small(2 * 6, read=rows * 4 * 96 * 2),
        "dense up, gate": matrix(6, rows, 96, 320),
        "dense norm, activation": small(2 * 6, read=rows * 3 * 160 * 2),
        "dense down": matrix(6, rows, 160, 96),
        "lm head": matrix(1, logits, 96, 1000),
        "hand over to the next stage": sent,
    }


def test_a_round_is_half_of_the_batch_through_both_stages() -> None:
    """Eight requests of 50 tokens: four at a time, whose hidden vectors of 96 channels are handed over once."""
    d = deploy(2)
    sent = Hand(1, us=12.0, sent=4 * 96 * 2, speed=450e9 * 0.75)
    account = explain_round(d, OFF, PARAMETERS, 8, 50)
    check(account, "decode", passed(4, 4 * 50, 4 * 50, 4, sent))
    plan = build_replica(d, OFF, PARAMETERS)
    tables = plan.target, plan.draft, plan.constants
    assert kn.round_time(*tables, 8.0, 400.0) == pytest.approx(account.seconds, rel=1e-12)
    assert kn.round_time(*tables, 1.0, 50.0) == pytest.approx(
        explain_round(d, OFF, PARAMETERS, 1, 50).seconds, rel=1e-12
    )


def test_a_pass_over_prompts_goes_in_pieces() -> None:
    """Two prompts of 64 tokens: one piece takes both stages, and the other follows one stage behind."""
    d = deploy(2)
    sent = Hand(1, us=12.0, sent=64 * 96 * 2, speed=450e9 * 0.75)
    account = explain_prefill(d, OFF, PARAMETERS, 2, 64)
    check(account, "prefill", passed(64, 64 * 32, 0, 1, sent))
    device = sum(row.seconds for row in account.rows if row.group == "prefill")
    launching = 65e-6 * (6 * 5 + 2 * 2 * 6 + 1 + 1)
    assert account.seconds == pytest.approx(2000e-6 + max(device, launching) * 1.5)
    plan = build_replica(d, OFF, PARAMETERS)
    seconds = kn.prefill_time(plan.target, plan.draft, plan.constants, 128.0, 2.0, 128 * 32.0, 0.0, 0.0, 0.0)
    assert seconds == pytest.approx(account.seconds, rel=1e-12)


def test_vectors_are_divided_among_the_gpus_of_a_stage_and_leave_the_node() -> None:
    """Two stages of eight GPUs are two nodes: each GPU sends an eighth over a port of 50 GB/s."""
    row = next(r for r in explain_round(deploy(2, tp=8), OFF, PARAMETERS, 8, 50).rows if "hand over" in r.name)
    assert row.message_bytes == 4 * 96 * 2 / 8
    assert row.transfer_seconds == pytest.approx(4 * 96 * 2 / 8 / (50e9 * 0.75))


def test_what_the_fullest_stage_holds() -> None:
    """Three of five layers, and the lm_head; the embedding is on the first."""
    whole, stage = (weight_bytes_per_gpu(deploy(pp), draft=False) for pp in (1, 2))
    assert stage["dense"] == pytest.approx(whole["dense"] * 3 / 5)
    assert stage["attention"] == pytest.approx(whole["attention"] * 3 / 5)
    assert (stage["lm_head"], "embedding" in stage) == (whole["lm_head"], False)
    assert stage["norms"] == pytest.approx(2 * (3 * 2 * 96 + 96))
    assert kv_bytes_per_gpu(deploy(2), 100) == pytest.approx(100 * 3 * 2 * 48 * 2)
    net = {"mixers": {"net": NET}, "layers": [{"count": 5, "mixer": "net", "feed_forward": "mlp"}]}
    assert state_bytes_per_gpu(deploy(5, **net)) == pytest.approx(state_bytes_per_gpu(deploy(1, **net)) / 5)


def test_predictions_with_stages() -> None:
    """Throughput is per GPU of all stages; more stages serve more at once, later; nothing measured stands behind it."""
    base: dict[str, Any] = {"model": "llama-3.3-70b", "hardware": "h100", "engine": "vllm", "precision": "fp8", "tp": 4}
    found = {}
    for pp in (1, 2, 4):
        scenario = make_scenario(pp=pp, **base)
        for method in ("des", "closed-form"):
            found[pp, method] = predict_one(scenario, [64], method=method, intervals=False).rows[0]
        row = found[pp, "des"]
        rate = row["total_tok_s_gpu"] * 4 * pp
        assert rate == pytest.approx(row["requests_per_s"] * 2 * 922, rel=0.02)
        assert ("pipeline stages" in str(row["scope_reasons"])) == (pp > 1)
        assert found[pp, "closed-form"]["total_tok_s_gpu"] == pytest.approx(row["total_tok_s_gpu"], rel=0.1)
    one, two, four = (found[pp, "des"] for pp in (1, 2, 4))
    assert one["mean_tpot_ms"] > two["mean_tpot_ms"] > four["mean_tpot_ms"]
    assert one["total_tok_s_gpu"] > two["total_tok_s_gpu"] > four["total_tok_s_gpu"]
    assert make_scenario(pp=2, **base).max_concurrency > 2 * make_scenario(**base).max_concurrency


def test_what_is_refused() -> None:
    with pytest.raises(InputError, match="pp 6 exceeds the 5 layers"):
        check_deployment(deploy(6))
    with pytest.raises(InputError, match="drafts with pipeline stages are not priced"):
        make_scenario(pp=2, mtp=3)
    with pytest.raises(InputError, match="--pp: expected a whole number"):
        make_scenario(pp=0)
