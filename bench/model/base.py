"""A base model ready to be adapted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import torch

from bench.core.errors import NotApplicableError
from bench.model.picture_store import PictureStore
from bench.model.tokenizer import Codec


@dataclass(frozen=True)
class Base:
    """A base model ready to be adapted: `load(full_precision)` gives a fresh copy each time."""

    load: Callable[[bool], Any]
    codec: Codec
    context_length: int
    dtype: torch.dtype  # of prediction, the same for every method
    numbers: int  # of hidden state for a token: layers × width
    parameters: int = 0  # by its configuration; 0 where that is not known
    digest: str = ""  # sha256 over weights and tokenizer

    def behind(self, tokens: int) -> Base:
        """The base whose prompts leave so many tokens of its context to what stands in front of all of them."""
        return replace(self, context_length=self.context_length - tokens)


class _Absent:
    """In place of what there is not: whoever uses it is told so."""

    def __getattr__(self, name: str) -> Any:
        raise NotApplicableError("this needs the weights or the tokenizer of a model, and there is none")


@dataclass(frozen=True)
class NoBase(Base):
    """In place of a language model where none is used, or where it answers elsewhere."""


def without_model() -> NoBase:
    """Nothing can be loaded of it."""

    def load(full_precision: bool) -> Any:
        return _Absent().model

    return NoBase(load, cast(Codec, _Absent()), 0, torch.float32, 0)


@dataclass(frozen=True, kw_only=True)
class EncoderBase(Base):
    """An encoder: `load` gives it with pooled states as its outputs, `classifier` with a new head for labels.

    `classifier(labels, full_precision)` draws what the checkpoint does not hold from torch's generator.
    """

    classifier: Callable[[int, bool], Any]


@dataclass(frozen=True, kw_only=True)
class PictureBase(EncoderBase):
    """A model of pictures, which reads them by their numbers in `store` as an encoder reads a text by its ids."""

    store: PictureStore
    sizes: Mapping[str, Any]  # how the processor is told to make pictures, beside its own settings
    head: str  # what the architecture calls the layer of labels that was taken away
