"""Kinds of models, and which methods each can be adapted by: known before anything is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from bench.core.method import Method

ModelKind: TypeAlias = Literal["causal", "seq2seq", "encoder", "served", "classical"]

DESCRIPTIONS: Final[Mapping[ModelKind, str]] = {
    "causal": "a decoder, which goes on with a text",
    "seq2seq": "an encoder-decoder model, which reads one text and writes another",
    "encoder": "an encoder, which reads a text and writes none",
    "served": "a model behind an endpoint, whose weights are not here",
    "classical": "no language model",
}
LANGUAGE_MODELS: Final = frozenset[ModelKind]({"causal", "seq2seq", "served"})  # kinds that are given a prompt
ALL_KINDS: Final = frozenset[ModelKind](DESCRIPTIONS)


def fits(method: Method, kind: ModelKind) -> bool:
    """Whether a model of `kind` can be adapted by `method`."""
    return kind in method.weights.kinds and kind in method.context.kinds
