"""Weights part `nearest-answer`: the answer of the training example that is most like the item.

Of texts by the cosine of tf-idf of character trigrams, without any model; of pictures by the cosine of a model's
features. What copying alone is worth, with what it costs.
"""

from __future__ import annotations

from bench.core.method import NEAREST_ANSWER, LearningCost, WeightsPart
from bench.core.model_kind import ModelKind
from bench.core.task import Task


class NearestAnswer(WeightsPart):
    """The answer of the training example that is most like the item, without any language model."""

    name = "nearest-answer"
    learner = NEAREST_ANSWER
    shares_base = True
    kinds = frozenset[ModelKind]({"classical", "image"})

    def requires(self, task: Task) -> str | None:
        if not task.train:
            return "nearest-answer needs a train split"
        if task.kind == "prose" or len({example.choices for example in task.train}) > 1:
            return "nearest-answer needs texts, or choices that all items share"
        return None

    def cost(self, examples: int, trials: int) -> LearningCost:
        return LearningCost(read=1)


PART = NearestAnswer
