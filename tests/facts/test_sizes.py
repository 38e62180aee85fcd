"""Counts against facts: literal figures from the published config.json and checkpoint sizes, never our own output."""

from __future__ import annotations

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.errors import InputError
from simulator.facts.deployment import Deployment, check_deployment, default_precision, resolve_checkpoint
from simulator.facts.engine import Round
from simulator.facts.layers import Attention, Dense, Experts, GatedDeltaNet
from simulator.facts.memory import (
    MemoryFit,
    kv_bytes_per_gpu,
    kv_bytes_per_token,
    memory_fit,
    state_bytes,
    state_bytes_per_gpu,
)
from simulator.facts.mixers import attention, gated_delta_net
from simulator.facts.quantities import Spec
from simulator.facts.reading import load_engine, load_hardware, load_model, names
from simulator.facts.weights import (
    active_parameters,
    checkpoint_bytes,
    draft_parameters,
    target_parameters,
    total_checkpoint_bytes,
    total_parameters,
    weight_bytes_per_gpu,
)

QWEN = load_model("qwen3.5-397b-a17b")
assert QWEN.experts is not None
MOE = QWEN.experts
MI355X = load_hardware("mi355x")
SGLANG = load_engine("sglang")


def deploy(**changes: object) -> Deployment:
    base = {"hardware": MI355X, "model": QWEN, "checkpoint": "mxfp4", "engine": SGLANG, "tp": 2}
    return Deployment.model_validate(base | changes)


def test_parameters_per_layer() -> None:
    assert QWEN.mixers["attention"].parameters(4096) == {"attention": 104_858_112}
    assert QWEN.mixers["gdn"].parameters(4096) == {"gdn": 118_014_208}
    assert MOE.expert_parameters(4096) == 12_582_912
    assert MOE.shared_expert_parameters(4096) == 12_582_912
    assert MOE.router_parameters(4096) == 2_097_152


def test_parameters_of_small_layers_by_hand() -> None:
    """Two channels wide: every tensor written out."""
    plain = Attention(query_heads=4, kv_heads=2, head_dim=8)

    def more(**changes: object) -> int:
        return plain.model_copy(update=changes).parameters(2)["attention"] - plain.parameters(2)["attention"]

    assert plain.parameters(2) == {"attention": (2 * 32) + 2 * (2 * 16) + (32 * 2)}  # q; k, v; o
    assert more(qk_norm=True) == 8 + 8
    assert more(output_gate=True) == 2 * 32  # the gate's columns of q_proj
    assert more(bias=True) == 32 + 16 + 16 + 2  # of q, k, v, o
    assert more(sinks=True) == 4
    assert more(value_dim=5) == -2 * 2 * 3 - 4 * 3 * 2  # v and o
    assert more(window=7) == 0
    net = GatedDeltaNet(key_heads=2, key_dim=3, value_heads=4, value_dim=5, conv_kernel=4)
    assert net.conv_channels == 6 + 6 + 20
    # q, k, v; z; b, a; out; convolution; decay and its bias; norm
    assert net.parameters(2) == {"gdn": 2 * 32 + 2 * 20 + 2 * (4 + 4) + 20 * 2 + 32 * 4 + (4 + 4) + 5}
    moe = Experts(experts=8, top_k=2, intermediate=6)
    assert (moe.expert_parameters(2), moe.router_parameters(2)) == (3 * 2 * 6, 16)
    assert moe.shared_expert_parameters(2) == moe.shared_gate_parameters(2) == 0
    shared = moe.model_copy(update={"shared_intermediate": 3, "shared_gate": True})
    assert (shared.shared_expert_parameters(2), shared.shared_gate_parameters(2)) == (3 * 2 * 3, 2)
    assert moe.model_copy(update={"shared_gate": True}).shared_gate_parameters(2) == 0
    biased = moe.model_copy(update={"bias": True})
    assert biased.expert_parameters(2) == 3 * 2 * 6 + 6 + 6 + 2  # of gate, up, down
    assert biased.router_parameters(2) == 16 + 8
    narrow = moe.model_copy(update={"latent": 1})
    assert (narrow.expert_parameters(2), narrow.latent_parameters(2)) == (3 * 1 * 6, 2 * 1 + 1 * 2)
    assert Dense(intermediate=5).parameters(2) == {"dense": 3 * 2 * 5}
    assert Dense(intermediate=5, gated=False).parameters(2) == {"dense": 2 * 2 * 5}


@pytest.mark.parametrize(
    ("kind", "least"),
    [
        (Attention, {"query_heads": 1, "kv_heads": 1, "head_dim": 1}),
        (GatedDeltaNet, {"key_heads": 1, "key_dim": 1, "value_heads": 1, "value_dim": 1, "conv_kernel": 2}),
        (Experts, {"experts": 1, "top_k": 1, "intermediate": 1, "shared_intermediate": 0}),
        (Dense, {"intermediate": 1}),
    ],
)
def test_the_smallest_layers_that_can_be(kind: type[Spec], least: dict[str, int]) -> None:
    kind.model_validate(least)
    for name, size in least.items():
        with pytest.raises(ValueError, match=name):
            kind.model_validate(least | {name: size - 1})


@pytest.mark.parametrize(("ranks", "heads"), [(1, 8), (2, 4), (8, 1), (16, 1)])
def test_kv_heads_are_split_and_beyond_that_replicated(ranks: int, heads: int) -> None:
    layer = Attention(query_heads=32, kv_heads=8, head_dim=128)
    assert layer.kv_heads_per_gpu(ranks) == heads
    assert layer.cache_bytes("fp8", ranks) == 2 * heads * 128  # a key and a value
    kv, rest = 2 * 64 * 8 * 128, 2 * 64 * 32 * 128
    share = pytest.approx((rest / ranks + kv * heads / 8) / (rest + kv))
    assert layer.share_per_gpu(64, ranks) == {"attention": share}


def test_state_by_hand() -> None:
    """A 3 x 5 matrix for each of 4 value heads; three past tokens of 32 channels in BF16 whatever the state is."""
    net = GatedDeltaNet(key_heads=2, key_dim=3, value_heads=4, value_dim=5, conv_kernel=4)
    assert net.state_bytes("bf16") == 4 * 3 * 5 * 2 + 3 * 32 * 2
    assert net.state_bytes("fp32") == 4 * 3 * 5 * 4 + 3 * 32 * 2


def test_examples_of_the_layers() -> None:
    assert all(doctest.testmod(kind) == (0, n) for kind, n in ((attention, 1), (gated_delta_net, 2)))


def test_parameters_of_the_model() -> None:
    groups = target_parameters(QWEN)
    assert groups["attention"] == 104_858_112 * 15
    assert groups["gdn"] == 118_014_208 * 45
    assert groups["routed_experts"] == 6_442_450_944 * 60
    assert groups["embedding"] == groups["lm_head"] == 1_017_118_720
    assert total_parameters(QWEN) == pytest.approx(396.35e9, abs=0.005e9)
    assert active_parameters(QWEN) == pytest.approx(16.33e9, abs=0.005e9)
    assert active_parameters(QWEN) + groups["embedding"] == pytest.approx(17.35e9, abs=0.005e9)
    assert sum(draft_parameters(QWEN).values()) == pytest.approx(6.5956e9, abs=0.00005e9)
    assert groups["routed_experts"] / total_parameters(QWEN) == pytest.approx(0.975, abs=0.0005)


@pytest.mark.parametrize(
    ("checkpoint", "gigabytes"), [("mxfp4", 238), ("fp8", 406), ("nvfp4", 250), ("bf16", 2 * (396.35 + 6.5956))]
)
def test_checkpoint_bytes(checkpoint: str, gigabytes: float) -> None:
    total = total_checkpoint_bytes(QWEN, QWEN.checkpoints[checkpoint])
    assert total == pytest.approx(gigabytes * 1e9, rel=0.01)


def test_mxfp4_checkpoint_parts() -> None:
    parts = checkpoint_bytes(QWEN, QWEN.checkpoints["mxfp4"])
    draft = sum(size for group, size in parts.items() if group.startswith("draft_"))
    assert draft == pytest.approx(13.2e9, rel=0.005)
    assert sum(parts.values()) - draft - parts["routed_experts"] == pytest.approx(19.6e9, rel=0.005)


def test_expert_bytes() -> None:
    assert MOE.expert_bytes(4096, "mxfp4") == pytest.approx(6.685e6, abs=500)
    assert MOE.expert_bytes(4096, "bf16") == pytest.approx(25.17e6, abs=5e3)
    assert MOE.expert_bytes(4096, "bf16") / MOE.expert_bytes(4096, "mxfp4") == pytest.approx(3.8, abs=0.05)
    # the fused-MoE kernels of facts.md stream 1.671 MB per expert at TP4 and 3.342 MB at TP2
    assert MOE.expert_bytes(4096, "mxfp4") / 4 == pytest.approx(1.671e6, abs=1e3)


def test_weights_per_gpu() -> None:
    whole = total_checkpoint_bytes(QWEN, QWEN.checkpoints["mxfp4"])
    tp1 = weight_bytes_per_gpu(deploy(tp=1), draft=True)
    assert sum(tp1.values()) == pytest.approx(whole)
    tp4 = weight_bytes_per_gpu(deploy(tp=4), draft=True)
    assert tp4["routed_experts"] == pytest.approx(386.547e9 * 0.53125 / 4, rel=1e-5)
    assert tp4["lm_head"] == pytest.approx(1_017_118_720 * 2 / 4)
    # 2 KV heads on 4 GPUs: each holds one head, that is half of k and v rather than a quarter
    sharded = 104_858_112 - 4_194_304
    assert tp4["attention"] == pytest.approx(15 * 2 * (sharded / 4 + 4_194_304 / 2))
    assert not any(group.startswith("draft_") for group in weight_bytes_per_gpu(deploy(), draft=False))


def test_attention_data_parallel_replicates_attention_but_not_experts() -> None:
    plain = weight_bytes_per_gpu(deploy(tp=8), draft=False)
    ranks = weight_bytes_per_gpu(deploy(tp=8, dp=8), draft=False)
    assert ranks["gdn"] == pytest.approx(8 * plain["gdn"])
    assert ranks["attention"] == pytest.approx(15 * 104_858_112 * 2)
    assert ranks["routed_experts"] == plain["routed_experts"]
    experts = weight_bytes_per_gpu(deploy(tp=8, ep=8), draft=False)
    assert experts == plain


def test_kv_cache() -> None:
    assert kv_bytes_per_token(QWEN, "bf16") == 30_720
    assert kv_bytes_per_token(QWEN, "fp8") == 15_360
    assert kv_bytes_per_token(QWEN, "bf16", spec_tokens=3) == 30_720 * 16 / 15
    assert [kv_bytes_per_gpu(deploy(tp=tp), 1.0) for tp in (1, 2, 4, 8)] == [30_720, 15_360, 15_360, 15_360]
    assert kv_bytes_per_gpu(deploy(tp=8, dp=8), 1.0) == 30_720
    assert kv_bytes_per_gpu(deploy(kv_dtype="fp8"), 1.0) == 7_680


def test_recurrent_state() -> None:
    assert state_bytes(QWEN, "bf16") == pytest.approx(97.7e6, abs=0.05e6)
    assert state_bytes(QWEN, "fp32") == pytest.approx(192e6, abs=0.1e6)
    assert state_bytes_per_gpu(deploy(tp=4)) == pytest.approx(97.7e6 / 4, rel=1e-3)
    assert state_bytes_per_gpu(deploy(tp=4, dp=4)) == state_bytes(QWEN, "bf16")


def test_state_slots() -> None:
    assert [SGLANG.speculation.slots(k) for k in (0, 1, 3)] == [1, 3, 5]
    assert [load_engine("atom").speculation.slots(k) for k in (0, 1, 3)] == [1, 2, 4]


@pytest.mark.parametrize(
    ("engine", "single", "extend", "transfers"),
    [
        ("atom", [0, 1, 3], [0, 0, 0], [2, 1 + 2, 1 + 4]),
        ("sglang", [0, 0, 2], [0, 1, 1], [2, 1 + 2 + 2, 1 + 4 + 2]),
        ("vllm", [0, 0, 2], [0, 1, 1], [2, 1 + 2, 1 + 4]),
    ],
)
def test_passes_and_state_transfers_of_a_round(
    engine: str, single: list[int], extend: list[int], transfers: list[int]
) -> None:
    """At depth 0, 1 and 3. Without drafts: no draft pass, one state read and one written."""
    made = load_engine(engine).speculation
    assert [made.single_passes(k) for k in (0, 1, 3)] == single
    assert [made.extend_passes(k) for k in (0, 1, 3)] == extend
    assert [made.state_transfers(k) for k in (0, 1, 3)] == transfers
    assert [deploy(engine=load_engine(engine)).state_transfers(k) for k in (0, 1, 3)] == transfers


def test_a_round_that_writes_a_state_more() -> None:
    made = Round(
        single_draft_passes="k",
        draft_extend=False,
        state_reads=1,
        state_writes="k+2",
        state_moves=0,
        state_slots="k+2",
        source="",
    )
    assert [made.state_transfers(k) for k in (0, 1, 2)] == [2, 1 + 3, 1 + 4]


def test_a_model_without_recurrent_states_moves_none() -> None:
    full = deploy(
        model=QWEN.model_copy(update={"layers": QWEN.layers[:1], "mixers": {"attention": QWEN.mixers["attention"]}})
    )
    assert [full.state_transfers(k) for k in (0, 3)] == [0.0, 0.0]
    assert (full.prompt_state_transfers, deploy().prompt_state_transfers) == (0.0, 1.0)
    assert state_bytes_per_gpu(full) == 0.0


def test_memory_fit_by_hand() -> None:
    fit = memory_fit(deploy(), tokens_per_request=9216, spec_tokens=3)
    assert fit.budget == pytest.approx(0.8 * 288e9)
    assert fit.weights == pytest.approx(238e9 / 2, rel=0.005)
    assert fit.kv_per_request == 9216 * 16 * 2 * 256 * 2
    assert fit.state_per_request == pytest.approx(5 * 97.7e6 / 2, rel=1e-3)
    free = 230.4e9 - fit.weights
    # SGLang: mamba-full-memory-ratio 0.9 splits the pools 0.9 : 1
    by_hand = min(free * 0.9 / 1.9 / fit.state_per_request, free * 1.0 / 1.9 / fit.kv_per_request)
    assert fit.max_concurrency == int(by_hand)
    assert fit.fits(fit.max_concurrency)
    assert not fit.fits(fit.max_concurrency + 1)


def test_memory_arithmetic_is_readable() -> None:
    text = memory_fit(deploy(), 9216, 3).arithmetic(4096)
    for part in (
        "weights 119.",
        "workspace 0.00 GB",
        "47 % are kept for states",
        "4096 requests",
        "0.80 x 288 GB = 230.40 GB",
        "does not fit",
    ):
        assert part in text
    assert "it fits" in memory_fit(deploy(), 9216, 3).arithmetic(1)
    ranks = memory_fit(deploy(tp=4, dp=4), 2048, 0).arithmetic(64)
    assert "16 requests (of 64 over 4 attention ranks)" in ranks


def test_the_arithmetic_by_hand() -> None:
    """Of a budget of 76.8 GB 64 are taken: five requests of 2.5 GB on each of two ranks."""
    fit = MemoryFit(60e9, 4e9, 2e9, 0.5e9, hbm=128e9, budget=0.6 * 128e9, dp=2)
    assert fit.max_concurrency == 2 * 5
    assert fit.used(9) == fit.used(10) == 60e9 + 4e9 + 5 * 2.5e9
    assert (fit.fits(10), fit.fits(11), fit.fits(0)) == (True, False, True)
    assert fit.arithmetic(11) == (
        "Per GPU: weights 60.00 GB + workspace 4.00 GB + 6 requests (of 11 over 2 attention ranks) x (KV cache 2.000 GB"
        " + recurrent state 0.500 GB) = 79.00 GB; the budget is 0.60 x 128 GB = 76.80 GB: it does not fit; the largest"
        " concurrency that fits is 10."
    )


def test_pools_by_hand() -> None:
    """Of 12 GB beside the weights a quarter is for states of 0.5 GB: six; the rest for caches of 2 GB: four."""
    fit = MemoryFit(60e9, 4e9, 2e9, 0.5e9, hbm=100e9, budget=76e9, dp=1, state_pool=0.25)
    assert fit.max_concurrency == 4
    assert (
        "; of the 12.00 GB beside the weights 25 % are kept for states, the rest for the KV cache: "
        in fit.arithmetic(4)
    )
    assert MemoryFit(60e9, 4e9, 2e9, 1e9, hbm=100e9, budget=76e9, dp=3, state_pool=0.25).max_concurrency == 3 * 3
    assert MemoryFit(60e9, 4e9, 2e9, 0.0, hbm=100e9, budget=76e9, dp=1, state_pool=0.25).max_concurrency == 6
    none = MemoryFit(80e9, 4e9, 2e9, 1e9, hbm=100e9, budget=76e9, dp=2, state_pool=0.25)
    assert (none.max_concurrency, none.fits(0)) == (0, False)
    assert "kept for states" not in none.arithmetic(1)
    assert not MemoryFit(77e9, 0.0, 2e9, 1e9, hbm=100e9, budget=76e9, dp=1).fits(0)


def test_weights_alone_do_not_fit() -> None:
    fit = memory_fit(deploy(hardware=load_hardware("h100"), checkpoint="bf16", tp=8), 2048, 0)
    assert fit.max_concurrency == 0
    assert not fit.fits(0)
    assert "not even one request fits" in fit.arithmetic(1)


@pytest.mark.parametrize(("tokens", "k"), [(0, 0), (-1, 0), (float("nan"), 0), (float("inf"), 0), (1, -1)])
def test_memory_fit_refuses(tokens: float, k: int) -> None:
    with pytest.raises(InputError):
        memory_fit(deploy(), tokens, k)


def test_speculation_needs_an_mtp_layer() -> None:
    bare = QWEN.model_copy(update={"draft": None})
    with pytest.raises(InputError, match="no MTP layer"):
        memory_fit(deploy(model=bare), 2048, 1)


@given(
    tp=st.sampled_from([1, 2, 4, 8]),
    dp=st.sampled_from([1, 2, 4, 8]),
    tokens=st.integers(1, 200_000),
    k=st.integers(0, 8),
    concurrency=st.integers(0, 5000),
)
def test_fits_means_used_within_budget(tp: int, dp: int, tokens: int, k: int, concurrency: int) -> None:
    pooled = memory_fit(deploy(tp=tp, dp=min(tp, dp)), tokens, k)
    assert not pooled.fits(concurrency) or pooled.used(concurrency) <= pooled.budget
    shared = memory_fit(deploy(tp=tp, dp=min(tp, dp), engine=load_engine("atom")), tokens, k)
    assert shared.fits(concurrency) == (shared.used(concurrency) <= shared.budget)
    assert pooled.max_concurrency % pooled.dp == shared.max_concurrency % shared.dp == 0


@given(tokens=st.integers(1, 100_000), k=st.integers(0, 7))
def test_longer_or_deeper_never_fits_more(tokens: int, k: int) -> None:
    here = memory_fit(deploy(), tokens, k).max_concurrency
    assert memory_fit(deploy(), tokens + 1000, k).max_concurrency <= here
    assert memory_fit(deploy(), tokens, k + 1).max_concurrency <= here


@pytest.mark.parametrize("hardware", names("hardware"))
@pytest.mark.parametrize("tp", [1, 2, 4, 8])
def test_fp8_deploys_everywhere(hardware: str, tp: int) -> None:
    found = {"hardware": load_hardware(hardware), "checkpoint": "fp8", "tp": tp, "allow_dequant": True}
    check_deployment(deploy(**found))
    check_deployment(deploy(**found, ep=tp, dp=tp))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"tp": 3}, "tp 3 must divide the 32 query heads"),
        ({"tp": 3}, "tp 3 must divide the 1024 expert intermediate"),
        ({"tp": 16}, "tp 16 exceeds the 8 GPUs"),
        ({"tp": 4, "ep": 3}, "ep 3 must divide tp 4"),
        ({"tp": 4, "ep": 3}, "ep 3 must divide the 512 experts"),
        ({"tp": 4, "dp": 3}, "dp 3 must divide tp 4"),
        ({"tp": 6, "dp": 2}, "tp/dp 3 must divide or be a multiple of the 2 KV heads"),
        ({"checkpoint": "mxpf4"}, "did you mean 'mxfp4'"),
        ({"hardware": load_hardware("mi300x")}, "mi300x has no FP4 peak"),
        (
            {"hardware": load_hardware("mi300x")},
            "--allow-dequant keeps the weights stored in MXFP4 and computes in BF16",
        ),
        (
            {"hardware": load_hardware("a100"), "checkpoint": "fp8"},
            "--allow-dequant keeps the weights stored in FP8 and computes in BF16",
        ),
    ],
)
def test_refused_deployments(changes: dict[str, object], expected: str) -> None:
    with pytest.raises(InputError) as caught:
        check_deployment(deploy(**changes))
    assert expected in str(caught.value)


def test_weights_made_for_16_bit_activations_run_anywhere() -> None:
    """gpt-oss is published so: no flag asked, and computed in what the hardware has."""
    oss = load_model("gpt-oss-120b")
    for name, computed in (("h100", "bf16"), ("mi355x", "mxfp4")):
        d = deploy(hardware=load_hardware(name), model=oss, checkpoint="mxfp4", tp=1)
        check_deployment(d)
        assert d.hardware.compute_format("mxfp4") == computed
    narrow = oss.checkpoints["mxfp4"].model_copy(update={"weight_only": False})
    model = oss.model_copy(update={"checkpoints": {"mxfp4": narrow}})
    with pytest.raises(InputError, match="h100 has no FP4 peak"):
        check_deployment(deploy(hardware=load_hardware("h100"), model=model, checkpoint="mxfp4", tp=1))


def test_all_faults_of_a_deployment_are_reported_at_once() -> None:
    with pytest.raises(InputError) as caught:
        check_deployment(deploy(hardware=load_hardware("h100"), tp=12, ep=5))
    for part in ("exceeds the 8 GPUs", "ep 5 must divide tp 12", "no FP4 peak"):
        assert part in str(caught.value)


def test_dequant_computes_in_the_next_wider_format() -> None:
    mi300x = load_hardware("mi300x")
    check_deployment(deploy(hardware=mi300x, allow_dequant=True))
    assert (mi300x.compute_format("mxfp4"), mi300x.compute_format("fp8")) == ("bf16", "fp8")
    assert MI355X.compute_format("mxfp4") == "mxfp4"
    only_bf16 = mi300x.model_copy(update={"peak_flops": mi300x.peak_flops.model_copy(update={"fp8": None})})
    assert only_bf16.compute_format("fp8") == "bf16"


@pytest.mark.parametrize(
    ("hardware", "precision", "name", "expected"),
    [
        ("mi355x", "fp4", None, "mxfp4"),
        ("b200", "FP4", None, "nvfp4"),
        ("mi300x", "fp8", None, "fp8"),
        ("h100", "bf16", None, "bf16"),
        ("mi355x", "fp4", "MXFP4-AttnFP8", "mxfp4-attnfp8"),
        ("b200", "fp4", "mxfp4", "mxfp4"),
        ("mi355x", None, "amd/Qwen3.5-397B-A17B-MXFP4-AttnFP8-V2", "mxfp4-attnfp8"),
        ("mi355x", None, "qwen/qwen3.5-397b-a17b-fp8", "fp8"),
    ],
)
def test_resolve_checkpoint(hardware: str, precision: str | None, name: str | None, expected: str) -> None:
    assert resolve_checkpoint(QWEN, load_hardware(hardware), precision, name) == expected


@pytest.mark.parametrize(
    ("precision", "name", "expected"),
    [
        ("fp5", None, "unknown precision 'fp5'; did you mean"),
        ("fp4", "mxfp44", "unknown checkpoint 'mxfp44'; did you mean 'mxfp4'"),
        ("fp8", "mxfp4", "checkpoint mxfp4 is fp4, but the precision asked for is fp8"),
        (None, None, "name a precision or a checkpoint"),
    ],
)
def test_unresolved_checkpoints(precision: str | None, name: str | None, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        resolve_checkpoint(QWEN, MI355X, precision, name)
    assert expected in str(caught.value)


def test_fp4_without_a_checkpoint_for_the_vendor() -> None:
    """NVIDIA computes MXFP4 too, where there is nothing else."""
    one, other = (QWEN.model_copy(update={"checkpoints": {n: QWEN.checkpoints[n]}}) for n in ("mxfp4", "nvfp4"))
    assert resolve_checkpoint(one, load_hardware("b200"), "fp4") == "mxfp4"
    with pytest.raises(InputError, match="no MXFP4 checkpoint for mi355x; name a checkpoint"):
        resolve_checkpoint(other, MI355X, "fp4")


@pytest.mark.parametrize(
    ("hardware", "kept", "expected"),
    [
        ("mi355x", ["bf16", "fp8", "mxfp4"], "fp4"),
        ("h100", ["bf16", "fp8", "mxfp4"], "fp4"),
        ("mi355x", ["bf16", "fp8"], "fp8"),
        ("a100", ["bf16", "fp8"], "bf16"),
        ("a100", ["fp8"], "fp8"),
    ],
)
def test_the_precision_that_nobody_names(hardware: str, kept: list[str], expected: str) -> None:
    """FP4 if the model has it, whatever the hardware can; else the narrowest that the hardware computes."""
    model = QWEN.model_copy(update={"checkpoints": {name: QWEN.checkpoints[name] for name in kept}})
    assert default_precision(model, load_hardware(hardware)) == expected


def test_a_repository_that_is_the_model_itself_says_no_more_than_the_model() -> None:
    own = "qwen/qwen3.5-397b-a17b"
    assert resolve_checkpoint(QWEN, MI355X, None, own) == "bf16"
    assert resolve_checkpoint(QWEN, MI355X, "fp8", own) == "fp8"
    with pytest.raises(InputError, match="checkpoint fp8 is fp8, but the precision asked for is fp4"):
        resolve_checkpoint(QWEN, MI355X, "fp4", f"{own}-fp8")
