"""An all-reduce that is quantised from some message size on, by hand, in the account and in the kernels.

Qwen3.5-397B-A17B has two of them in each of 60 layers, of 4096 BF16 values per token: 8 KiB. In INT8, where blocks of
32 values share an FP16 scale, 8.5 of 16 bits travel. Links of an MI355X achieve 76.8 GB/s x 0.75 = 57.6 GB/s, packing
8 TB/s x 0.0075 = 60 GB/s of what is packed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from simulator import kernels as kn
from simulator.cost.account import Account
from simulator.cost.explain import explain_prefill, explain_round
from simulator.cost.forward import target_operators
from simulator.cost.operator import table
from simulator.facts.deployment import Deployment
from simulator.facts.quick_reduce import least_bytes
from simulator.facts.reading import load_engine, load_hardware, load_model
from simulator.kernels.passes import work_time
from simulator.serving.replica import build_replica
from simulator.speculation.acceptance import OFF, Speculation, from_length
from tests.cost.hand import PARAMETERS, Hand

PLAIN, QUANTISED = "all-reduce", "all-reduce, quantised"
MTP = from_length(2.8, 3)
MIB = 2**20
LINKS, PACKING = 57.6e9, 60e9


def deploy(fmt: str = "int8", **changes: Any) -> Deployment:
    engine = load_engine("sglang").model_copy(update={"all_reduce_format": fmt})
    base = {"hardware": load_hardware("mi355x"), "model": load_model("qwen3.5-397b-a17b"), "engine": engine}
    return Deployment.model_validate({**base, "checkpoint": "mxfp4", "tp": 2, **changes})


def reductions(account: Account, group: str) -> dict[str, tuple[float, ...]]:
    """Calls, bytes sent and seconds of the all-reduces of a pass, by name."""
    return {
        row.name: (row.count, row.message_bytes, row.seconds)
        for row in account.rows
        if row.group == group and row.name.startswith("all-reduce")
    }


def by_hand(us: float, sent: float, speed: float) -> Any:
    count, _, _, moved, seconds, *_ = Hand(120, us=us, sent=sent, speed=speed).row()
    return pytest.approx((count, moved, seconds), rel=1e-12)


@pytest.mark.parametrize(
    ("gpus", "fmt", "mib"),
    [(2, "int8", 2), (4, "int8", 16), (8, "int8", 4), (2, "int4", 1), (4, "int4", 2), (2, "bf16", np.inf)],
)
def test_least_messages(gpus: int, fmt: str, mib: float) -> None:
    """Of ROCm's quick all-reduce."""
    assert least_bytes("quick_reduce", gpus, fmt) == mib * MIB


@pytest.mark.parametrize(("tokens", "name"), [(255, PLAIN), (256, QUANTISED), (257, QUANTISED)])
def test_two_gpus_from_two_mebibytes_on(tokens: int, name: str) -> None:
    """2 MiB are 256 tokens. A rank sends its only peer half of the message twice; packing keeps up with the link."""
    bits = 8.5 / 16 if name == QUANTISED else 1.0
    account = explain_round(deploy(), OFF, PARAMETERS, tokens, 1000)
    assert reductions(account, "decode") == {name: by_hand(12, tokens * 8192 * bits, LINKS)}


@pytest.mark.parametrize(("tokens", "name"), [(2047, PLAIN), (2048, QUANTISED), (2049, QUANTISED)])
def test_four_gpus_from_sixteen_mebibytes_on(tokens: int, name: str) -> None:
    """16 MiB are 2048 tokens. Each of three links carries a quarter twice, for which packing of the whole is slower.

    The bytes are those of the links all the same.
    """
    account = explain_prefill(deploy(tp=4), OFF, PARAMETERS, 1, tokens)
    if name == PLAIN:
        assert reductions(account, "prefill") == {PLAIN: by_hand(12 + 4, tokens * 8192 * 2 / 4, LINKS)}
        return
    packed = tokens * 8192 * 8.5 / 16
    seconds = 120 * (16e-6 + packed / PACKING)
    assert reductions(account, "prefill") == {QUANTISED: pytest.approx((120, 120 * packed * 2 / 4, seconds), rel=1e-12)}


@pytest.mark.parametrize(("fmt", "bits"), [("int8", 8.5), ("int6", 6.5), ("int4", 4.5)])
def test_bits_of_each_format(fmt: str, bits: float) -> None:
    account = explain_round(deploy(fmt), OFF, PARAMETERS, 512, 1000)
    assert reductions(account, "decode") == {QUANTISED: by_hand(12, 512 * 8192 * bits / 16, LINKS)}


def test_of_the_tokens_of_an_attention_rank() -> None:
    """Four ranks of two GPUs: a rank sums a quarter of the tokens, so that 2 MiB are 1024 tokens of the pass."""
    name = "all-reduce in attention group"
    for tokens, found in ((1020, name), (1024, f"{name}, quantised")):
        account = explain_round(deploy(tp=8, dp=4), OFF, PARAMETERS, tokens, 1000)
        assert list(reductions(account, "decode")) == [found]
    row = next(row for row in account.rows if row.name == found)
    assert row.message_bytes == pytest.approx(60 * 256 * 8192 * 8.5 / 16)
    assert row.seconds == pytest.approx(60 * (12e-6 + 256 * 8192 * 8.5 / 16 / LINKS))


def test_each_pass_of_a_round_by_its_own_tokens() -> None:
    """64 requests with 3 drafts: 64 tokens in the single drafts, 256 in the extending one and in the verification."""
    account = explain_round(deploy(), MTP, PARAMETERS, 64, 1000)
    found = {group: list(reductions(account, group)) for group in account.groups() if group != "host"}
    assert found == {"draft 1": [PLAIN], "draft 2": [PLAIN], "draft extend": [QUANTISED], "verify": [QUANTISED]}


@pytest.mark.parametrize("spec", [OFF, MTP], ids=["off", "mtp3"])
@pytest.mark.parametrize("batch", [63, 64, 65, 255, 256, 257])
def test_rounds_of_the_kernels_on_either_side(spec: Speculation, batch: int) -> None:
    deployment = deploy()
    plan = build_replica(deployment, spec, PARAMETERS)
    account = explain_round(deployment, spec, PARAMETERS, batch, 1000)
    kernel = kn.round_time(plan.target, plan.draft, plan.constants, float(batch), batch * 1000.0)
    assert kernel == pytest.approx(account.seconds, rel=1e-12)


@pytest.mark.parametrize("tokens", [255, 256, 257])
def test_prefills_of_the_kernels_on_either_side(tokens: int) -> None:
    deployment, parameters = deploy(), PARAMETERS | {"host.launch_us": 0.1}
    plan = build_replica(deployment, MTP, parameters)
    account = explain_prefill(deployment, MTP, parameters, 1, tokens)
    pairs = 0.5 * tokens**2
    kernel = kn.prefill_time(plan.target, plan.draft, plan.constants, float(tokens), 1.0, pairs, 0.0, 0.0, 0.0)
    assert kernel == pytest.approx(account.seconds, rel=1e-12)


def test_what_the_kernels_save_by_hand() -> None:
    """The tables of an engine that quantises and of one that does not differ by these reductions alone."""
    plain, quantised = (table(target_operators(deploy(fmt), PARAMETERS)) for fmt in ("bf16", "int8"))
    assert plain.shape == (2, 14)
    assert sorted(quantised[:, 9:11].tolist()) == [[0, 256], [0, np.inf], [0, np.inf], [256, np.inf]]
    for tokens in (1.0, 255.0, 255.9, 256.0, 257.0, 8192.0):
        loads = (tokens, 100.0, 1e6, tokens, 1e4, 0.0, tokens)
        saved = work_time(plain, *loads) - work_time(quantised, *loads)
        expected = 120 * tokens * 8192 * (1 - 8.5 / 16) / LINKS if tokens >= 256 else 0.0
        assert saved == pytest.approx(expected, rel=1e-9, abs=1e-15)
