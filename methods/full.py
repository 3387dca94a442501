"""Weights part `full`: every weight of the base model is trained."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from bench.core.method import GRADIENT, LearningCost
from bench.core.task import Task
from methods.options import TrainingOptions, needs_train

# fp32 weights, gradients and AdamW's two moments (Rajbhandari et al. 2020, section 3.1)
_BYTES_PER_WEIGHT = 16


class FullOptions(TrainingOptions):
    learning_rate: tuple[float, ...] = Field((2e-5, 1e-4, 5e-4), min_length=1)


class Full:
    """Trains all weights, starting from the base model's."""

    name = "full"
    learner = GRADIENT
    full_precision = True
    Options: type[FullOptions] = FullOptions

    def __init__(self, options: FullOptions) -> None:
        self.options = options

    def requires(self, task: Task) -> str | None:
        return needs_train(self.name, task)

    def cost(self, examples: int, trials: int) -> LearningCost:
        return self.options.cost(examples, trials, _BYTES_PER_WEIGHT)

    def start(self, model: Any, seed: int) -> Any:
        return model.requires_grad_(True)

    def finish(self, model: Any) -> Any:
        return model


PART = Full
