"""A resolved model into memory: tokenizer, weights, context length."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, AutoConfig, AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from bench.core.errors import CellError
from bench.model.base import Base
from bench.model.causal import require_causal
from bench.model.devices import pick_dtype
from bench.model.onednn_linear import use_onednn
from bench.model.resolve import ResolvedModel
from bench.model.tokenizer import Codec

_UNSET_LENGTH = 10**9  # tokenizers without a limit say a number far above this


def load_base(model: ResolvedModel, device: torch.device, quick: bool = True) -> Base:
    """Tokenizer now, weights on demand: `Base.load(full_precision)` reads them afresh.

    `quick`: products are asked of the quicker library, see `bench.model.onednn_linear`.

    Raises:
        CellError: the configuration, tokenizer or architecture cannot be loaded as a causal language model.
    """
    dtype = pick_dtype(model.dtype, device)
    try:
        config = AutoConfig.from_pretrained(model.folder, trust_remote_code=model.trust_remote_code)
        tokenizer = AutoTokenizer.from_pretrained(model.folder, trust_remote_code=model.trust_remote_code)
    except (OSError, ValueError, KeyError) as error:
        raise CellError(f"model {model.name} cannot be loaded: {_first_line(error)}") from error
    _require_decoder(model.name, config)
    codec = Codec(tokenizer, chat_template=_uses_chat(model, tokenizer), eos_ids=_stop_ids(model.folder, config))
    vocabulary, end = config.get_text_config().vocab_size, tokenizer.eos_token_id
    if end is not None and end >= vocabulary:
        raise CellError(f"model {model.name}: its tokenizer ends texts with id {end}, the model knows {vocabulary} ids")
    codec.pad = codec.pad if codec.pad < vocabulary else 0  # padding is masked: any id will do
    load = partial(_load, model, device, dtype, quick, end)
    return Base(load, codec, _context_length(config, tokenizer), dtype, _numbers(config))


def _load(
    model: ResolvedModel, device: torch.device, dtype: torch.dtype, quick: bool, end: int | None, full_precision: bool
) -> Any:
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            model.folder,
            dtype=torch.float32 if full_precision else dtype,
            use_safetensors=True,
            trust_remote_code=model.trust_remote_code,
        )
    except (OSError, ValueError, KeyError) as error:
        raise CellError(f"model {model.name} cannot be loaded: {_first_line(error)}") from error
    loaded = loaded.to(device).eval()
    require_causal(loaded, model.name)
    loaded.config.eos_token_id = end  # that of the tokenizer closes answers, whatever else the configuration says
    return use_onednn(loaded) if quick else loaded


def _require_decoder(name: str, config: Any) -> None:
    if config.is_encoder_decoder:
        raise CellError(f"model {name} is an encoder-decoder model ({config.model_type}), not a causal language model")
    custom = "AutoModelForCausalLM" in (getattr(config, "auto_map", None) or {})
    if type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING and not custom:
        raise CellError(f"model {name}: transformers has no causal language model of type {config.model_type}")


def _uses_chat(model: ResolvedModel, tokenizer: Any) -> bool:
    has = bool(getattr(tokenizer, "chat_template", None))
    if model.chat_template == "on" and not has:
        raise CellError(f"model {model.name} has no chat template; set chat_template to auto or off")
    return has and model.chat_template != "off"


def _stop_ids(folder: Path, config: Any) -> frozenset[int]:
    """Every id that the checkpoint says ends a text."""
    found: set[int] = set()
    sources = [config, config.get_text_config()]
    if (folder / "generation_config.json").is_file():
        sources.append(GenerationConfig.from_pretrained(folder))
    for source in sources:
        ids = getattr(source, "eos_token_id", None)
        found |= {ids} if isinstance(ids, int) else set(ids or ())
    return frozenset(found)


def _numbers(config: Any) -> int:
    text = config.get_text_config()
    return int(text.num_hidden_layers * text.hidden_size)


def _context_length(config: Any, tokenizer: Any) -> int:
    text = config.get_text_config()
    lengths = [getattr(text, name, None) for name in ("max_position_embeddings", "n_positions", "max_seq_len")]
    lengths.append(getattr(tokenizer, "model_max_length", None))
    known = [int(n) for n in lengths if n and n < _UNSET_LENGTH]
    return min(known, default=2048)


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
