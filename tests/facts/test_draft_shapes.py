"""Drafts of every kind: their parameters, bytes and passes by hand, and which one a user means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter, ValidationError

from simulator.errors import InputError
from simulator.facts.deployment import Deployment, check_deployment
from simulator.facts.draft import KINDS, Draft
from simulator.facts.drafting import with_draft
from simulator.facts.drafts.base import Passes
from simulator.facts.identity import known_model
from simulator.facts.memory import kv_bytes, memory_fit
from simulator.facts.model import Model
from simulator.facts.reading import load_engine, load_hardware, load_model, names
from simulator.facts.weights import checkpoint_bytes, draft_parameters, weight_bytes_per_gpu
from simulator.planning.plan import plan
from simulator.serving.scenario import describe, make_scenario
from simulator.speculation.published import load_acceptance

ADAPTER: TypeAdapter[Any] = TypeAdapter(Draft)
OWN: dict[str, Any] = {
    "hidden": 64,
    "mixers": {"full": {"kind": "attention", "query_heads": 8, "kv_heads": 2, "head_dim": 16}},
    "feed_forwards": {"mlp": {"kind": "dense", "intermediate": 160}},
    "layers": [{"count": 2, "mixer": "full", "feed_forward": "mlp"}],
    "source": "made up",
}
TARGET: dict[str, Any] = {
    "name": "target",
    "source": "made up",
    "hidden": 96,
    "vocabulary": 1000,
    "mixers": {"mla": {"kind": "latent_attention", "query_heads": 8, "kv_rank": 32}},
    "feed_forwards": {"moe": {"kind": "experts", "experts": 8, "top_k": 2, "intermediate": 64}},
    "layers": [{"count": 5, "mixer": "mla", "feed_forward": "moe"}],
    "checkpoints": {
        "one": {"repository": "", "precision": "fp8", "source": "", "attention": "fp8", "routed_experts": "fp8"}
    },
}
TARGET["mixers"]["mla"] |= {"nope_dim": 12, "rope_dim": 8, "value_dim": 10}
LAYER = 64 * (128 + 2 * 32) + 128 * 64 + 3 * 64 * 160
"""Parameters of a layer of the separate drafts, its norms apart."""


def target(**draft: Any) -> Model:
    """The target with a draft of its own."""
    return Model.model_validate(TARGET | {"draft": draft})


def deploy(model: Model, engine: str = "vllm", **changes: Any) -> Deployment:
    base = {"hardware": load_hardware("h100"), "model": model, "engine": load_engine(engine), "checkpoint": "one"}
    return Deployment.model_validate(base | {"tp": 2} | changes)


def test_an_eagle_draft_by_hand() -> None:
    """Three hidden vectors of 96 to one of 64; q, k and v take the embedding too; 500 tokens of its own head."""
    model = target(kind="eagle3", vocabulary=500, **OWN)
    assert draft_parameters(model) == {
        "draft_fc": 3 * 96 * 64 + 2 * 64 * (128 + 2 * 32),
        "draft_attention": 2 * (64 * (128 + 2 * 32) + 128 * 64),
        "draft_dense": 2 * 3 * 64 * 160,
        "draft_norms": 4 * 64 + 64,
        "draft_lm_head": 500 * 64,
    }
    stored = checkpoint_bytes(model, model.checkpoints["one"])
    assert stored["draft_attention"] == 2 * 2 * (64 * (128 + 2 * 32) + 128 * 64)  # BF16 whatever the target is
    held = weight_bytes_per_gpu(deploy(model), draft=True)
    assert held["draft_fc"] == 2 * (3 * 96 * 64 + 64 * (128 + 2 * 32))
    assert held["draft_lm_head"] == 2 * 250 * 64
    assert held["draft_dense"] == 2 * 3 * 64 * 160
    assert "draft_fc" not in weight_bytes_per_gpu(deploy(model), draft=False)
    # five latents of 40 channels in FP8, and two layers of two KV heads
    assert kv_bytes(model, 100.0, "fp8", spec_tokens=3) == 100 * (5 * 40 + 2 * 2 * 2 * 16)


def test_a_block_draft_by_hand() -> None:
    """Five hidden vectors to one, and the target's head; its weights in FP8 but for the norms."""
    model = target(kind="block", weights="fp8", **OWN)
    assert draft_parameters(model) == {
        "draft_fc": 5 * 96 * 64,
        "draft_attention": 2 * (LAYER - 3 * 64 * 160),
        "draft_dense": 2 * 3 * 64 * 160,
        "draft_norms": 5 * 64,
    }
    stored = checkpoint_bytes(model, model.checkpoints["one"])
    assert (stored["draft_fc"], stored["draft_norms"]) == (5 * 96 * 64, 2 * 5 * 64)


def test_a_draft_model_by_hand() -> None:
    """Its own embedding and head, one matrix or two, divided over the GPUs; formats by group."""
    model = target(kind="model", vocabulary=1000, weights={"attention": "fp8"}, **OWN)
    assert draft_parameters(model) | {"draft_norms": 0} == {
        "draft_attention": 2 * (LAYER - 3 * 64 * 160),
        "draft_dense": 2 * 3 * 64 * 160,
        "draft_norms": 0,
        "draft_embedding": 64_000,
        "draft_lm_head": 64_000,
    }
    tied = target(kind="model", vocabulary=1000, tied_embedding=True, **OWN)
    assert "draft_embedding" not in draft_parameters(tied)
    held = weight_bytes_per_gpu(deploy(model), draft=True)
    assert (held["draft_embedding"], held["draft_lm_head"]) == (64_000, 64_000)
    stored = checkpoint_bytes(model, model.checkpoints["one"])
    assert stored["draft_attention"] == 2 * (LAYER - 3 * 64 * 160)
    assert stored["draft_dense"] == 2 * 2 * 3 * 64 * 160


def test_an_ngram_draft_keeps_nothing() -> None:
    model = target(kind="ngram")
    assert draft_parameters(model) == {}
    d = deploy(model)
    assert memory_fit(d, 100, 3) == memory_fit(d, 100, 0)


@pytest.mark.parametrize(
    ("kind", "engine", "passes"),
    [
        ("mtp", "sglang", Passes(2, 1, 0)),
        ("mtp", "atom", Passes(3, 0, 0)),
        ("eagle3", "sglang", Passes(2, 1, 0)),
        ("eagle3", "atom", Passes(3, 0, 0)),
        ("model", "vllm", Passes(2, 1, 0)),
        ("block", "sglang", Passes(0, 0, 1)),
        ("block", "atom", Passes(0, 0, 1)),
        ("ngram", "vllm", Passes(0, 0, 0)),
    ],
)
def test_passes_of_a_round_that_drafts_three_tokens(kind: str, engine: str, passes: Passes) -> None:
    own = {"mixer": "mla", "feed_forward": "moe"} if kind == "mtp" else {} if kind == "ngram" else OWN
    draft = {"kind": kind, **own} | ({"vocabulary": 1000} if kind == "model" else {})
    d = deploy(target(**draft), engine)
    assert d.draft_passes(3) == passes
    assert d.draft_passes(0).total == 0
    assert set(KINDS) == {"mtp", "eagle3", "block", "model", "ngram"}


NET = {"kind": "gated_delta_net", "key_heads": 4, "key_dim": 8, "value_heads": 4, "value_dim": 8, "conv_kernel": 4}


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ({"mixers": {"full": NET}}, "no way back"),
        ({"feed_forwards": {"mlp": TARGET["feed_forwards"]["moe"]}}, "cannot have experts"),
        ({"layers": [{"count": 1, "mixer": "near"}]}, "mixer near: expected one of full"),
        ({"kind": "model"}, "vocabulary: missing"),
        ({"kind": "eagle"}, "does not match"),
    ],
)
def test_drafts_that_cannot_be(changes: dict[str, Any], answer: str) -> None:
    with pytest.raises(ValidationError, match=answer):
        ADAPTER.validate_python({"kind": "eagle3", **OWN, **changes})


def test_ranks_divide_the_draft_too() -> None:
    model = target(kind="block", **(OWN | {"feed_forwards": {"mlp": {"kind": "dense", "intermediate": 162}}}))
    with pytest.raises(InputError, match="tp 4 must divide the 162 dense intermediate"):
        check_deployment(deploy(model, tp=4))


def test_which_draft_a_user_means(tmp_path: Path) -> None:
    qwen, kimi, llama = (load_model(name) for name in ("qwen3.5-397b-a17b", "kimi-k2.5", "llama-3.3-70b"))
    assert with_draft(qwen, None) is with_draft(qwen, "MTP") is qwen
    assert with_draft(kimi, "ngram").draft == ADAPTER.validate_python({"kind": "ngram"})
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump({"kind": "eagle3", **OWN}))
    found = with_draft(kimi, str(path)).draft
    assert found == ADAPTER.validate_python({"kind": "eagle3", **OWN})
    small = with_draft(llama, "llama-3.1-8b").draft
    assert small is not None
    assert (small.kind, small.width(llama.hidden), small.formats()["attention"]) == ("model", 4096, "bf16")
    drafted = sum(draft_parameters(with_draft(llama, "llama-3.1-8b")).values())
    assert drafted == pytest.approx(8.03e9, rel=0.001)


@pytest.mark.parametrize(
    ("model", "draft", "answer"),
    [
        ("kimi-k2.5", "mtp", "kimi-k2.5 has no MTP layer"),
        ("kimi-k2.5", "llama-3.1-8b", "128,256 tokens and kimi-k2.5 163,840"),
        ("kimi-k2.5", "model", "expected the name of the model"),
        ("kimi-k2.5", "eagle4", "expected mtp, eagle3, block, ngram, a file or a model"),
        ("qwen3-32b", "qwen3-30b-a3b", "a draft of its own cannot have experts"),
    ],
)
def test_drafts_that_do_not_fit(model: str, draft: str, answer: str) -> None:
    with pytest.raises(InputError, match=answer):
        with_draft(load_model(model), draft)


def test_faults_of_a_file_name_their_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("kind: block\nhidden: 64\nlayer: 3\n")
    with pytest.raises(InputError, match=r"line 3: layer: unknown key"):
        with_draft(load_model("kimi-k2.5"), str(path))


def test_typical_drafts() -> None:
    """A layer of the target's own heads; where it has none of grouped attention, of 128 channels."""
    llama = with_draft(load_model("llama-3.3-70b"), "eagle3")
    attention, dense = 8192 * (2 * 64 + 2 * 8) * 128, 3 * 8192 * 28_672
    assert draft_parameters(llama) == {
        "draft_fc": 3 * 8192**2 + 8192 * (64 + 2 * 8) * 128,
        "draft_attention": attention,
        "draft_dense": dense,
        "draft_norms": 3 * 8192,
        "draft_lm_head": 32_000 * 8192,
    }
    kimi = with_draft(load_model("kimi-k2.5"), "block")
    assert draft_parameters(kimi)["draft_attention"] == 5 * 7168 * (2 * 56 + 2 * 8) * 128
    assert draft_parameters(kimi)["draft_dense"] == 5 * 3 * 7168 * 18_432
    assert "draft_lm_head" not in draft_parameters(kimi)


@pytest.mark.parametrize("name", names("model"))
def test_published_acceptance_of_other_drafts(name: str) -> None:
    methods = {"eagle3": "EAGLE3", "block": "DSpark"}
    for kind, profile in load_model(name).draft_acceptance.items():
        assert load_acceptance(profile).method.startswith(methods[kind])
        assert load_acceptance(profile).model.startswith(name)


def test_acceptance_goes_with_the_draft() -> None:
    """Published with the draft, or stated; a fitted one belongs to the model's own layers."""
    base: dict[str, Any] = {"hardware": "mi355x", "engine": "atom", "tp": 8, "mtp": 3}
    eagle = make_scenario(model="kimi-k2.5", draft="eagle3", **base)
    assert eagle.speculation.acceptance_length == pytest.approx(3.07, abs=0.01)
    assert "kimi-k2.5-gsm8k" in str(eagle.speculation.source)
    with pytest.raises(InputError, match="no published acceptance of block drafts"):
        make_scenario(model="kimi-k2.5", draft="block", **base)
    with pytest.raises(InputError, match="no published acceptance of n-gram drafts"):
        make_scenario(draft="ngram", **base)
    stated = make_scenario(draft="ngram", acceptance_length=1.6, **base)
    assert stated.calibration.name == make_scenario(acceptance_length=1.6, **base).calibration.name


def test_a_draft_makes_no_other_model() -> None:
    model = with_draft(load_model("qwen3.5-397b-a17b"), "ngram").model_copy(update={"name": "ours"})
    assert known_model(model) == "qwen3.5-397b-a17b"


def test_what_was_asked_for_is_told() -> None:
    """The draft as it was named, and its kind; neither of a model's own MTP layers."""
    base: dict[str, Any] = {"model": "llama-3.3-70b", "engine": "vllm", "precision": "fp4", "tp": 4, "mtp": 2}
    told = describe(make_scenario(draft="llama-3.1-8b", acceptance_rate=0.8, **base))
    assert (told["draft"], told["draft_kind"]) == ("llama-3.1-8b", "model")
    assert not {"draft", "draft_kind", "pp"} & describe(make_scenario()).keys()
    answer = plan(
        make_scenario(draft="ngram", **base | {"mtp": 0}), rate=1.0, promises=["tpot-p95=1s"], tp=(4,), mtp=(0,)
    )
    assert "--draft ngram" in str(answer.simulate)
