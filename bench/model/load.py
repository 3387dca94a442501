"""A resolved model into memory: tokenizer, weights, context length."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec

import torch
from transformers import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING,
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    GenerationConfig,
)
from transformers.utils import logging as transformers_logging

from bench.core.errors import CellError, OutOfMemoryError
from bench.model.base import Base, without_model
from bench.model.causal import require_causal
from bench.model.chat import chat_template
from bench.model.decision import decision_base
from bench.model.devices import device_map
from bench.model.encoder import encoder_base
from bench.model.memory import is_out_of_memory
from bench.model.onednn_linear import use_onednn
from bench.model.precision import pick_dtype
from bench.model.resolve import ResolvedModel
from bench.model.seq2seq import Seq2SeqCodec, answer_length, decoder_start
from bench.model.soundness import require_finite, require_whole
from bench.model.tokenizer import Codec

P = ParamSpec("P")
_UNSET_LENGTH = 10**9  # tokenizers without a limit say a number far above this


def load_base(model: ResolvedModel, device: torch.device, quick: bool = True) -> Base:
    """Tokenizer now, weights on demand: `Base.load(full_precision)` reads them afresh.

    `quick`: products are asked of the quicker library, see `bench.model.onednn_linear`.

    Raises:
        CellError: the configuration, tokenizer or architecture cannot be loaded as a model of its kind.
    """
    if model.kind == "classical":
        return without_model()
    dtype = pick_dtype(model.dtype, device)
    with _readable(model):
        if model.kind == "encoder":
            base = encoder_base(model, device, dtype, quick)
            return replace(base, load=_readably(model, base.load), classifier=_readably(model, base.classifier))
        if model.kind == "image":
            from bench.model.pictures import picture_base  # takes a second to import

            sees = picture_base(model, device, dtype)
            return replace(sees, load=_readably(model, sees.load), classifier=_readably(model, sees.classifier))
        if model.kind == "decision":
            decides = decision_base(model, device, dtype)
            return replace(decides, load=_readably(model, decides.load))
        config = _config(model)
        tokenizer = AutoTokenizer.from_pretrained(model.folder, trust_remote_code=model.trust_remote_code)
        _require_kind(model, config)
        codec = _codec(model, config, tokenizer)
        rows = int(getattr(config.get_text_config(), "vocab_size", 0) or len(tokenizer))
        _keep_within(codec, rows, model.name)
        load = partial(_load, model, device, dtype, quick, codec)
        return Base(
            load, codec, _context_length(config, tokenizer), dtype, _numbers(config), model.parameters, model.digest
        )


def _load(
    model: ResolvedModel, device: torch.device, dtype: torch.dtype, quick: bool, codec: Codec, full_precision: bool
) -> Any:
    kept_in = torch.float32 if full_precision else dtype
    auto: Any = AutoModelForSeq2SeqLM if model.kind == "seq2seq" else AutoModelForCausalLM
    with _readable(model):
        with_report = auto.from_pretrained(
            model.folder,
            config=_config(model),
            dtype=kept_in,
            use_safetensors=True,
            trust_remote_code=model.trust_remote_code,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # so that they are reported, and refused below
            device_map=device_map(device, model.parameters * kept_in.itemsize),
        )
    loaded, report = with_report
    require_whole(loaded, report, model.name)
    loaded = loaded.eval()
    require_finite(loaded, model.name)
    if isinstance(codec, Seq2SeqCodec):
        loaded.config.decoder_begins_with = list(codec.start)  # read by all that feeds the decoder
    else:
        require_causal(loaded, model.name)
        # the tokenizer's EOS token and the generation settings' too: what trains the row of the EOS token reads it here
        loaded.config.eos_token_id = sorted(codec.stops) or None
    return use_onednn(loaded) if quick else loaded


def _require_kind(model: ResolvedModel, config: Any) -> None:
    both, name, kind = config.is_encoder_decoder, model.name, config.model_type
    if both and model.kind != "seq2seq":
        raise CellError(f"model {name} is an encoder-decoder model ({kind}), not a causal language model")
    if model.kind == "seq2seq" and not both:
        raise CellError(f"model {name} is no encoder-decoder model ({kind}), so it cannot be used as seq2seq")
    mapping, auto, what = (
        (MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING, "AutoModelForSeq2SeqLM", "encoder-decoder model that writes text")
        if both
        else (MODEL_FOR_CAUSAL_LM_MAPPING, "AutoModelForCausalLM", "causal language model")
    )
    if type(config) not in mapping and auto not in (getattr(config, "auto_map", None) or {}):
        raise CellError(f"model {name}: transformers has no {what} of type {kind}")


def _codec(model: ResolvedModel, config: Any, tokenizer: Any) -> Codec:
    stops, chat = _stop_ids(model.folder, config), chat_template(model, tokenizer)
    if model.kind != "seq2seq":
        return Codec(tokenizer, chat, stops, single_turn=model.chat_examples == "text")
    start = decoder_start(model.folder, config, tokenizer)
    return Seq2SeqCodec(tokenizer, chat, stops, start, answer_length(config) - len(start))


def _config(model: ResolvedModel) -> Any:
    """The configuration, without a padding token that the embeddings have no row for: torch refuses to make them."""
    config = AutoConfig.from_pretrained(model.folder, trust_remote_code=model.trust_remote_code)
    for part in (config, config.get_text_config()):
        pad, rows = getattr(part, "pad_token_id", None), getattr(part, "vocab_size", None)
        if isinstance(pad, int) and isinstance(rows, int) and pad >= rows:
            part.pad_token_id = None
    return config


@contextmanager
def _readable(model: ResolvedModel) -> Iterator[None]:
    """One line for whatever the libraries raise on a checkpoint that they cannot load; none of their progress bars."""
    try:
        with without_bars():
            yield
    except CellError:
        raise
    except Exception as error:  # a damaged file can make them raise anything
        if is_out_of_memory(error):
            raise OutOfMemoryError(f"model {model.name} does not fit into memory") from error
        raise CellError(f"model {model.name} cannot be loaded: {_first_line(error)}") from error


@contextmanager
def without_bars() -> Iterator[None]:
    """While it lasts, transformers shows no progress bars."""
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if bars:
            transformers_logging.enable_progress_bar()


def _readably(model: ResolvedModel, load: Callable[P, Any]) -> Callable[P, Any]:
    """`load`, with one line for what it raises."""

    def readable(*args: P.args, **kwargs: P.kwargs) -> Any:
        with _readable(model):
            return load(*args, **kwargs)

    return readable


def _keep_within(codec: Codec, rows: int, name: str) -> None:
    """Leave out special tokens that the embeddings have no row for: padding is masked, whatever its id.

    Raises:
        CellError: ordinary tokens lie beyond the embeddings, so the tokenizer is another model's.
    """
    ordinary = int(codec.tokenizer.vocab_size)
    if ordinary > rows:
        raise CellError(
            f"model {name}: the tokenizer has {ordinary} tokens, the model {rows}; they are not of one model"
        )
    codec.pad = codec.pad if codec.pad < rows else 0
    codec.stops = frozenset(token for token in codec.stops if token < rows)
    if max(codec.end, default=0) >= rows:  # as for a model without an EOS token
        codec.end = codec.blank_line


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
    sides = [config.get_text_config()]
    if config.is_encoder_decoder:
        sides = [config.get_text_config(encoder=True), config.get_text_config(decoder=True)]
    return sum(int(side.num_hidden_layers * side.hidden_size) for side in sides)


def _context_length(config: Any, tokenizer: Any) -> int:
    text = config.get_text_config()
    lengths = [getattr(text, name, None) for name in ("max_position_embeddings", "n_positions", "max_seq_len")]
    lengths.append(getattr(tokenizer, "model_max_length", None))
    known = [int(n) for n in lengths if n and n < _UNSET_LENGTH]
    return min(known, default=2048)


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
