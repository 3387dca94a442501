"""The built-in model `tiny-random`: a Llama shape with random weights and a tokenizer of bytes.

It knows nothing; it shows that everything runs, offline and in seconds, and tests measure with it. It is
made on the user's machine from NumPy's frozen `RandomState` stream, so a seed gives the same bytes
everywhere, and making it needs neither torch nor transformers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.model.prepared import cache_folder, prepare, write_json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WIDTH, LAYERS, HEADS, KV_HEADS, MLP, CONTEXT = 64, 2, 4, 2, 192, 512
BOS, EOS, PAD = 256, 257, 258  # ids 0-255 are the bytes themselves
VOCABULARY = 259

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}{{ '[' + m['role'] + ']\\n' + m['content'] + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '[assistant]\\n' }}{% endif %}"
)

_RECIPE = 1  # raise it when the same arguments would give other bytes than before


SEAL = "tiny-random.json"  # a folder that holds it was made here
DEFAULT_FOLDER = cache_folder() / f"tiny-random-{_RECIPE}"


def build(
    folder: Path,
    *,
    seed: int = 0,
    bos: bool = True,
    eos: bool = True,
    pad: bool = True,
    chat_template: bool = False,
) -> Path:
    """Write the model (115,200 parameters, fp32 safetensors, context 512) into `folder` and return it.

    `AutoModelForCausalLM` and `AutoTokenizer` load it offline. With `bos` every text is given `<s>` in
    front; `eos` and `pad` say whether there is an end and a padding token. Any text round-trips exactly;
    only with `chat_template` are the words `<s>`, `</s>` and `<pad>` read as the tokens they name, since
    that is how a template writes them. A complete folder of the same recipe is reused; a new one appears
    whole or not at all.

    Raises:
        UsageError: `folder` holds something else, or cannot be written.
    """
    flags = {"bos": bos, "eos": eos, "pad": pad, "chat_template": chat_template}
    recipe = {"recipe": _RECIPE, "seed": seed, **flags}
    return prepare(folder, SEAL, recipe, lambda staging: _write(staging, recipe), "the tiny model")


def _write(staging: Path, recipe: Mapping[str, Any]) -> None:
    from safetensors.numpy import save_file

    save_file(dict(_weights(int(recipe["seed"]))), staging / "model.safetensors", metadata={"format": "pt"})
    write_json(staging / "config.json", _config(recipe))
    write_json(staging / "generation_config.json", _special_ids(recipe))
    write_json(staging / "tokenizer_config.json", _tokenizer_config(recipe))
    _tokenizer(recipe).save(str(staging / "tokenizer.json"))


def _weights(seed: int) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Normal values scaled by 1/sqrt(fan in): attention and logits then differ enough to show a mistake."""
    import numpy as np

    stream = np.random.RandomState(seed)

    def matrix(rows: int, columns: int) -> NDArray[np.float32]:
        return np.asarray(stream.standard_normal((rows, columns)) / columns**0.5, dtype=np.float32)

    key_width = WIDTH // HEADS * KV_HEADS
    shapes = {
        "self_attn.q_proj": (WIDTH, WIDTH),
        "self_attn.k_proj": (key_width, WIDTH),
        "self_attn.v_proj": (key_width, WIDTH),
        "self_attn.o_proj": (WIDTH, WIDTH),
        "mlp.gate_proj": (MLP, WIDTH),
        "mlp.up_proj": (MLP, WIDTH),
        "mlp.down_proj": (WIDTH, MLP),
    }
    yield "model.embed_tokens.weight", matrix(VOCABULARY, WIDTH)
    for layer in range(LAYERS):
        for name, shape in shapes.items():
            yield f"model.layers.{layer}.{name}.weight", matrix(*shape)
        for norm in ("input_layernorm", "post_attention_layernorm"):
            yield f"model.layers.{layer}.{norm}.weight", np.ones(WIDTH, np.float32)
    yield "model.norm.weight", np.ones(WIDTH, np.float32)


def _config(recipe: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "dtype": "float32",
        "vocab_size": VOCABULARY,
        "hidden_size": WIDTH,
        "intermediate_size": MLP,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "head_dim": WIDTH // HEADS,
        "max_position_embeddings": CONTEXT,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
        "rms_norm_eps": 1e-5,
        "tie_word_embeddings": True,
        **_special_ids(recipe),
    }


def _special_ids(recipe: Mapping[str, Any]) -> dict[str, int | None]:
    ids = {"bos": BOS, "eos": EOS, "pad": PAD}
    return {f"{name}_token_id": number if recipe[name] else None for name, number in ids.items()}


def _tokenizer_config(recipe: Mapping[str, Any]) -> dict[str, Any]:
    words = {"bos": "<s>", "eos": "</s>", "pad": "<pad>"}
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        **{f"{name}_token": word for name, word in words.items() if recipe[name]},
        "clean_up_tokenization_spaces": False,
        "split_special_tokens": not recipe["chat_template"],
        "model_input_names": ["input_ids", "attention_mask"],
        **({"chat_template": CHAT_TEMPLATE} if recipe["chat_template"] else {}),
    }


def _tokenizer(recipe: Mapping[str, Any]) -> Any:
    """One token for each byte: BPE without merges over the byte-level alphabet."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

    vocabulary = {sign: number for number, sign in enumerate(_byte_signs())}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    # All three are always added, so that ids do not shift; the config says which of them are in use.
    tokenizer.add_special_tokens([AddedToken(word, normalized=False) for word in ("<s>", "</s>", "<pad>")])
    if recipe["bos"]:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", BOS)]
        )
    return tokenizer


def _byte_signs() -> list[str]:
    """The printable sign that stands for each byte 0-255 (Radford et al. 2019, GPT-2's encoder)."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) if byte in printable else chr(256 + others.index(byte)) for byte in range(256)]
