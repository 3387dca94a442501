"""Kinds of models, and which methods each can be adapted by: known before anything is loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from bench.core.method import Method
    from bench.core.task import Task

ModelKind: TypeAlias = Literal["causal", "seq2seq", "encoder", "image", "decision", "served", "classical"]

DESCRIPTIONS: Final[Mapping[ModelKind, str]] = {
    "causal": "a decoder, which goes on with a text",
    "seq2seq": "an encoder-decoder model, which reads one text and writes another",
    "encoder": "an encoder, which reads a text and writes none",
    "image": "a model of pictures, which reads no text and writes none",
    "decision": "a decision model, which gives the options of a question their probabilities",
    "served": "a model behind an endpoint, whose weights are not here",
    "classical": "no language model",
}
NAMES: Final[Mapping[ModelKind, str]] = {
    "causal": "causal model",
    "seq2seq": "encoder-decoder model",
    "encoder": "encoder",
    "image": "model of pictures",
    "decision": "decision model",
    "served": "served model",
    "classical": "no language model",
}
LANGUAGE_MODELS: Final = frozenset[ModelKind]({"causal", "seq2seq", "served"})  # kinds that are given a prompt
ALL_KINDS: Final = frozenset[ModelKind](DESCRIPTIONS)
REMEMBERING: Final = frozenset[ModelKind]({"causal", "seq2seq", "image"})  # kinds that are asked what they knew before
LABELLING: Final = frozenset[ModelKind]({"encoder", "image", "classical"})  # kinds that give labels, not words
CLASSIFIES: Final = "single_label_classification"  # `problem_type` of a loaded model whose outputs are labels


def fits(method: Method, kind: ModelKind) -> bool:
    """Whether a model of `kind` can be adapted by `method`."""
    return kind in method.weights.kinds and kind in method.context.kinds


def unfit(kind: ModelKind, task: Task) -> str | None:
    """Why a model of `kind` cannot be used on `task` whatever the method, or None."""
    if task.picture_field and kind != "image":
        return "its items are pictures, which need a model of pictures"
    if kind == "image":
        return None if task.picture_field else "it needs a task of pictures"
    if kind == "decision":
        return None if task.kind == "choice" else "it needs a choice task"
    if kind != "encoder":
        return None
    shared = {example.choices for split in (task.train, task.validation, task.test) for example in split}
    if task.kind == "choice" and len(shared) == 1:
        return None
    return "it needs a choice task whose items all have the same choices"


def reads_pictures(model: Any) -> bool:
    """Whether a loaded model reads pictures."""
    return bool(getattr(model.config, "reads_pictures", False))


def is_classifier(model: Any) -> bool:
    """Whether a loaded model gives logits of labels for a text, not of tokens."""
    is_one = getattr(model.config, "problem_type", None) == CLASSIFIES
    return is_one or type(model).__name__.endswith("ForSequenceClassification")


def head_layers(names: Sequence[str], body: str, in_block: Callable[[str], bool]) -> list[str]:
    """Of a classifier's layers, in its order, those behind its blocks: outside of `body`, or after its last block."""
    inside = [name for name in names if f".{body}." in f".{name}"]
    last = max((place for place, name in enumerate(inside) if in_block(name)), default=-1)
    before = set(inside[: last + 1])
    return [name for name in names if name not in before]
