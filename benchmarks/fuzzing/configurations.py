"""Configurations of models, as repositories have them."""

from __future__ import annotations

import json
from typing import Any

from fuzzing.inputs import CLOSED, Made, Steps, kind
from fuzzing.traffic import mutated_lines

PLAIN: dict[str, Any] = {
    "architectures": ["MixtralForCausalLM"], "model_type": "mixtral", "hidden_size": 512, "intermediate_size": 256,
    "num_attention_heads": 8, "num_key_value_heads": 2, "num_hidden_layers": 4, "num_local_experts": 8,
    "num_experts_per_tok": 2, "vocab_size": 3200, "sliding_window": None, "tie_word_embeddings": False,
}  # fmt: skip
WINDOWED: dict[str, Any] = {
    "architectures": ["GptOssForCausalLM"], "model_type": "gpt_oss", "hidden_size": 512, "intermediate_size": 512,
    "num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 64, "num_hidden_layers": 2,
    "num_local_experts": 8, "num_experts_per_tok": 2, "vocab_size": 3200, "sliding_window": 128,
    "layer_types": ["sliding_attention", "full_attention"],
    "quantization_config": {"quant_method": "mxfp4", "modules_to_not_convert": ["model.layers.*.self_attn"]},
}  # fmt: skip
DEEP: dict[str, Any] = {
    "architectures": ["Qwen3_5MoeForConditionalGeneration"], "model_type": "qwen3_5_moe", "vision_config": {"depth": 2},
    "text_config": {
        "model_type": "qwen3_5_moe_text", "hidden_size": 512, "moe_intermediate_size": 128, "num_attention_heads": 8,
        "num_key_value_heads": 2, "head_dim": 64, "num_hidden_layers": 4, "full_attention_interval": 2,
        "linear_num_key_heads": 4, "linear_key_head_dim": 64, "linear_num_value_heads": 8,
        "linear_value_head_dim": 64, "linear_conv_kernel_dim": 4, "num_experts": 8, "num_experts_per_tok": 2,
        "shared_expert_intermediate_size": 128, "mtp_num_hidden_layers": 1, "vocab_size": 3200,
    },
}  # fmt: skip
EXAMPLE = json.dumps(PLAIN).encode()


@kind(10)
def configuration(steps: Steps) -> Made:
    """A configuration, imported or predicted with."""
    chosen = steps.rng.choice([PLAIN, WINDOWED, DEEP])
    content = mutated_lines(steps, [json.dumps(chosen)])
    roll = steps.rng.random()
    if roll < 0.7:
        line = ["import-model", "config.json", *steps.format(("--format", "csv"), ("-o", "out.yaml"))]
    elif roll < 0.9:
        line = ["explain", "--model", "config.json", *steps.format(("--phase", "both"))]
    else:
        line = ["predict", *CLOSED, "--model", "config.json", *steps.format(("--format", "csv"))]
    return line, {"config.json": content}
