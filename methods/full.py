"""Weights part `full`: every weight of the base model is trained."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from bench.core.method import TrainedPart
from bench.core.model_kind import ModelKind
from methods.options import TrainingOptions


class FullOptions(TrainingOptions):
    learning_rate: tuple[float, ...] = Field((2e-5, 1e-4, 5e-4), min_length=1)


class Full(TrainedPart):
    """Every weight of the base model is trained."""

    name = "full"
    full_precision = True
    kinds = frozenset[ModelKind]({"causal", "seq2seq", "encoder", "image"})
    Options = FullOptions

    def start(self, model: Any, seed: int) -> Any:
        return model.requires_grad_(True)


PART = Full
