"""Weights part of every prompting method: the base model, untouched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from bench.core.method import FROZEN, LearnerKind, LearningCost
from bench.core.method import Options as NoOptions

if TYPE_CHECKING:
    from bench.core.task import Task


class Frozen:
    """Leaves the weights as they are."""

    name = "frozen"
    learner: ClassVar[LearnerKind] = FROZEN
    Options = NoOptions

    def __init__(self, options: NoOptions) -> None:
        self.options = options

    def requires(self, task: Task) -> str | None:
        return None

    def cost(self, examples: int, trials: int) -> LearningCost:
        return LearningCost(answered=trials)

    def start(self, model: Any, seed: int) -> Any:
        return model

    def finish(self, model: Any) -> Any:
        return model


PART = Frozen
