"""Models of other layers than Qwen3.5: counted by hand, and every mistake in a profile named with its key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from simulator.cost.loads import Routing
from simulator.errors import InputError
from simulator.facts.deployment import Deployment, check_deployment, resolve_checkpoint
from simulator.facts.model import Model
from simulator.facts.reading import load_engine, load_hardware, load_model, read_mapping
from simulator.facts.weights import (
    active_parameters,
    checkpoint_bytes,
    draft_parameters,
    target_parameters,
    total_parameters,
    weight_bytes_per_gpu,
)

LLAMA: dict[str, Any] = {
    "name": "llama-3.3-70b",
    "source": "meta-llama/Llama-3.3-70B-Instruct config.json",
    "hidden": 8192,
    "vocabulary": 128_256,
    "mixers": {"full": {"kind": "attention", "query_heads": 64, "kv_heads": 8, "head_dim": 128}},
    "feed_forwards": {"mlp": {"kind": "dense", "intermediate": 28_672}},
    "layers": [{"count": 80, "mixer": "full", "feed_forward": "mlp"}],
    "checkpoints": {
        "bf16": {"repository": "", "precision": "bf16", "attention": "bf16", "source": ""},
        "mxfp4": {"repository": "", "precision": "fp4", "attention": "mxfp4", "source": ""},
    },
}
MIXED: dict[str, Any] = {
    "name": "mixed",
    "source": "made up",
    "hidden": 64,
    "vocabulary": 1000,
    "tied_embedding": True,
    "mixers": {
        "full": {"kind": "attention", "query_heads": 4, "kv_heads": 2, "head_dim": 16},
        "near": {"kind": "attention", "query_heads": 4, "kv_heads": 1, "head_dim": 16, "window": 100},
    },
    "feed_forwards": {
        "mlp": {"kind": "dense", "intermediate": 128},
        "moe": {"kind": "experts", "experts": 8, "top_k": 2, "intermediate": 32},
    },
    "layers": [
        {"count": 2, "mixer": "full", "feed_forward": "mlp"},
        {"count": 3, "mixer": "near", "feed_forward": "none"},
        {"count": 1, "mixer": "full", "feed_forward": "moe"},
        {"count": 4, "feed_forward": "moe"},
    ],
    "draft": {"kind": "mtp", "mixer": "near", "feed_forward": "mlp"},
    "checkpoints": {
        "one": {
            "repository": "",
            "precision": "fp8",
            "routed_experts": "fp8",
            "attention": "bf16",
            "dense": "fp8",
            "draft_dense": "bf16",
            "source": "",
        }
    },
}


def deploy(raw: dict[str, Any], checkpoint: str, **changes: Any) -> Deployment:
    base = {"hardware": load_hardware("mi355x"), "engine": load_engine("sglang"), "model": Model.model_validate(raw)}
    return Deployment.model_validate(base | {"checkpoint": checkpoint, "tp": 2} | changes)


def test_a_dense_model() -> None:
    """Llama 3.3 70B: 70.6 B parameters, all but the embedding active."""
    model = Model.model_validate(LLAMA)
    assert total_parameters(model) == pytest.approx(70.55e9, abs=0.005e9)
    assert active_parameters(model) == total_parameters(model) - 128_256 * 8192
    assert draft_parameters(model) == {}
    assert (model.experts, model.draft, model.has_state) == (None, None, False)
    assert checkpoint_bytes(model, model.checkpoints["mxfp4"])["dense"] == 80 * 3 * 8192 * 28_672 * 0.53125
    assert resolve_checkpoint(model, load_hardware("mi355x"), "fp4") == "mxfp4"
    assert resolve_checkpoint(model, load_hardware("b200"), "fp4") == "mxfp4"
    assert Routing.of(model, {"routing.skew": 0.1, "routing.correlation": 0.5}).distinct(7.0, 3.0) == 0.0


def test_a_dense_model_has_no_experts_to_divide() -> None:
    check_deployment(deploy(LLAMA, "bf16", tp=8))
    with pytest.raises(InputError, match=r"ep 2: model llama-3\.3-70b has no experts"):
        check_deployment(deploy(LLAMA, "bf16", tp=8, ep=2))
    with pytest.raises(InputError, match="tp 3 must divide the 28672 dense intermediate"):
        check_deployment(deploy(LLAMA, "bf16", tp=3))


def test_mixed_layers_by_hand() -> None:
    """Six layers with a mixer, seven with a feed-forward; one matrix is embedding and lm_head."""
    model = Model.model_validate(MIXED)
    full, near = 2 * 64 * 64 + 2 * 64 * 32, 2 * 64 * 64 + 2 * 64 * 16
    assert target_parameters(model) == {
        "attention": 3 * full + 3 * near,
        "dense": 2 * 3 * 64 * 128,
        "routed_experts": 5 * 8 * 3 * 64 * 32,
        "router": 5 * 64 * 8,
        "norms": (6 + 7 + 1) * 64,
        "lm_head": 64_000,
    }
    assert active_parameters(model) == total_parameters(model) - 5 * 6 * 3 * 64 * 32
    assert draft_parameters(model) == {
        "draft_fc": 2 * 64 * 64,
        "draft_attention": near,
        "draft_dense": 3 * 64 * 128,
        "draft_norms": 5 * 64,
    }
    held = weight_bytes_per_gpu(deploy(MIXED, "one"), draft=True)
    assert held == {
        # two KV heads on two GPUs are one each, the one KV head of the others is on both
        "attention": 2 * (3 * full / 2 + 3 * (2 * 64 * 64 / 2 + 2 * 64 * 16)),
        "dense": 2 * 3 * 64 * 128 / 2,
        "routed_experts": 5 * 8 * 3 * 64 * 32 / 2,
        "router": 2 * 5 * 64 * 8,
        "norms": 2 * 14 * 64,
        "lm_head": 2 * 64_000 / 2,
        "draft_fc": 2 * 2 * 64 * 64,
        "draft_attention": 2 * (2 * 64 * 64 / 2 + 2 * 64 * 16),
        "draft_dense": 2 * 3 * 64 * 128 / 2,
        "draft_norms": 2 * 5 * 64,
    }


FAULTS: list[tuple[str, Any, str]] = [
    ("layers.0.mixer", "fool", "mixer fool: expected one of mixers, full, near"),
    ("layers.0.feed_forward", "x", "feed_forward x: expected one of feed_forwards, mlp, moe"),
    ("draft.mixer", "x", "mixer x: expected one of mixers"),
    ("layers.1", {"count": 3}, "layers.1: a layer needs a mixer, a feed_forward or both"),
    ("layers", [], "layers: list should have at least 1 item"),
    ("mixers.more", MIXED["mixers"]["full"], "mixers.more: no layer has it"),
    ("mixers.full.kind", "ful", "mixers.full: unknown kind 'ful'; expected one of attention, "),
    ("mixers.full.window", 0, "mixers.full.window: input should be greater than 0"),
    ("mixers.full.windows", 5, "mixers.full.windows: unknown key"),
    ("feed_forwards.moe.experts", "8", "feed_forwards.moe.experts: input should be a valid integer"),
    ("feed_forwards.moe.top_k", 9, "feed_forwards.moe: top_k: 9 exceeds experts 8"),
    ("checkpoints.one.routed_experts", None, "checkpoints.one.routed_experts: missing; the model has experts"),
    ("draft.kind", "eagle", "draft: unknown kind 'eagle'; expected one of mtp, eagle3, block, model, ngram"),
    ("mtp_layers", 1, "mtp_layers: unknown key"),
]


def written(tmp_path: Path, raw: dict[str, Any]) -> str:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(raw, sort_keys=False))
    return str(path)


@pytest.mark.parametrize(("keys", "value", "answer"), FAULTS, ids=[f"{fault[0]}-{fault[1]}"[:40] for fault in FAULTS])
def test_every_fault_names_its_key(tmp_path: Path, keys: str, value: Any, answer: str) -> None:
    raw: Any = yaml.safe_load(yaml.safe_dump(MIXED))
    node, (*above, last) = raw, keys.split(".")
    for key in above:
        node = node[int(key) if isinstance(node, list) else key]
    if isinstance(node, list):
        node[int(last)] = value
    else:
        node[last] = value
    with pytest.raises(InputError) as caught:
        load_model(written(tmp_path, raw))
    assert answer in str(caught.value)


def test_one_choice_of_experts(tmp_path: Path) -> None:
    more = {**MIXED["feed_forwards"]["moe"], "shared_intermediate": 32}
    raw = MIXED | {"feed_forwards": MIXED["feed_forwards"] | {"other": more}}
    raw["layers"] = [*MIXED["layers"], {"count": 1, "feed_forward": "other"}]
    assert load_model(written(tmp_path, raw)).layer_count == 11
    more["top_k"] = 1
    with pytest.raises(InputError, match="the same number of them and the same top_k"):
        load_model(written(tmp_path, raw))


def test_a_model_by_its_repository() -> None:
    assert load_model("Qwen/Qwen3.5-397B-A17B") == load_model("qwen3.5-397b-a17b")
    with pytest.raises(InputError, match="no such file"):
        load_model("Qwen/Qwen3.5-397B-A17C")


FORMER = """
name: qwen3.5-397b-a17b
source: "Qwen/Qwen3.5-397B-A17B config.json"
hidden: 4096
layers: 60
full_attention_every: 4
vocabulary: 248320
attention: {query_heads: 32, kv_heads: 2, head_dim: 256, output_gate: true}
gdn: {key_heads: 16, key_dim: 128, value_heads: 64, value_dim: 128, conv_kernel: 4}
moe: {experts: 512, top_k: 10, intermediate: 1024, shared_intermediate: 1024}
mtp_layers: 1
default_acceptance: qwen3.5-397b-a17b-random
"""


def former(tmp_path: Path, before: str = "", after: str = "") -> str:
    """The shipped model as profiles had it, with one text changed."""
    checkpoints = yaml.safe_dump({"checkpoints": read_mapping("model", "qwen3.5-397b-a17b")["checkpoints"]})
    path = tmp_path / "former.yaml"
    path.write_text(FORMER.replace(before, after) + checkpoints)
    return str(path)


def test_the_former_form_is_the_same_model(tmp_path: Path) -> None:
    now = load_model("qwen3.5-397b-a17b")
    assert load_model(former(tmp_path)) == now.model_copy(update={"aliases": [], "context_length": None})
    plain = load_model(former(tmp_path, "mtp_layers: 1", "mtp_layers: 0"))
    assert (plain.draft, plain.layers) == (None, now.layers)
    full = load_model(former(tmp_path, "full_attention_every: 4", "full_attention_every: 1"))
    assert ([*full.mixers], full.layer_count, full.has_state) == (["attention"], 60, False)


@pytest.mark.parametrize(
    ("before", "after", "answer"),
    [
        ("every: 4", "every: 61", "full_attention_every: 61 leaves none of 60 layers"),
        ("kv_heads: 2", "kv_heads: 0", "line 8: attention.kv_heads: input should be greater than 0"),
        ("kv_heads: 2", "kv_head: 2", "line 8: attention.kv_head: unknown key"),
        ("experts: 512", "experts: 512000", "line 10: moe.experts: 512,000 is implausible"),
        ("top_k: 10", "top_k: 1000", "line 10: moe: top_k: 1000 exceeds experts 512"),
        ("layers: 60", "layers: '60'", "line 5: layers: input should be a valid integer"),
        ("mtp_layers: 1", "mtp_layers: -1", "mtp_layers: input should be greater than or equal to 0"),
        ("mtp_layers: 1", "", "mtp_layers: missing"),
        ("hidden: 4096", "hidden: 4", "line 4: hidden: 4 is implausible"),
        ("hidden: 4096", "hidden: many", "line 4: hidden: input should be a valid integer"),
        ("gdn: {", "gdm: {", "gdm: unknown key"),
    ],
)
def test_faults_of_the_former_form_name_its_keys(tmp_path: Path, before: str, after: str, answer: str) -> None:
    with pytest.raises(InputError) as caught:
        load_model(former(tmp_path, before, after))
    assert answer in str(caught.value)


def test_formats_are_inherited() -> None:
    model = Model.model_validate(MIXED)
    stored = checkpoint_bytes(model, model.checkpoints["one"])
    counts = target_parameters(model) | draft_parameters(model)
    each = {group: size / counts[group] for group, size in stored.items()}
    assert each == {
        "attention": 2,
        "dense": 1,
        "routed_experts": 1,
        "router": 2,
        "norms": 2,
        "lm_head": 2,
        "draft_fc": 2,
        "draft_attention": 2,
        "draft_dense": 2,
        "draft_norms": 2,
    }
