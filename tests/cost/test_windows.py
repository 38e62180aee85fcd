"""A toy model whose layers alternate between the whole context and a window of 100 tokens, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulator import kernels as kn
from simulator.cost.account import Account
from simulator.cost.explain import explain_prefill, explain_round
from simulator.cost.operator import LOADS
from simulator.cost.parameters import priors
from simulator.facts.deployment import Deployment
from simulator.facts.memory import kv_bytes, kv_bytes_per_token, memory_fit
from simulator.facts.model import Model
from simulator.facts.reading import load_engine, load_hardware
from simulator.serving.pools import kv_transfer
from simulator.serving.replica import Replica, build_replica
from simulator.speculation.acceptance import OFF, Speculation, from_length
from simulator.validation.roofs import roofs
from tests.cost.hand import PARAMETERS

MTP = from_length(1.8, 2)
TOY: dict[str, Any] = {
    "name": "toy",
    "source": "made up",
    "hidden": 96,
    "vocabulary": 1000,
    "mixers": {
        "near": {"kind": "attention", "query_heads": 8, "kv_heads": 4, "head_dim": 12, "window": 100, "sinks": True},
        "full": {"kind": "attention", "query_heads": 8, "kv_heads": 2, "head_dim": 12},
    },
    "feed_forwards": {"moe": {"kind": "experts", "experts": 8, "top_k": 2, "intermediate": 64}},
    "layers": [
        {"count": 3, "mixer": "near", "feed_forward": "moe"},
        {"count": 2, "mixer": "full", "feed_forward": "moe"},
    ],
    "draft": {"kind": "mtp", "mixer": "near", "feed_forward": "moe"},
    "checkpoints": {
        "one": {"repository": "", "precision": "bf16", "source": "", "attention": "bf16", "routed_experts": "bf16"}
    },
}
MODEL = Model.model_validate(TOY)


def deploy(engine: str = "vllm", **changes: Any) -> Deployment:
    base = {"hardware": load_hardware("h100"), "model": MODEL, "engine": load_engine(engine), "checkpoint": "one"}
    return Deployment.model_validate(base | {"tp": 2} | changes)


def amounts(account: Account, group: str) -> dict[str, tuple[float, float, float]]:
    """Calls, FLOPs and bytes of the attention over the cache."""
    return {
        row.name.removeprefix("attention (KV cache").strip(", )"): (row.count, row.flops, row.bytes)
        for row in account.rows
        if row.group == group and row.name.startswith("attention (KV cache")
    }


@pytest.mark.parametrize(("context", "seen"), [(60, 60), (100, 100), (250, 100)])
def test_decode_by_hand(context: int, seen: int) -> None:
    """6 requests, two GPUs: 4 query heads each, and 2 or one KV head of 12 channels; keys and values in BF16."""
    found = amounts(explain_round(deploy(), OFF, PARAMETERS, 6, context), "decode")
    assert found == {
        "window": (3, 3 * 6 * seen * 4 * 4 * 12, 3 * 6 * (seen + 1) * 2 * 2 * 12 * 2),
        "": (2, 2 * 6 * context * 4 * 4 * 12, 2 * 6 * (context + 1) * 2 * 12 * 2),
    }


def test_verification_by_hand() -> None:
    """5 requests of 250 tokens, 3 tokens verified each: half the cache again for two of them, so twice."""
    account = explain_round(deploy("sglang"), MTP, PARAMETERS, 5, 250)
    found = amounts(account, "verify")
    assert found["window"] == (3, 3 * 15 * 100 * 4 * 4 * 12, 3 * (5 * 2 * 100 + 15) * 2 * 2 * 12 * 2)
    assert found[""] == (2, 2 * 15 * 250 * 4 * 4 * 12, 2 * (5 * 2 * 250 + 15) * 2 * 12 * 2)
    assert amounts(account, "draft 1") == {"window": (1, 5 * 100 * 4 * 4 * 12, 5 * 101 * 2 * 2 * 12 * 2)}
    assert amounts(account, "draft extend") == {"window": (1, 15 * 100 * 4 * 4 * 12, (5 * 100 + 15) * 2 * 2 * 12 * 2)}


@pytest.mark.parametrize(("tokens", "cached", "seen"), [(80, 0, 40), (400, 0, 100), (400, 600, 100), (64, 32, 64)])
def test_prefill_by_hand(tokens: int, cached: int, seen: int) -> None:
    """Two prompts; a token sees those before it in the mean, or what the window spans."""
    found = amounts(explain_prefill(deploy(), OFF, PARAMETERS, 2, tokens, cached), "prefill")
    read = 2 * min(cached, 100) + 2 * tokens
    assert found["window"] == (3, 3 * 2 * tokens * seen * 4 * 4 * 12, 3 * read * 2 * 2 * 12 * 2)
    whole = 2 * tokens * (cached + tokens / 2)
    assert found[""] == (2, 2 * whole * 4 * 4 * 12, 2 * (2 * cached + 2 * tokens) * 2 * 12 * 2)


def tables(deployment: Deployment, speculation: Speculation) -> Replica:
    return build_replica(deployment, speculation, PARAMETERS)


@pytest.mark.parametrize("engine", ["vllm", "sglang", "atom"])
@pytest.mark.parametrize("speculation", [OFF, MTP])
@pytest.mark.parametrize("context", [0, 99, 100, 5000])
def test_the_kernels_agree_with_the_account(engine: str, speculation: Speculation, context: int) -> None:
    d = deploy(engine)
    plan = tables(d, speculation)
    account = explain_round(d, speculation, PARAMETERS, 7, context)
    seconds = kn.round_time(plan.target, plan.draft, plan.constants, 7.0, 7.0 * context)
    assert seconds == pytest.approx(account.seconds, rel=1e-12)
    account = explain_prefill(d, speculation, PARAMETERS, 3, 200, context)
    pairs, again = 600 * (context + 100.0), 3.0 * context
    seconds = kn.prefill_time(plan.target, plan.draft, plan.constants, 600.0, 3.0, pairs, again, 0.0, 0.0)
    assert seconds == pytest.approx(account.seconds, rel=1e-12)


def test_a_table_has_a_row_for_each_window() -> None:
    """All layers of one window in one row, and the kernel with a least time apart."""
    rows = tables(deploy(), OFF).target
    assert rows[:, 11].tolist() == [np.inf, 100.0, np.inf]
    core = rows[1, 2 : 2 + LOADS]
    assert (core > 0).tolist() == [True, True, True, False, True, False, False]


def test_the_cache_of_a_windowed_layer_is_capped() -> None:
    """Three layers of four KV heads keep 100 tokens, two layers of two keep all; the draft is one more of the first."""
    near, full = 2 * 4 * 12 * 2, 2 * 2 * 12 * 2
    assert kv_bytes_per_token(MODEL, "bf16") == 3 * near + 2 * full
    assert kv_bytes(MODEL, 80, "bf16") == 80 * (3 * near + 2 * full)
    assert kv_bytes(MODEL, 1000, "bf16") == 100 * 3 * near + 1000 * 2 * full
    assert kv_bytes(MODEL, 1000, "bf16", spec_tokens=2) == 100 * 4 * near + 1000 * 2 * full
    # on four GPUs one KV head of the four each, and one of the two
    fit = memory_fit(deploy(tp=4), 1000.0, 0, 5000.0)
    assert fit.kv_per_request == (100 * 3 + 1000 * 2) * 2 * 12 * 2
    assert fit.kv_longest == (100 * 3 + 5000 * 2) * 2 * 12 * 2


def test_the_transfer_between_pools_is_capped() -> None:
    d = deploy()
    transfer = kv_transfer(d, 2, 0, 1e9)
    expected = [kv_bytes(MODEL, tokens, d.kv_format) / 2e9 for tokens in (50.0, 100.0, 3000.0, 50.0)]
    assert transfer.seconds(np.array([50.0, 100.0, 3000.0, 50.0])).tolist() == expected
    assert float(transfer.seconds(3000.0)) == expected[2]


def test_roofs_by_hand() -> None:
    """A round reads 100 tokens of three layers; a prompt of n > w tokens has n w - w^2 / 2 pairs in them."""
    found = roofs(deploy(), 1000, 1000, 0, "bf16")
    n = found.workload.mean_isl
    context = n + 0.5 * found.workload.mean_osl
    assert found.request == pytest.approx((100 * 3 * 192 + context * 2 * 96) / (2 * 3.35e12))
    flops = 4 * 8 * 12 / (2 * 1979e12)
    short = roofs(deploy(), 60, 40, 0)
    few, little = short.workload.mean_isl, short.workload.mean_isl + 0.5 * short.workload.mean_osl
    more = found.token["compute"] - short.token["compute"]
    assert more == pytest.approx((100 * 3 + context * 2 - 5 * little) * flops, rel=1e-6)
    head = 2 * 96 * 1000 / (2 * 989e12)
    body = (short.prompt["compute"] - head - 5 * few**2 / 2 * flops) / few
    more = found.prompt["compute"] - head - n * body
    assert more == pytest.approx((3 * (100 * n - 100**2 / 2) + 2 * n**2 / 2) * flops, rel=1e-6)


def test_a_wide_window_is_none() -> None:
    """The same seconds as without one, to the last digits that a sum of two rows leaves."""
    wide = TOY | {"mixers": {name: {**mixer, "window": 10**7} for name, mixer in TOY["mixers"].items()}}
    none = TOY | {"mixers": {n: {k: v for k, v in m.items() if k != "window"} for n, m in TOY["mixers"].items()}}
    for k in (OFF, MTP):
        plans = [build_replica(deploy(model=Model.model_validate(raw)), k, priors()) for raw in (wide, none)]
        one, two = (kn.round_time(p.target, p.draft, p.constants, 7.0, 70_000.0) for p in plans)
        assert one == pytest.approx(two, rel=1e-14)
