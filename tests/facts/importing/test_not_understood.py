"""Never a wrong profile silently: what is not known is told, and refused where it can change the shape."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from simulator.errors import InputError
from simulator.facts import importing
from simulator.facts.importing.harmless import harmless, is_off
from simulator.facts.importing.imported import import_model
from simulator.facts.importing.profile import profile_of
from simulator.facts.importing.reading import read_files
from tests.facts.importing.examples import CONFIGS, EXPERTS, PLAIN, config, write


@pytest.mark.parametrize("path", sorted(CONFIGS.rglob("*.config.json")), ids=lambda path: path.name.split(".config")[0])
def test_published_configurations_are_understood(path: Path) -> None:
    """Every key of every one; what is simplified or left out is told."""
    if "hf_quant" in path.name:
        return
    items = profile_of(read_files(str(path))).items
    assert [item.key for item in items if item.decisive] == []
    assert [item.key for item in items if item.why == "not known"] == []


@pytest.mark.parametrize(
    ("repository", "keys"),
    [
        ("Qwen/Qwen3-32B", set()),
        ("deepseek-ai/DeepSeek-R1", set()),
        ("deepseek-ai/DeepSeek-V4-Pro", {"hc_mult", "num_hash_layers"}),
        ("Qwen/Qwen3.5-35B-A3B", {"vision_config"}),
        ("zai-org/GLM-5.2", {"index_share_for_mtp_iteration"}),
        ("meta-llama/Llama-4-Maverick-17B-128E-Instruct", {"text_config.attention_chunk_size"}),
        ("google/gemma-4-26B-A4B", {"vision_config", "text_config.attention_k_eq_v"}),
        ("MiniMaxAI/MiniMax-M2.5", {"num_mtp_modules"}),
    ],
)
def test_what_is_simplified_or_left_out(repository: str, keys: set[str]) -> None:
    items = profile_of(read_files(config(repository))).items
    assert {item.key for item in items} == keys
    assert all(item.matters and item.why and item.value for item in items)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("num_memory_heads", 4),
        ("attention_type", "magic"),
        ("kv_sharing_map", [0, 0, 1, 1]),
        ("expert_layout", {"a": 1}),
        ("mlp_ratio", 2.5),
        ("num_loops", 3),
    ],
)
def test_unknown_keys_that_can_change_the_shape_are_refused(key: str, value: Any, tmp_path: Path) -> None:
    path = write(tmp_path, PLAIN | {key: value, "another_unknown_width": 8})
    with pytest.raises(InputError) as caught:
        import_model(path)
    assert f"\n  {key}: " in str(caught.value)
    assert "\n  another_unknown_width: 8\n" in str(caught.value)
    assert "--ignore KEY" in str(caught.value)
    found = import_model(path, ignore=[key, "another_unknown_width"])
    assert {item["why"] for item in found.not_understood} == {"not known; ignored as stated"}


@pytest.mark.parametrize("value", [None, False, 0, "", [], {}])
def test_unknown_keys_that_are_off_say_nothing(value: Any, tmp_path: Path) -> None:
    assert import_model(write(tmp_path, PLAIN | {"num_memory_heads": value})).not_understood == ()


def test_unknown_keys_that_speak_of_no_shape_are_told(tmp_path: Path) -> None:
    (item,) = import_model(write(tmp_path, PLAIN | {"colour": "blue"})).not_understood
    assert item == {
        "key": "colour", "value": "'blue'", "why": "not known", "matters": "by its name it changes no shape: little",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model_type": "hyperllama"}, "model_type 'hyperllama': an architecture that is not known"),
        ({"model_type": None}, "model_type: missing"),
        ({"architectures": ["HyperForCausalLM"]}, "architectures 'HyperForCausalLM' of model_type 'llama'"),
    ],
)
def test_unknown_architectures_are_refused(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    path = write(tmp_path, PLAIN | changes)
    with pytest.raises(InputError) as caught:
        import_model(path)
    assert said in str(caught.value)
    found = import_model(path, architecture="Llama")
    assert found.figures()["total_parameters"] == import_model(write(tmp_path, PLAIN)).figures()["total_parameters"]


def test_an_architecture_that_is_stated_must_be_known(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown architecture 'lama'; did you mean 'llama'"):
        import_model(write(tmp_path, PLAIN), architecture="lama")
    found = import_model(write(tmp_path, EXPERTS), architecture="qwen3_moe")
    assert found.content["sources"]["mixers.attention.qk_norm"] == "implied by architecture qwen3_moe, as stated"


def test_towers_are_left_out_at_the_top_alone(tmp_path: Path) -> None:
    """Inside the text model such a key is as unknown as any."""
    inner = {key: value for key, value in PLAIN.items() if key != "architectures"}
    outer = {"architectures": ["LlamaForCausalLM"], "model_type": "llava", "text_config": inner}
    path = write(tmp_path, outer | {"vision_config": {"depth": 27}, "audio_config": None, "image_token_id": 3})
    (item,) = import_model(path).not_understood
    assert (item["key"], item["value"]) == ("vision_config", "1 keys")
    with pytest.raises(InputError, match="num_widgets_per_layer: 2"):
        import_model(write(tmp_path, outer | {"num_widgets_per_layer": 2}))
    with pytest.raises(InputError, match=r"text_config\.vision_depth: 2"):
        import_model(write(tmp_path, outer | {"text_config": {**inner, "vision_depth": 2}}))


def test_a_model_around_the_text_model_may_be_unknown(tmp_path: Path) -> None:
    """The text model is read by its own type, if it names no other class."""
    inner = {key: value for key, value in PLAIN.items() if key != "architectures"}
    outer = {"architectures": ["NewVisionForConditionalGeneration"], "model_type": "new_vision", "text_config": inner}
    (item,) = import_model(write(tmp_path, outer)).not_understood
    assert (item["key"], item["value"]) == ("architectures", "NewVisionForConditionalGeneration")
    with pytest.raises(InputError, match="architectures 'HyperForCausalLM' of model_type 'llama'"):
        import_model(write(tmp_path, outer | {"text_config": {**inner, "architectures": ["HyperForCausalLM"]}}))


def test_objects_inside_are_read_key_by_key(tmp_path: Path) -> None:
    path = write(tmp_path, EXPERTS | {"sparse_attention_config": SPARSE})
    assert import_model(path).not_understood == ()
    path = write(tmp_path, EXPERTS | {"sparse_attention_config": SPARSE | {"sparse_second_index_dim": 8}})
    with pytest.raises(InputError, match=r"sparse_attention_config\.sparse_second_index_dim: 8"):
        import_model(path)
    found = import_model(path, ignore=["sparse_attention_config.sparse_second_index_dim"])
    assert len(found.not_understood) == 1


SPARSE = {
    "sparse_num_index_heads": 2,
    "sparse_index_dim": 64,
    "sparse_block_size": 16,
    "sparse_topk_blocks": 4,
    "sparse_attention_freq": [0, 1, 1, 1],
}

SEEN = """
    text_config num_hidden_layers hidden_size vocab_size tie_word_embeddings num_attention_heads num_key_value_heads
    head_dim q_lora_rank kv_lora_rank qk_nope_head_dim qk_rope_head_dim v_head_dim mla_use_nope mla_use_output_gate
    o_groups o_lora_rank compress_ratios sliding_window hc_mult num_hash_layers index_topk index_n_heads index_head_dim
    index_topk_freq index_skip_topk_offset indexer_types index_share_for_mtp_iteration sparse_attention_config
    sparse_attention_freq sparse_block_size sparse_topk_blocks sparse_local_block sparse_num_index_heads
    sparse_index_dim layer_types hybrid_layer_pattern use_sliding_window full_attention_interval linear_num_key_heads
    linear_num_value_heads linear_key_head_dim linear_value_head_dim linear_conv_kernel_dim mamba_ssm_dtype
    linear_attn_config kda_layers full_attn_layers num_heads short_conv_kernel_size use_full_rank_gate attn_output_gate
    attention_output_gate attention_bias add_swa_attention_sink_bias use_qk_norm qk_norm_type n_routed_experts
    num_local_experts num_experts num_experts_per_tok num_experts_per_token experts_per_token moe_intermediate_size
    intermediate_size routed_expert_hidden_size n_shared_experts num_shared_experts shared_expert_intermediate_size
    shared_intermediate_size first_k_dense_replace dense_intermediate_size moe_layer_freq mlp_layer_types
    mlp_only_layers decoder_sparse_step n_group topk_group scoring_func topk_method norm_topk_prob
    routed_scaling_factor num_nextn_predict_layers mtp_num_hidden_layers mtp_use_dedicated_embeddings use_mtp
    num_mtp_modules mtp_transformer_layers quantization_config quant_method modules_to_not_convert config_groups ignore
    expert_dtype
"""
"""Keys of the configurations of the models that ship, and of MiMo-V2-Flash."""


@pytest.mark.parametrize("key", SEEN.split())
def test_a_key_that_was_seen_is_read_or_known_to_be_harmless(key: str) -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in Path(importing.__file__).parent.rglob("*.py"))
    assert f'"{key}"' in code or harmless(key)


def test_harmless_keys() -> None:
    assert harmless("rope_theta")
    assert harmless("video_token_id")
    assert not harmless("num_hidden_layers")
    assert not harmless("rope_theta_layers")
    assert is_off(0.0) is False
