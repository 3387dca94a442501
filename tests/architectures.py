"""Tiny random models of many architectures of transformers: two layers, weights drawn so wide that contexts matter."""

from __future__ import annotations

from typing import Any

import torch
from transformers import CONFIG_MAPPING, AutoModelForCausalLM

# What configurations call the same sizes; each takes those that it knows.
SIZES: dict[str, Any] = {
    "vocab_size": 128, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 512, "pad_token_id": 0, "bos_token_id": 1,
    "eos_token_id": 2, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 512, "n_inner": 48, "d_model": 32,
    "n_layers": 2, "n_heads": 4, "max_seq_len": 512, "num_layers": 2, "ffn_dim": 48, "decoder_layers": 2,
    "decoder_attention_heads": 4, "decoder_ffn_dim": 48, "num_heads": 4, "rotary_dim": 8, "dff": 48,
    "num_local_experts": 4, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16,
    "n_routed_experts": 4, "n_shared_experts": 1, "n_group": 1, "topk_group": 1, "q_lora_rank": 8, "kv_lora_rank": 8,
    "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "v_head_dim": 8, "state_size": 4, "expand": 2, "lru_width": 32,
    "attention_window_size": 8, "word_embed_proj_dim": 32, "initializer_range": 0.2,
}  # fmt: skip
_WINDOW = {"sliding_window": 8}
_LATENT = {"head_dim": None, "num_key_value_heads": 4}  # attention over latents has sizes of its own
_MAMBA = {"mamba_n_heads": 8, "mamba_d_head": 8, "mamba_d_state": 8, "mamba_n_groups": 1, "mamba_chunk_size": 8}
_VISION = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
           "image_size": 28, "patch_size": 14}  # fmt: skip

FIRST: dict[str, dict[str, Any]] = {  # a family of each kind: tested by default
    "llama": {},
    "gpt2": {},  # learned positions
    "gptj": {},
    "mixtral": {},  # experts
    "mistral": _WINDOW,
    "bloom": {},  # biases by column
    "mpt": {},
    "falcon": {"head_dim": None, "alibi": True, "new_decoder_architecture": False, "bias": True},
    "gpt_neo": {"attention_types": [[["global", "local"], 1]], "window_size": 8},  # a window that counts columns
    "mamba": {},  # states instead of keys and values
    "recurrent_gemma": {"block_types": ["recurrent", "attention"]},
    "gemma3": {"text_config": _WINDOW, "vision_config": _VISION},  # a configuration in another
}
_PLAIN = (
    "apertus arcee aria_text bart biogpt bitnet blenderbot codegen cohere ctrl diffllama doge dots1 ernie4_5 "
    "ernie4_5_moe exaone4 falcon_mamba flex_olmo gemma glm glm4 glm4_moe gpt_bigcode gpt_neox gpt_neox_japanese "
    "gpt_oss granite granitemoe granitemoeshared helium hunyuan_v1_dense hunyuan_v1_moe hyperclovax jais2 jetmoe "
    "lfm2 llama4_text marian mbart minimax minimax_m2 nanochat nemotron olmo olmo2 olmo_hybrid olmoe openai-gpt opt "
    "pegasus persimmon phi phimoe plbart qwen2 qwen2_moe qwen3 qwen3_moe rwkv seed_oss smollm3 solar_open stablelm "
    "xglm"
)
_WINDOWED = (
    "afmoe cohere2 cwm exaone_moe gemma2 gemma3_text granite_swa ministral modernbert-decoder olmo3 phi3 starcoder2 "
    "vaultgemma"
)
MORE: dict[str, dict[str, Any]] = {
    **{family: {} for family in _PLAIN.split()},
    **dict.fromkeys(_WINDOWED.split(), _WINDOW),
    **dict.fromkeys(("deepseek_v2", "deepseek_v3", "glm4_moe_lite", "minicpm3", "youtu"), _LATENT),
    "mamba2": {"num_heads": 8, "head_dim": 8, "n_groups": 1, "chunk_size": 8},
    "xlstm": {"v_head_dim": None, "hidden_size": 128, "chunk_size": 8, "autocast_kernel_dtype": "float32"},
    "qwen3_next": {
        "layer_types": ["linear_attention", "full_attention"], "linear_num_value_heads": 4, "linear_num_key_heads": 2,
        "linear_key_head_dim": 8, "linear_value_head_dim": 8,
    },
    "bamba": {**_MAMBA, "attn_layer_indices": [1]},
    "falcon_h1": {**_MAMBA, "mamba_d_ssm": 64},
    "granitemoehybrid": {**_MAMBA, "layer_types": ["mamba", "attention"], "shared_intermediate_size": 48},
    "nemotron_h": {
        "layers_block_type": ["mamba", "attention", "mlp"], "mamba_num_heads": 8, "mamba_head_dim": 8, "n_groups": 1,
        "ssm_state_size": 8, "chunk_size": 8,
    },
    "zamba2": {
        "layers_block_type": ["mamba", "hybrid"], "mamba_d_state": 8, "mamba_headdim": 8, "n_mamba_heads": 8,
        "mamba_ngroups": 1, "chunk_size": 8, "num_mem_blocks": 1, "adapter_rank": 4, "head_dim": None,
    },
    "dbrx": {
        "attn_config": {"kv_n_heads": 2, "clip_qkv": 8.0, "rope_theta": 10000.0},
        "ffn_config": {"ffn_hidden_size": 48, "moe_num_experts": 4, "moe_top_k": 2},
    },
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1, "use_mamba_kernels": False},
}  # fmt: skip
BOTH_WAYS = ("bert", "electra", "rembert", "roberta", "roformer", "xlm")


def build(family: str, changes: dict[str, Any], vocabulary: dict[str, int] | None = None) -> Any:
    """A random model in eval mode; `changes` to its sizes, None for one that it shall not be given.

    `vocabulary`: its size and special tokens, in place of 128 tokens.
    """
    sizes = SIZES | (vocabulary or {})
    kind = CONFIG_MAPPING[family]
    if "text_config" in changes:
        text = _sizes(kind().get_text_config(), sizes, changes["text_config"])
        config = kind(**{**changes, "text_config": text})
    else:
        config = kind(**_sizes(kind(), sizes, changes))
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config).eval()


def _sizes(default: Any, sizes: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    known = {name: value for name, value in sizes.items() if hasattr(default, name)}
    return {name: value for name, value in {**known, **changes}.items() if value is not None}
