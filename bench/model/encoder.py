"""Encoders into memory: with a new classification head, or with the pooling of sentence-transformers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from transformers import (
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING,
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoTokenizer,
)
from transformers.modeling_outputs import SequenceClassifierOutput
from transformers.utils import logging as transformers_logging

from bench.core.errors import CellError
from bench.core.model_kind import CLASSIFIES
from bench.model.base import EncoderBase
from bench.model.features import FeatureModel
from bench.model.onednn_linear import use_onednn
from bench.model.resolve import ResolvedModel
from bench.model.soundness import require_finite, require_whole
from bench.model.tokenizer import Codec

_UNSET_LENGTH = 10**9  # tokenizers without a limit say a number far above this
# architectures whose positions are counted from behind the padding token's id
_COUNT_FROM_PAD = {"camembert", "data2vec-text", "ibert", "longformer", "mpnet", "roberta", "roberta-prelayernorm",
                   "xlm-roberta", "xlm-roberta-xl", "xmod"}  # fmt: skip


def encoder_base(model: ResolvedModel, device: torch.device, dtype: torch.dtype, quick: bool) -> EncoderBase:
    """Tokenizer now, weights on demand.

    Raises:
        CellError: transformers has no such encoder with a classification head, or the tokenizer has no fitting tokens.
    """
    config = AutoConfig.from_pretrained(model.folder, trust_remote_code=model.trust_remote_code)
    custom = "AutoModelForSequenceClassification" in (getattr(config, "auto_map", None) or {})
    if type(config) not in MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING and not custom:
        raise CellError(f"model {model.name}: transformers has no classifier of type {config.model_type}")
    tokenizer = AutoTokenizer.from_pretrained(model.folder, trust_remote_code=model.trust_remote_code)
    rows = int(getattr(config.get_text_config(), "vocab_size", 0) or len(tokenizer))
    if len(tokenizer) > rows:
        of = f"the tokenizer has {len(tokenizer)} tokens, the model {rows}"
        raise CellError(f"model {model.name}: {of}; they are not of one model")
    text = config.get_text_config()
    return EncoderBase(
        load=partial(_with_pooling, model, device, dtype, quick),
        codec=Codec(tokenizer),
        context_length=_context_length(model.folder, text, tokenizer),
        dtype=dtype,
        numbers=int(text.num_hidden_layers * text.hidden_size),
        parameters=model.parameters,
        digest=model.digest,
        classifier=partial(_with_head, model, device, dtype, quick, tokenizer.pad_token_id),
    )


class SentenceClassifier(FeatureModel):
    """A sentence-transformers model, whose features are its sentence embeddings."""

    def get_input_embeddings(self) -> Any:
        """The matrix of token embeddings."""
        return self.body[0].auto_model.get_input_embeddings()

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> SequenceClassifierOutput:
        features = self.body({"input_ids": input_ids, "attention_mask": attention_mask})
        return SequenceClassifierOutput(logits=self.label_layer(features["sentence_embedding"]))


def _with_pooling(
    model: ResolvedModel, device: torch.device, dtype: torch.dtype, quick: bool, full_precision: bool
) -> SentenceClassifier:
    """The pooling is that of a folder of sentence-transformers; of any other folder the mean of the last states."""
    from sentence_transformers import SentenceTransformer

    body: Any = SentenceTransformer(
        str(model.folder),
        device=str(device),
        local_files_only=True,
        trust_remote_code=model.trust_remote_code,
        model_kwargs={"dtype": torch.float32 if full_precision else dtype, "use_safetensors": True},
    ).eval()
    config = body[0].auto_model.config
    config.problem_type = CLASSIFIES
    require_finite(body, model.name)
    loaded = SentenceClassifier(body, config).eval()
    return cast(SentenceClassifier, use_onednn(loaded)) if quick else loaded


def _with_head(
    model: ResolvedModel,
    device: torch.device,
    dtype: torch.dtype,
    quick: bool,
    pad: int | None,
    labels: int,
    full_precision: bool,
) -> Any:
    """A head of the checkpoint's own is of other labels: it is drawn anew like one that is missing."""
    config = AutoConfig.from_pretrained(model.folder, trust_remote_code=model.trust_remote_code, num_labels=labels)
    config.problem_type = CLASSIFIES
    if config.get_text_config().pad_token_id is None:
        config.pad_token_id = pad
    with _without_report():
        with_report: Any = AutoModelForSequenceClassification.from_pretrained(
            model.folder,
            config=config,
            dtype=torch.float32 if full_precision else dtype,
            use_safetensors=True,
            trust_remote_code=model.trust_remote_code,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # of the head; others are refused below
            device_map=None if device.type == "cpu" else {"": device},
        )
    loaded, report = with_report
    require_whole(loaded, _of_blocks(loaded, report), model.name)
    loaded = loaded.eval()
    require_finite(loaded, model.name)
    return use_onednn(loaded) if quick else loaded


@contextmanager
def _without_report() -> Iterator[None]:
    """transformers warns that the head is new, which it is meant to be; what else is new is refused."""
    level = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)


def _of_blocks(model: Any, report: dict[str, Any]) -> dict[str, Any]:
    """The loading report without what stands behind the blocks: a head, and a pooler that some checkpoints lack."""
    body = f"{model.base_model_prefix}."

    def is_body(weight: str) -> bool:
        return weight.startswith(body) and "pooler" not in weight

    return {
        "missing_keys": [weight for weight in report["missing_keys"] if is_body(weight)],
        "mismatched_keys": [each for each in report["mismatched_keys"] if is_body(each[0])],
        "unexpected_keys": [weight for weight in report["unexpected_keys"] if is_body(weight)],
    }


def _context_length(folder: Path, config: Any, tokenizer: Any) -> int:
    """Tokens of a text, special ones included, that the encoder reads at most."""
    lengths = [getattr(tokenizer, "model_max_length", None), _sentence_length(folder)]
    positions = getattr(config, "max_position_embeddings", None)
    if isinstance(positions, int):
        before = (config.pad_token_id or 0) + 1 if config.model_type in _COUNT_FROM_PAD else 0
        lengths.append(positions - before)
    return min((int(n) for n in lengths if n and 0 < n < _UNSET_LENGTH), default=512)


def _sentence_length(folder: Path) -> int | None:
    """The limit that sentence-transformers keeps to."""
    file = folder / "sentence_bert_config.json"
    length = json.loads(file.read_text(encoding="utf-8")).get("max_seq_length") if file.is_file() else None
    return length if isinstance(length, int) else None
