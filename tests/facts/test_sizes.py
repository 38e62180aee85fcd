"""Counts against facts: literal figures from the published config.json and checkpoint sizes, never our own output."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.errors import InputError
from simulator.facts import formats as sizes
from simulator.facts.deployment import Deployment
from simulator.facts.reading import load_engine, load_hardware, load_model, names

QWEN = load_model("qwen3.5-397b-a17b")
MI355X = load_hardware("mi355x")
SGLANG = load_engine("sglang")


def deploy(**changes: object) -> Deployment:
    base = {"hardware": MI355X, "model": QWEN, "checkpoint": "mxfp4", "engine": SGLANG, "tp": 2}
    return Deployment.model_validate(base | changes)


def test_parameters_per_layer() -> None:
    assert sizes.attention_parameters(QWEN) == 104_858_112
    assert sizes.gdn_parameters(QWEN) == 118_014_208
    assert sizes.expert_parameters(QWEN) == 12_582_912
    assert sizes.shared_expert_parameters(QWEN) == 12_582_912
    assert sizes.router_parameters(QWEN) == 2_097_152


def test_parameters_of_the_model() -> None:
    groups = sizes.target_parameters(QWEN)
    assert groups["attention"] == 104_858_112 * 15
    assert groups["gdn"] == 118_014_208 * 45
    assert groups["routed_experts"] == 6_442_450_944 * 60
    assert groups["embedding"] == groups["lm_head"] == 1_017_118_720
    assert sizes.total_parameters(QWEN) == pytest.approx(396.35e9, abs=0.005e9)
    assert sizes.active_parameters(QWEN) == pytest.approx(16.33e9, abs=0.005e9)
    assert sizes.active_parameters(QWEN) + groups["embedding"] == pytest.approx(17.35e9, abs=0.005e9)
    assert sum(sizes.draft_parameters(QWEN).values()) == pytest.approx(6.5956e9, abs=0.00005e9)
    assert groups["routed_experts"] / sizes.total_parameters(QWEN) == pytest.approx(0.975, abs=0.0005)


@pytest.mark.parametrize(
    ("checkpoint", "gigabytes"), [("mxfp4", 238), ("fp8", 406), ("nvfp4", 250), ("bf16", 2 * (396.35 + 6.5956))]
)
def test_checkpoint_bytes(checkpoint: str, gigabytes: float) -> None:
    total = sizes.total_checkpoint_bytes(QWEN, QWEN.checkpoints[checkpoint])
    assert total == pytest.approx(gigabytes * 1e9, rel=0.01)


def test_mxfp4_checkpoint_parts() -> None:
    parts = sizes.checkpoint_bytes(QWEN, QWEN.checkpoints["mxfp4"])
    draft = sum(size for group, size in parts.items() if group.startswith("draft_"))
    assert draft == pytest.approx(13.2e9, rel=0.005)
    assert sum(parts.values()) - draft - parts["routed_experts"] == pytest.approx(19.6e9, rel=0.005)


def test_expert_bytes() -> None:
    assert sizes.expert_bytes(QWEN, "mxfp4") == pytest.approx(6.685e6, abs=500)
    assert sizes.expert_bytes(QWEN, "bf16") == pytest.approx(25.17e6, abs=5e3)
    assert sizes.expert_bytes(QWEN, "bf16") / sizes.expert_bytes(QWEN, "mxfp4") == pytest.approx(3.8, abs=0.05)
    # the fused-MoE kernels of facts.md stream 1.671 MB per expert at TP4 and 3.342 MB at TP2
    assert sizes.expert_bytes(QWEN, "mxfp4") / 4 == pytest.approx(1.671e6, abs=1e3)


def test_weights_per_gpu() -> None:
    whole = sizes.total_checkpoint_bytes(QWEN, QWEN.checkpoints["mxfp4"])
    tp1 = sizes.weight_bytes_per_gpu(deploy(tp=1), draft=True)
    assert sum(tp1.values()) == pytest.approx(whole)
    tp4 = sizes.weight_bytes_per_gpu(deploy(tp=4), draft=True)
    assert tp4["routed_experts"] == pytest.approx(386.547e9 * 0.53125 / 4, rel=1e-5)
    assert tp4["lm_head"] == pytest.approx(1_017_118_720 * 2 / 4)
    # 2 KV heads on 4 GPUs: each holds one head, that is half of k and v rather than a quarter
    sharded = 104_858_112 - 4_194_304
    assert tp4["attention"] == pytest.approx(15 * 2 * (sharded / 4 + 4_194_304 / 2))
    assert not any(group.startswith("draft_") for group in sizes.weight_bytes_per_gpu(deploy(), draft=False))


def test_attention_data_parallel_replicates_attention_but_not_experts() -> None:
    plain = sizes.weight_bytes_per_gpu(deploy(tp=8), draft=False)
    ranks = sizes.weight_bytes_per_gpu(deploy(tp=8, dp=8), draft=False)
    assert ranks["gdn"] == pytest.approx(8 * plain["gdn"])
    assert ranks["attention"] == pytest.approx(15 * 104_858_112 * 2)
    assert ranks["routed_experts"] == plain["routed_experts"]
    experts = sizes.weight_bytes_per_gpu(deploy(tp=8, ep=8), draft=False)
    assert experts == plain


def test_kv_cache() -> None:
    assert sizes.kv_bytes_per_token(QWEN, "bf16") == 30_720
    assert sizes.kv_bytes_per_token(QWEN, "fp8") == 15_360
    assert sizes.kv_bytes_per_token(QWEN, "bf16", spec_tokens=3) == 30_720 * 16 / 15
    assert [sizes.kv_bytes_per_token_per_gpu(deploy(tp=tp)) for tp in (1, 2, 4, 8)] == [30_720, 15_360, 15_360, 15_360]
    assert sizes.kv_bytes_per_token_per_gpu(deploy(tp=8, dp=8)) == 30_720
    assert sizes.kv_bytes_per_token_per_gpu(deploy(kv_dtype="fp8")) == 7_680


def test_recurrent_state() -> None:
    assert sizes.state_bytes(QWEN, "bf16") == pytest.approx(97.7e6, abs=0.05e6)
    assert sizes.state_bytes(QWEN, "fp32") == pytest.approx(192e6, abs=0.1e6)
    assert sizes.state_bytes_per_gpu(deploy(tp=4)) == pytest.approx(97.7e6 / 4, rel=1e-3)
    assert sizes.state_bytes_per_gpu(deploy(tp=4, dp=4)) == sizes.state_bytes(QWEN, "bf16")


def test_state_slots() -> None:
    assert [sizes.state_slots(SGLANG, k) for k in (0, 1, 3)] == [1, 3, 5]
    assert [sizes.state_slots(load_engine("atom"), k) for k in (0, 1, 3)] == [1, 2, 4]


def test_memory_fit_by_hand() -> None:
    fit = sizes.memory_fit(deploy(), tokens_per_request=9216, spec_tokens=3)
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
    text = sizes.memory_fit(deploy(), 9216, 3).arithmetic(4096)
    for part in (
        "weights 119.",
        "workspace 0.00 GB",
        "47 % are kept for states",
        "4096 requests",
        "0.80 x 288 GB = 230.40 GB",
        "does not fit",
    ):
        assert part in text
    assert "it fits" in sizes.memory_fit(deploy(), 9216, 3).arithmetic(1)
    ranks = sizes.memory_fit(deploy(tp=4, dp=4), 2048, 0).arithmetic(64)
    assert "16 requests (of 64 over 4 attention ranks)" in ranks


def test_weights_alone_do_not_fit() -> None:
    fit = sizes.memory_fit(deploy(hardware=load_hardware("h100"), checkpoint="bf16", tp=8), 2048, 0)
    assert fit.max_concurrency == 0
    assert not fit.fits(0)
    assert "not even one request fits" in fit.arithmetic(1)


@pytest.mark.parametrize(("tokens", "k"), [(0, 0), (-1, 0), (float("nan"), 0), (float("inf"), 0), (1, -1)])
def test_memory_fit_refuses(tokens: float, k: int) -> None:
    with pytest.raises(InputError):
        sizes.memory_fit(deploy(), tokens, k)


def test_speculation_needs_an_mtp_layer() -> None:
    bare = QWEN.model_copy(update={"mtp_layers": 0})
    with pytest.raises(InputError, match="no MTP layer"):
        sizes.memory_fit(deploy(model=bare), 2048, 1)


@given(
    tp=st.sampled_from([1, 2, 4, 8]),
    dp=st.sampled_from([1, 2, 4, 8]),
    tokens=st.integers(1, 200_000),
    k=st.integers(0, 8),
    concurrency=st.integers(0, 5000),
)
def test_fits_means_used_within_budget(tp: int, dp: int, tokens: int, k: int, concurrency: int) -> None:
    pooled = sizes.memory_fit(deploy(tp=tp, dp=min(tp, dp)), tokens, k)
    assert not pooled.fits(concurrency) or pooled.used(concurrency) <= pooled.budget
    shared = sizes.memory_fit(deploy(tp=tp, dp=min(tp, dp), engine=load_engine("atom")), tokens, k)
    assert shared.fits(concurrency) == (shared.used(concurrency) <= shared.budget)
    assert pooled.max_concurrency % pooled.dp == shared.max_concurrency % shared.dp == 0


@given(tokens=st.integers(1, 100_000), k=st.integers(0, 7))
def test_longer_or_deeper_never_fits_more(tokens: int, k: int) -> None:
    here = sizes.memory_fit(deploy(), tokens, k).max_concurrency
    assert sizes.memory_fit(deploy(), tokens + 1000, k).max_concurrency <= here
    assert sizes.memory_fit(deploy(), tokens, k + 1).max_concurrency <= here


@pytest.mark.parametrize("hardware", names("hardware"))
@pytest.mark.parametrize("tp", [1, 2, 4, 8])
def test_fp8_deploys_everywhere(hardware: str, tp: int) -> None:
    sizes.check_deployment(deploy(hardware=load_hardware(hardware), checkpoint="fp8", tp=tp))
    sizes.check_deployment(deploy(hardware=load_hardware(hardware), checkpoint="fp8", tp=tp, ep=tp, dp=tp))


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
            "--allow-dequant keeps the weights stored in MXFP4 and computes in FP8",
        ),
    ],
)
def test_refused_deployments(changes: dict[str, object], expected: str) -> None:
    with pytest.raises(InputError) as caught:
        sizes.check_deployment(deploy(**changes))
    assert expected in str(caught.value)


def test_all_faults_of_a_deployment_are_reported_at_once() -> None:
    with pytest.raises(InputError) as caught:
        sizes.check_deployment(deploy(hardware=load_hardware("h100"), tp=12, ep=5))
    for part in ("exceeds the 8 GPUs", "ep 5 must divide tp 12", "no FP4 peak"):
        assert part in str(caught.value)


def test_dequant_computes_in_the_next_wider_format() -> None:
    mi300x = load_hardware("mi300x")
    sizes.check_deployment(deploy(hardware=mi300x, allow_dequant=True))
    assert sizes.compute_format(mi300x, "mxfp4", allow_dequant=True) == "fp8"
    assert sizes.compute_format(MI355X, "mxfp4", allow_dequant=True) == "mxfp4"
    only_bf16 = mi300x.model_copy(update={"peak_flops": mi300x.peak_flops.model_copy(update={"fp8": None})})
    assert sizes.compute_format(only_bf16, "mxfp4", allow_dequant=True) == "bf16"


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
    assert sizes.resolve_checkpoint(QWEN, load_hardware(hardware), precision, name) == expected


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
        sizes.resolve_checkpoint(QWEN, MI355X, precision, name)
    assert expected in str(caught.value)


def test_fp4_without_a_checkpoint_for_the_vendor() -> None:
    amd_only = QWEN.model_copy(update={"checkpoints": {"mxfp4": QWEN.checkpoints["mxfp4"]}})
    with pytest.raises(InputError, match="no NVFP4 checkpoint for b200"):
        sizes.resolve_checkpoint(amd_only, load_hardware("b200"), "fp4")
