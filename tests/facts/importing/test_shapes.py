"""What the keys of a configuration mean: which layers there are, of what kind, and of what shape."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from simulator.errors import InputError
from simulator.facts.importing.profile import profile_of
from simulator.facts.importing.reading import read_files
from tests.facts.importing.examples import EXPERTS, LATENT, PLAIN, config, write


def made(folder: Path, content: dict[str, Any]) -> dict[str, Any]:
    return profile_of(read_files(write(folder, content))).content


def layers(content: dict[str, Any]) -> list[tuple[int, str, str]]:
    return [(group["count"], group["mixer"], group["feed_forward"]) for group in content["layers"]]


def test_a_plain_decoder(tmp_path: Path) -> None:
    """Without a head_dim it is hidden / heads, and the source says so."""
    found = made(tmp_path, PLAIN)
    assert found["mixers"] == {"attention": {"kind": "attention", "query_heads": 16, "kv_heads": 4, "head_dim": 64}}
    assert found["feed_forwards"] == {"dense": {"kind": "dense", "intermediate": 4096}}
    assert layers(found) == [(4, "attention", "dense")]
    assert found["sources"]["mixers.attention.head_dim"] == "hidden_size / num_attention_heads"
    assert "draft" not in found
    assert "tied_embedding" not in found


def test_heads_without_a_key_are_as_many_as_of_queries(tmp_path: Path) -> None:
    found = made(tmp_path, {key: value for key, value in PLAIN.items() if key != "num_key_value_heads"})
    assert found["mixers"]["attention"]["kv_heads"] == 16


@pytest.mark.parametrize(
    ("content", "changes", "expected"),
    [
        (PLAIN, {"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"]}, {"bias": True}),
        (PLAIN, {"attention_bias": True}, {"bias": True}),
        (PLAIN, {"attention_bias": False}, {}),
        (EXPERTS, {}, {"qk_norm": True}),
        (PLAIN, {"model_type": "gpt_oss", "architectures": ["GptOssForCausalLM"]}, {"sinks": True}),
        (PLAIN, {"attn_output_gate": True}, {"output_gate": True}),
        (PLAIN, {"v_head_dim": 32}, {"value_dim": 32}),
    ],
)
def test_traits_of_attention(
    content: dict[str, Any], changes: dict[str, Any], expected: dict[str, Any], tmp_path: Path
) -> None:
    """By a key, or implied by the architecture."""
    found = made(tmp_path, content | changes)["mixers"]["attention"]
    known = {"kind", "query_heads", "kv_heads", "head_dim"}
    assert {key: value for key, value in found.items() if key not in known} == expected


SLIDING, FULL = "sliding_attention", "full_attention"


@pytest.mark.parametrize(
    ("changes", "windows"),
    [
        ({"sliding_window": 128, "layer_types": [SLIDING, FULL, SLIDING, SLIDING]}, 3),
        ({"sliding_window": 128}, 4),
        ({"sliding_window": 128, "use_sliding_window": False}, 0),
        ({"sliding_window": 128, "use_sliding_window": True, "max_window_layers": 3}, 1),
        ({"sliding_window": None, "max_window_layers": 3, "use_sliding_window": False}, 0),
        ({"sliding_window": 0}, 0),
        ({"sliding_window": 4096, "max_position_embeddings": 4096}, 0),
        ({"sliding_window": 128, "sliding_window_pattern": 2}, 2),
        ({"sliding_window": 128, "hybrid_layer_pattern": [0, 1, 1, 1]}, 3),
        ({"attention_chunk_size": 128, "no_rope_layers": [1, 1, 1, 0]}, 3),
    ],
)
def test_which_layers_have_a_window(changes: dict[str, Any], windows: int, tmp_path: Path) -> None:
    found = made(tmp_path, PLAIN | changes)
    expected = [(windows, "window", "dense"), (4 - windows, "attention", "dense")]
    assert sorted(layers(found)) == sorted(group for group in expected if group[0])
    assert ("window" in found["mixers"]) == bool(windows)
    if windows:
        assert found["mixers"]["window"]["window"] == 128


@pytest.mark.parametrize(
    ("kind", "name", "full"), [("gemma2", "Gemma2ForCausalLM", 2), ("llama4", "Llama4ForCausalLM", 1)]
)
def test_windows_that_the_architecture_implies(kind: str, name: str, full: int, tmp_path: Path) -> None:
    found = made(tmp_path, PLAIN | {"model_type": kind, "architectures": [name], "sliding_window": 256})
    assert (full, "attention", "dense") in layers(found)


def test_window_layers_may_have_heads_of_their_own(tmp_path: Path) -> None:
    own = {"swa_num_attention_heads": 8, "swa_num_key_value_heads": 8, "swa_head_dim": 96, "swa_v_head_dim": 64}
    found = made(
        tmp_path,
        PLAIN
        | own
        | {"sliding_window": 128, "hybrid_layer_pattern": [0, 1, 1, 1], "add_swa_attention_sink_bias": True},
    )
    assert found["mixers"]["window"] == {
        "kind": "attention", "query_heads": 8, "kv_heads": 8, "head_dim": 96, "value_dim": 64, "sinks": True,
        "window": 128,
    }  # fmt: skip
    assert found["mixers"]["attention"] == {"kind": "attention", "query_heads": 16, "kv_heads": 4, "head_dim": 64}


def test_full_layers_may_have_heads_of_their_own() -> None:
    """Gemma 4: ``head_dim`` and ``num_key_value_heads`` are those of the window layers."""
    found = profile_of(read_files(config("google/gemma-4-26B-A4B"))).content
    shapes = {name: (m["kv_heads"], m["head_dim"]) for name, m in found["mixers"].items()}
    assert shapes == {"attention": (2, 512), "window": (8, 256)}
    assert layers(found) == [(25, "window", "moe"), (5, "attention", "moe")]
    assert found["feed_forwards"]["moe"]["shared_intermediate"] == 2112
    assert found["tied_embedding"] is True


def test_latent_attention(tmp_path: Path) -> None:
    """Heads of keys and ``head_dim`` mean nothing there; a rank of null is none."""
    found = made(tmp_path, LATENT | {"num_key_value_heads": 16, "head_dim": 7, "q_lora_rank": None})
    assert found["mixers"] == {
        "mla": {
            "kind": "latent_attention",
            "query_heads": 16,
            "kv_rank": 128,
            "nope_dim": 64,
            "rope_dim": 32,
            "value_dim": 64,
        }
    }
    assert layers(found) == [(1, "mla", "dense"), (3, "mla", "moe")]
    assert found["feed_forwards"]["moe"]["shared_intermediate"] == 2 * 512


INDEX = {"index_topk": 64, "index_n_heads": 4, "index_head_dim": 32}


@pytest.mark.parametrize(
    ("changes", "shared"),
    [
        ({}, 0),
        ({"indexer_types": ["full", "shared", "full", "shared"]}, 2),
        ({"index_topk_freq": 2, "index_skip_topk_offset": 1}, 2),
        ({"index_topk_freq": 1}, 0),
    ],
)
def test_an_index_in_every_layer_or_shared(changes: dict[str, Any], shared: int, tmp_path: Path) -> None:
    found = made(tmp_path, LATENT | INDEX | changes)
    assert sum(count for count, mixer, _ in layers(found) if mixer == "mla_shared") == shared
    index = {"heads": 4, "dim": 32, "top_k": 64}
    assert found["mixers"]["mla"]["index"] == index
    if shared:
        assert found["mixers"]["mla_shared"]["index"] == {**index, "shared": True}


def test_the_rule_of_shared_indices_is_the_published_list() -> None:
    """GLM-5.2 states both: 3 first layers and every fourth after them run the index."""
    files = read_files(config("zai-org/GLM-5.2"))
    listed = profile_of(files).content
    files.text.raw = {key: value for key, value in files.text.raw.items() if key != "indexer_types"}
    assert layers(profile_of(files).content) == layers(listed)
    assert layers(listed) == [(3, "mla", "dense"), (57, "mla_shared", "moe"), (18, "mla", "moe")]


def test_an_index_of_blocks() -> None:
    found = profile_of(read_files(config("MiniMaxAI/MiniMax-M3"))).content
    assert layers(found) == [(3, "attention", "dense"), (57, "sparse", "moe")]
    assert found["mixers"]["sparse"]["blocks"] == {
        "index_heads": 4, "index_dim": 128, "block": 128, "top_blocks": 16, "local_blocks": 1,
    }  # fmt: skip


def test_compressed_attention() -> None:
    """The last of the ratios is that of the draft layer: a window alone."""
    found = profile_of(read_files(config("deepseek-ai/DeepSeek-V4-Pro"))).content
    assert layers(found) == [(31, "by_128", "moe"), (30, "by_4", "moe")]
    assert found["draft"] == {"kind": "mtp", "layers": 1, "mixer": "window", "feed_forward": "moe"}
    own = {name: (mixer.get("ratio"), mixer["window"], "index" in mixer) for name, mixer in found["mixers"].items()}
    assert own == {"by_128": (128, 128, False), "by_4": (4, 128, True), "window": (None, 128, False)}


LINEAR = {
    "model_type": "qwen3_next",
    "architectures": ["Qwen3NextForCausalLM"],
    "linear_num_key_heads": 4,
    "linear_key_head_dim": 64,
    "linear_num_value_heads": 8,
    "linear_value_head_dim": 64,
    "linear_conv_kernel_dim": 4,
}


@pytest.mark.parametrize("said", [{"full_attention_interval": 4}, {"layer_types": [*["linear_attention"] * 3, FULL]}])
def test_a_gated_delta_net(said: dict[str, Any], tmp_path: Path) -> None:
    found = made(tmp_path, EXPERTS | LINEAR | said | {"shared_expert_intermediate_size": 256})
    assert layers(found) == [(3, "gdn", "moe"), (1, "attention", "moe")]
    assert found["mixers"]["gdn"] == {
        "kind": "gated_delta_net", "key_heads": 4, "key_dim": 64, "value_heads": 8, "value_dim": 64, "conv_kernel": 4,
    }  # fmt: skip
    assert found["mixers"]["attention"]["output_gate"] is True
    moe = found["feed_forwards"]["moe"]
    assert (moe["shared_intermediate"], moe["shared_gate"]) == (256, True)
    assert found["draft"] == {"kind": "mtp", "layers": 1, "mixer": "attention", "feed_forward": "moe"}
    assert found["sources"]["draft.layers"] == "implied by Qwen3NextForCausalLM"


def test_kimi_delta_attention_and_experts_in_a_latent() -> None:
    found = profile_of(read_files(config("moonshotai/Kimi-K3"))).content
    assert sorted(layers(found)) == [(1, "kda", "dense"), (24, "mla", "moe"), (68, "kda", "moe")]
    assert found["mixers"]["kda"] == {
        "kind": "kimi_delta", "heads": 96, "head_dim": 128, "conv_kernel": 4, "full_rank_gate": True,
    }  # fmt: skip
    assert found["mixers"]["mla"]["output_gate"] is True
    moe = found["feed_forwards"]["moe"]
    assert (moe["latent"], moe["shared_intermediate"], moe["top_k"]) == (3584, 6144, 16)


def test_layers_that_are_either_a_mixer_or_a_feed_forward() -> None:
    found = profile_of(read_files(config("nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-FP8"))).content
    assert sorted(layers(found)) == [(8, "attention", "none"), (40, "mamba", "none"), (40, "none", "moe")]
    assert found["mixers"]["mamba"] == {
        "kind": "mamba2", "heads": 128, "head_dim": 64, "state_dim": 128, "groups": 8, "conv_kernel": 4,
    }  # fmt: skip
    moe = found["feed_forwards"]["moe"]
    assert (moe["latent"], moe["shared_intermediate"], moe["gated"]) == (1024, 5376, False)
    assert found["draft"]["mixer"] == "attention"


@pytest.mark.parametrize(
    ("changes", "dense"),
    [
        ({}, 0),
        ({"mlp_only_layers": [0, 2]}, 2),
        ({"decoder_sparse_step": 2}, 2),
        ({"moe_layer_freq": [0, 1, 1, 1]}, 1),
        ({"first_k_dense_replace": 2, "moe_layer_freq": 1}, 2),
        ({"mlp_layer_types": ["dense", "sparse", "sparse", "sparse"]}, 1),
        ({"moe_layers": [1, 3]}, 2),
        ({"interleave_moe_layer_step": 2}, 2),
    ],
)
def test_which_layers_have_experts(changes: dict[str, Any], dense: int, tmp_path: Path) -> None:
    found = made(tmp_path, EXPERTS | changes)
    assert sum(count for count, _, fed in layers(found) if fed == "dense") == dense
    assert ("dense" in found["feed_forwards"]) == bool(dense)


def test_limits_of_groups_and_no_experts(tmp_path: Path) -> None:
    found = made(tmp_path, LATENT | {"n_group": 8, "topk_group": 4})["feed_forwards"]["moe"]
    assert (found["groups"], found["top_groups"]) == (8, 4)
    assert "groups" not in made(tmp_path, LATENT | {"n_group": 1, "topk_group": 1})["feed_forwards"]["moe"]
    assert made(tmp_path, EXPERTS | {"num_experts": 0})["feed_forwards"] == {
        "dense": {"kind": "dense", "intermediate": 4096}
    }


def test_wide_experts_beside_wider_dense_layers() -> None:
    """Llama 4: every second layer has experts of ``intermediate_size`` and a shared one, the others are wider."""
    found = profile_of(read_files(config("meta-llama/Llama-4-Maverick-17B-128E-Instruct"))).content
    assert found["feed_forwards"]["dense"]["intermediate"] == 16384
    moe = found["feed_forwards"]["moe"]
    assert (moe["intermediate"], moe["shared_intermediate"], moe["top_k"]) == (8192, 8192, 1)
    assert sum(count for count, _, fed in layers(found) if fed == "moe") == 24


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, None),
        ({"num_nextn_predict_layers": 0}, None),
        ({"num_nextn_predict_layers": 2}, 2),
        ({"mtp_num_hidden_layers": 1}, 1),
    ],
)
def test_draft_layers(changes: dict[str, Any], expected: int | None, tmp_path: Path) -> None:
    found = made(tmp_path, EXPERTS | changes).get("draft")
    draft = {"kind": "mtp", "layers": expected, "mixer": "attention", "feed_forward": "moe"}
    assert found == (None if expected is None else draft)


def test_tied_embeddings(tmp_path: Path) -> None:
    """Of the text model, of the file around it, or implied."""
    assert made(tmp_path, PLAIN | {"tie_word_embeddings": True})["tied_embedding"] is True
    inner = {key: value for key, value in PLAIN.items() if key != "architectures"}
    outer = {"architectures": ["LlamaForCausalLM"], "model_type": "llava", "text_config": inner}
    assert made(tmp_path, outer | {"tie_word_embeddings": True})["tied_embedding"] is True
    gemma = PLAIN | {"model_type": "gemma3_text", "architectures": ["Gemma3ForCausalLM"]}
    assert made(tmp_path, gemma)["tied_embedding"] is True
    assert "tied_embedding" not in made(tmp_path, gemma | {"tie_word_embeddings": False})


@pytest.mark.parametrize(
    ("content", "changes", "said"),
    [
        (PLAIN, {"hidden_size": None}, "hidden_size: missing"),
        (PLAIN, {"hidden_size": "wide"}, "hidden_size: expected a whole number of 1 to 1,000,000,000, found 'wide'"),
        (PLAIN, {"hidden_size": 1024.0}, "hidden_size: expected a whole number"),
        (PLAIN, {"hidden_size": True}, "hidden_size: expected a whole number"),
        (PLAIN, {"hidden_size": 1000}, "head_dim: missing, and hidden_size 1000 is no multiple of num_attention_heads"),
        (PLAIN, {"num_hidden_layers": 0}, "num_hidden_layers: expected a whole number of 1 to 10,000, found 0"),
        (PLAIN, {"num_hidden_layers": 10**9}, "num_hidden_layers: expected a whole number of 1 to 10,000"),
        (PLAIN, {"attention_bias": "no"}, "attention_bias: expected true or false, found 'no'"),
        (PLAIN, {"tie_word_embeddings": 1}, "tie_word_embeddings: expected true or false, found 1"),
        (
            PLAIN,
            {"sliding_window": 8, "layer_types": [FULL]},
            "layer_types: expected 4 entries, one per layer, found 1",
        ),
        (PLAIN, {"sliding_window": 8, "layer_types": ["x"] * 4}, "layer_types[0]: expected full_attention or"),
        (PLAIN, {"sliding_window": 8, "layer_types": "x"}, "layer_types: expected a list with an entry per layer"),
        (PLAIN, {"architectures": "Llama"}, "architectures: expected a list of names"),
        (PLAIN, {"quantization_config": "fp8"}, "quantization_config: expected an object, found 'fp8'"),
        (EXPERTS, {"num_experts_per_tok": 17}, "num_experts_per_tok: expected at most the 16 experts, found 17"),
        (EXPERTS, {"n_routed_experts": 8}, "n_routed_experts 8 and num_experts 16: expected the same"),
        (EXPERTS, {"moe_intermediate_size": None}, "moe_intermediate_size or expert_ffn_hidden_size: missing"),
        (EXPERTS, {"mlp_only_layers": [0, 1, 2, 3]}, "no layer has the 16 experts"),
        (EXPERTS, {"mlp_only_layers": "all"}, "mlp_only_layers: expected a list of layers"),
        (EXPERTS, {"moe_layers": [4]}, "moe_layers: expected a list of layers, numbered from 0 to 3"),
        (EXPERTS, LINEAR, "layer_types: missing, and no full_attention_interval either"),
        (LATENT, {"kv_lora_rank": -1}, "kv_lora_rank: expected a whole number of 1 to"),
        (LATENT, {"index_topk": 4}, "index_n_heads: missing"),
        (LATENT, {"compress_ratios": [4, 4]}, "compress_ratios: expected 4 or 4 entries"),
        (
            LATENT,
            {"linear_attn_config": {"kda_layers": [1], "full_attn_layers": [2]}},
            "expected each of the layers 1 to 4",
        ),
        (
            LATENT,
            {"linear_attn_config": {"kda_layers": [9]}},
            "linear_attn_config.kda_layers: expected a list of layers",
        ),
        (
            PLAIN,
            {"hybrid_override_pattern": "M*X-"},
            "hybrid_override_pattern: expected a text of the letters M, *, E and -",
        ),
        (
            PLAIN,
            {"hybrid_override_pattern": "M*"},
            "hybrid_override_pattern: expected 4 letters, one per layer, found 2",
        ),
        (EXPERTS, {"expert_dtype": "fp3"}, "expert_dtype: expected fp4, found 'fp3'"),
    ],
)
def test_what_a_key_cannot_say(content: dict[str, Any], changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    """The file, the key, what was found and what was expected."""
    path = write(tmp_path, content | changes)
    with pytest.raises(InputError) as caught:
        profile_of(read_files(path))
    assert path in str(caught.value)
    assert said in str(caught.value)
