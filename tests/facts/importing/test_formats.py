"""Number formats of a checkpoint, as each method of quantisation states them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from simulator.errors import InputError
from simulator.facts.importing.patterns import Modules
from simulator.facts.importing.profile import Profile, profile_of
from simulator.facts.importing.reading import read_files
from tests.facts.importing.examples import EXPERTS, LATENT, PLAIN, config, write

GROUPS = ("attention", "dense", "routed_experts", "shared_expert", "lm_head", "draft_experts", "draft_dense")
DEEP = LATENT | {"num_nextn_predict_layers": 1}


def made(folder: Path, content: dict[str, Any], quantisation: dict[str, Any] | None = None) -> Profile:
    return profile_of(read_files(write(folder, content | {"quantization_config": quantisation})))


def formats(profile: Profile) -> dict[str, Any]:
    (found,) = profile.content["checkpoints"].values()
    return {group: found[group] for group in GROUPS if group in found}


def test_without_quantisation_all_is_bf16(tmp_path: Path) -> None:
    found = made(tmp_path, DEEP)
    assert set(formats(found).values()) == {"bf16"}
    assert [*found.content["checkpoints"]] == ["bf16"]


def test_fp8_in_blocks(tmp_path: Path) -> None:
    """Everything but the lm_head, whatever the list of what is kept says of routers and norms."""
    kept = {"quant_method": "fp8", "modules_to_not_convert": ["lm_head", "model.layers.1.mlp.gate", "gate"]}
    found = formats(made(tmp_path, DEEP, kept))
    assert {group for group, fmt in found.items() if fmt == "bf16"} == {"lm_head"}
    assert set(found.values()) == {"fp8", "bf16"}


def test_mxfp4_experts_with_parts_kept() -> None:
    found = profile_of(read_files(config("openai/gpt-oss-120b")))
    assert formats(found) == {"attention": "bf16", "routed_experts": "mxfp4", "lm_head": "bf16"}


def test_fp4_experts_by_a_key_of_their_own() -> None:
    found = profile_of(read_files(config("deepseek-ai/DeepSeek-V4-Pro")))
    assert formats(found) == {
        "attention": "fp8", "routed_experts": "mxfp4", "shared_expert": "fp8", "lm_head": "bf16",
        "draft_experts": "mxfp4", "draft_dense": "fp8",
    }  # fmt: skip
    assert found.content["checkpoints"]["mxfp4"]["precision"] == "fp4"


def test_integers_in_groups_with_what_is_ignored() -> None:
    found = profile_of(read_files(config("moonshotai/Kimi-K2.5")))
    assert formats(found) == {
        "attention": "bf16", "dense": "bf16", "routed_experts": "int4", "shared_expert": "bf16", "lm_head": "bf16",
    }  # fmt: skip


def test_a_separate_file_about_quantisation(tmp_path: Path) -> None:
    """Beside the configuration it is found, elsewhere it is named, and it goes before the configuration's own."""
    text, quant = config("nvidia/Qwen3.5-397B-A17B-NVFP4"), config("nvidia/Qwen3.5-397B-A17B-NVFP4")
    quant = quant.replace("config.json", "hf_quant_config.json")
    beside = profile_of(read_files(text))
    bare = write(tmp_path, EXPERTS)
    named = profile_of(read_files(text, quant))
    assert beside.content == named.content
    expected = {"attention": "bf16", "routed_experts": "nvfp4", "shared_expert": "bf16", "lm_head": "bf16",
                "draft_experts": "bf16", "draft_dense": "bf16"}  # fmt: skip
    assert formats(beside) == expected
    assert "hf_quant_config.json" in beside.content["checkpoints"]["nvfp4"]["source"]
    assert formats(profile_of(read_files(bare, quant)))["routed_experts"] == "nvfp4"
    with pytest.raises(InputError, match=r"no\.json: no such file"):
        read_files(bare, "no.json")


TENSORS = {"num_bits": 8, "type": "float", "group_size": None}
GROUP = {"targets": ["Linear"], "weights": TENSORS}


@pytest.mark.parametrize(
    ("quantisation", "attention", "experts", "head"),
    [
        (
            {"quant_method": "compressed-tensors", "config_groups": {"g": GROUP}, "ignore": ["lm_head"]},
            "fp8",
            "fp8",
            "bf16",
        ),
        ({"quant_method": "compressed-tensors", "config_groups": {"g": GROUP}, "ignore": []}, "fp8", "fp8", "fp8"),
        (
            {
                "quant_method": "compressed-tensors",
                "config_groups": {
                    "a": {"targets": ["re:.*self_attn.*"], "weights": TENSORS},
                    "b": {"targets": ["re:.*experts.*"], "weights": {"num_bits": 4, "type": "float", "group_size": 16}},
                },
            },
            "fp8",
            "nvfp4",
            "bf16",
        ),
        ({"quant_method": "modelopt", "quant_algo": "FP8", "exclude_modules": ["*self_attn*"]}, "bf16", "fp8", "fp8"),
        (
            {
                "quant_algo": "MIXED_PRECISION",
                "quantized_layers": {
                    "model.layers.*.self_attn*": {"quant_algo": "FP8"},
                    "model.layers.*.mlp.experts*": {"quant_algo": "NVFP4"},
                },
            },
            "fp8",
            "nvfp4",
            "bf16",
        ),
        (
            {
                "quant_method": "quark",
                "global_quant_config": {"weight": {"dtype": "fp4", "group_size": 32}},
                "layer_quant_config": {"*self_attn*": {"weight": {"dtype": "fp8_e4m3"}}},
                "exclude": ["lm_head"],
            },
            "fp8",
            "mxfp4",
            "bf16",
        ),
        ({"quant_method": "awq", "bits": 4, "modules_to_not_convert": ["self_attn"]}, "bf16", "int4", "bf16"),
        ({"quant_method": "fbgemm_fp8"}, "fp8", "fp8", "bf16"),
    ],
)
def test_methods(quantisation: dict[str, Any], attention: str, experts: str, head: str, tmp_path: Path) -> None:
    found = formats(made(tmp_path, EXPERTS, quantisation))
    assert (found["attention"], found["routed_experts"], found["lm_head"]) == (attention, experts, head)


@pytest.mark.parametrize(
    ("quantisation", "said"),
    [
        ({"bits": 4}, "quantization_config.quant_method: missing; expected one of fp8"),
        ({"quant_method": "magic"}, "unknown config.json: quantization_config.quant_method 'magic'"),
        ({"quant_method": "awq"}, "bits or w_bit or wbits: missing"),
        (
            {"quant_method": "gptq", "bits": 3},
            "expected integers of 4 bits or floats of 4 or 8, found integers of 3 bits",
        ),
        ({"quant_method": "fp8", "modules_to_not_convert": "all"}, "modules_to_not_convert: expected a list of names"),
        ({"quant_method": "compressed-tensors", "ignore": ["re:("]}, "expected a regular expression, found '('"),
        ({"quant_method": "modelopt", "quant_algo": "FP2"}, "quant_algo 'FP2'"),
        (
            {"quant_method": "modelopt", "quant_algo": "MIXED_PRECISION"},
            "quantized_layers: expected the format of each",
        ),
        ({"quant_method": "quark", "global_quant_config": {"weight": {"dtype": "int9"}}}, "found 'int9'"),
        (
            {"quant_method": "compressed-tensors", "config_groups": {"g": {"targets": "Linear", "weights": TENSORS}}},
            "config_groups.g.targets: expected a list of modules",
        ),
    ],
)
def test_unknown_quantisation(
    quantisation: dict[str, Any], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, EXPERTS | {"quantization_config": quantisation})
    with pytest.raises(InputError) as caught:
        profile_of(read_files("config.json"))
    assert said in str(caught.value)


def test_groups_whose_modules_differ_are_told(tmp_path: Path) -> None:
    """One of four layers keeps its attention: three in four modules decide, and that is said."""
    found = made(tmp_path, PLAIN, {"quant_method": "fp8", "ignored_layers": ["model.layers.2.self_attn"]})
    assert formats(found)["attention"] == "fp8"
    (item,) = found.items
    assert (item.value, item.decisive) == ("75% fp8, 25% bf16", False)
    assert "attention differ" in item.why


def test_a_repository_named_after_a_format_that_no_file_states(tmp_path: Path) -> None:
    path = write(tmp_path, PLAIN, "org--Model-FP8.config.json")
    (item,) = profile_of(read_files(path)).items
    assert item.key == "quantization_config"
    assert "FP8" in item.why
    assert not profile_of(read_files(write(tmp_path, PLAIN, "org--Model-8B.config.json"))).items


@pytest.mark.parametrize(
    ("entry", "name", "expected"),
    [
        ("lm_head", "lm_head", True),
        ("model.layers.1", "model.layers.1.mlp.up_proj", True),
        ("model.layers.1", "model.layers.10.mlp.up_proj", False),
        ("mlp.gate", "model.layers.1.mlp.gate_proj", False),
        ("*.mlp.experts*", "model.layers.1.mlp.experts.0.up_proj", True),
        ("model.layers.*.self_attn", "model.layers.1.self_attn.q_proj", True),
        ("re:.*shared.*", "model.layers.1.mlp.shared_expert.up_proj", True),
        ("re:shared.*", "model.layers.1.mlp.shared_expert.up_proj", False),
    ],
)
def test_entries_of_lists_of_modules(entry: str, name: str, expected: bool) -> None:
    assert (name in Modules([entry], "a.json")) is expected
