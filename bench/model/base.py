"""A base model ready to be adapted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

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


@dataclass(frozen=True, kw_only=True)
class EncoderBase(Base):
    """An encoder: `load` gives it with pooled states as its outputs, `classifier` with a new head for labels.

    `classifier(labels, full_precision)` draws what the checkpoint does not hold from torch's generator.
    """

    classifier: Callable[[int, bool], Any]
