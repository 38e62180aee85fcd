"""Keys that change no shape and no price that matters: explicit, so that every other key is told of."""

from __future__ import annotations

import re
from typing import Any

GROUPS: dict[str, str] = {
    "rotary embedding, elementwise": """
        rope_theta rope_scaling rope_parameters rope_interleave rope_local_base_freq rope_type rotary_dim rotary_base
        rotary_pct partial_rotary_factor partial_rotary_factors compress_rope_theta swa_rope_theta
        indexer_rope_interleave mrope_section mrope_interleaved use_mrope attn_temperature_tuning floor_scale attn_scale
        max_position_embeddings original_max_position_embeddings max_seq_len seq_length initial_context_length""",
    "norms and activations, elementwise": """
        rms_norm_eps layer_norm_epsilon layer_norm_eps layernorm_epsilon norm_eps norm_epsilon use_gemma_norm
        hidden_act hidden_activation mlp_hidden_act mamba_hidden_act activation swiglu_limit swiglu_alpha qk_norm_type
        final_logit_softcapping attn_logit_softcapping query_pre_attn_scalar attention_multiplier embedding_multiplier
        logits_scaling residual_multiplier hc_eps hc_sinkhorn_iters hc_fn use_rmsnorm residual_in_fp32
        attention_value_scale""",
    "routing: which experts, not how many": """
        scoring_func topk_method norm_topk_prob routed_scaling_factor use_routing_bias moe_router_dtype
        moe_router_activation_func moe_renormalize use_grouped_topk router_jitter_noise moe_router_enable_expert_bias
        moe_shared_expert_overlap num_expert_group""",
    "training": """
        initializer_range attention_dropout hidden_dropout dropout resid_pdrop embd_pdrop attn_pdrop
        router_aux_loss_coef output_router_logits aux_loss_alpha seq_aux z_loss_coeff pretraining_tp ep_size
        rescale_prenorm_residual time_step_floor time_step_limit time_step_max time_step_min time_step_rank
        initializer_factor use_parallel_embedding""",
    "how the reference code runs": """
        use_cache cache_implementation _attn_implementation attn_implementation use_mamba_kernels chunk_size
        num_logits_to_keep use_bfloat16 torchscript return_dict return_dict_in_generate output_attentions
        output_hidden_states tf_legacy_loss chunk_size_feed_forward remove_invalid_values is_decoder
        is_encoder_decoder use_return_dict gradient_checkpointing sliding_window_attention_mode""",
    "names and versions": """
        architectures model_type auto_map _name_or_path transformers_version model_version _commit_hash tokenizer_class
        id2label label2id finetuning_task task_specific_params problem_type prefix dtype torch_dtype source_model
        custom_pipelines unsloth_fixed unsloth_version name""",
    "sampling": """
        bad_words_ids begin_suppress_tokens suppress_tokens diversity_penalty do_sample early_stopping
        encoder_no_repeat_ngram_size exponential_decay_length_penalty forced_bos_token_id forced_eos_token_id
        length_penalty max_length min_length no_repeat_ngram_size num_beam_groups num_beams num_return_sequences
        output_scores repetition_penalty temperature top_k top_p typical_p add_cross_attention
        cross_attention_hidden_size tie_encoder_decoder pruned_heads ignore_index""",
    "of images and sound": """
        vision_token_id use_unified_vision_chunk video_placeholder vision_soft_tokens_per_image
        use_bidirectional_attention vision_feature_layer vision_feature_select_strategy
        image_seq_length spatial_merge_size projector_hidden_act vocab_size_per_layer_input""",
    "where the state is kept": "mamba_ssm_dtype mamba_ssm_cache_dtype",
    "said by another key too": "expand mamba_expand",
    "biases of a thousandth of the weights": """
        mlp_bias use_bias use_conv_bias mamba_proj_bias mamba_conv_bias use_qkv_bias""",
}
"""Why -> keys."""
HARMLESS: dict[str, str] = {key: why for why, keys in GROUPS.items() for key in keys.split()}
PATTERNS = (re.compile(r"\w*_token(_id|_ids|_index)?"), re.compile(r"\w*_token_id\w*"))
"""Names of special tokens."""

OFF: tuple[Any, ...] = (None, False, 0, "", "none", [], {})
"""Values with which an unknown key is taken to be switched off."""


def harmless(key: str) -> bool:
    """Whether a key changes nothing that is priced."""
    return key in HARMLESS or any(pattern.fullmatch(key) for pattern in PATTERNS)


def is_off(value: Any) -> bool:
    """Whether a value switches a key off.

    Example:
        >>> is_off(False), is_off([]), is_off(1.0), is_off("full")
        (True, True, False, False)
    """
    return any(type(value) is type(one) and value == one for one in OFF)
