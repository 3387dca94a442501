"""A tiny GGUF file, written with the gguf package: quantised weights of `tiny-random`, and a tokenizer of bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
from gguf import quants
from safetensors.numpy import load_file

from bench.model import tiny_random

NAMES = {  # of a block, as llama.cpp calls them
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}
OUTSIDE = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}
TEMPLATE = "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\\n' }}{% endfor %}"
ROWS = tiny_random.VOCABULARY + 1  # two spaces are a token, so that there is a merge
SPECIAL = {"bos": "<|begin|>", "eos": "<|end|>", "pad": "<|pad|>"}


def gguf_name(name: str) -> str:
    """What llama.cpp calls a tensor of a Llama checkpoint."""
    if name in OUTSIDE:
        return OUTSIDE[name]
    _, _, layer, part = name.removesuffix(".weight").split(".", 3)
    return f"blk.{layer}.{NAMES[part]}.weight"


def interleaved(weights: Any, heads: int) -> Any:
    """Rows of a projection as llama.cpp's rotary embedding wants them: the halves of each head in turns."""
    rows, columns = weights.shape
    return weights.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def write(file: Path, model: Path, *, pre: str | None = "smollm", without: str = "", tokenizer: bool = True) -> None:
    """`model` (as `tiny_random.build` makes it) as a GGUF file: matrices in Q8_0, norms in fp32."""
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_context_length(tiny_random.CONTEXT)
    writer.add_embedding_length(tiny_random.WIDTH)
    writer.add_block_count(tiny_random.LAYERS)
    writer.add_feed_forward_length(tiny_random.MLP)
    writer.add_head_count(tiny_random.HEADS)
    writer.add_head_count_kv(tiny_random.KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(ROWS)
    if tokenizer:
        _add_tokenizer(writer, pre)
    for name, weights in checkpoint(model).items():
        if name == without:
            continue
        heads = {"q_proj": tiny_random.HEADS, "k_proj": tiny_random.KV_HEADS}.get(name.split(".")[-2])
        stored = interleaved(weights, heads) if heads else weights
        kind = gguf.GGMLQuantizationType.Q8_0 if weights.ndim == 2 else gguf.GGMLQuantizationType.F32
        writer.add_tensor(gguf_name(name), quants.quantize(stored, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_tokenizer(writer: Any, pre: str | None) -> None:
    signs = tiny_random._byte_signs()
    writer.add_tokenizer_model("gpt2")
    if pre:
        writer.add_tokenizer_pre(pre)
    writer.add_token_list([*signs, *SPECIAL.values(), "ĠĠ"])
    writer.add_token_types([1] * len(signs) + [3] * len(SPECIAL) + [1])
    writer.add_token_merges(["Ġ Ġ"])
    writer.add_bos_token_id(tiny_random.BOS)
    writer.add_eos_token_id(tiny_random.EOS)
    writer.add_pad_token_id(tiny_random.PAD)
    writer.add_add_bos_token(False)
    writer.add_chat_template(TEMPLATE)


def checkpoint(model: Path) -> dict[str, Any]:
    """The weights of `model`, with one row more of embeddings."""
    weights = load_file(model / "model.safetensors")
    rows = weights["model.embed_tokens.weight"]
    return {**weights, "model.embed_tokens.weight": np.vstack([rows, rows[:1]])}


def dequantised(model: Path) -> dict[str, Any]:
    """What the gguf package itself makes of the quantised weights, under their names in the checkpoint."""

    def again(weights: Any) -> Any:
        if weights.ndim != 2:
            return weights
        kind = gguf.GGMLQuantizationType.Q8_0
        return quants.dequantize(quants.quantize(weights, kind), kind)

    return {name: np.asarray(again(w)) for name, w in checkpoint(model).items()}
