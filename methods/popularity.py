"""Weights part `popularity`: what is bought most of all that is on offer, whoever asks.

The floor of every recommendation: what knows nothing of the customer. Hard to beat where few products sell a lot
(Cremonesi, Koren & Turrin 2010).
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from bench.core.method import POPULARITY, LearningCost, Options, WeightsPart
from bench.core.model_kind import ModelKind
from bench.core.task import Task
from methods.options import Grid, without_history


class PopularityOptions(Options):
    counts: Grid[Literal["answers", "purchases"]] = Field(
        ("answers", "purchases"),
        description="what counts: the answers of train, or all purchases of its customers, chosen by the metric",
    )


class Popularity(WeightsPart):
    """What is bought most of all that is on offer, without any language model."""

    name = "popularity"
    learner = POPULARITY
    kinds = frozenset[ModelKind]({"classical"})
    Options = PopularityOptions
    options: PopularityOptions

    def requires(self, task: Task) -> str | None:
        return without_history(self.name, task)

    def cost(self, examples: int, trials: int) -> LearningCost:
        return LearningCost(read=1, answered=trials)


PART = Popularity
