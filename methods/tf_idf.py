"""Weights part `tf-idf`: a logistic regression on the words of an item, without any language model.

The oldest baseline of text classification (Joachims 1998), fitted in seconds: a tuned model that is no better is not
worth its bill. Words and pairs of words are weighted by tf-idf with a logarithmic term frequency (scikit-learn).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from bench.core.method import TF_IDF, LearningCost, Options, WeightsPart
from bench.core.model_kind import ModelKind
from bench.core.task import Task
from methods.options import CRITERION, Criterion, Grid, without_labels


class TfIdfOptions(Options):
    c: Grid[Annotated[float, Field(gt=0)]] = Field(
        (1.0, 10.0, 100.0), description="inverse strength of the L2 penalty (scikit-learn's C)"
    )
    criterion: Criterion = Field("loss", description=CRITERION)


class TfIdf(WeightsPart):
    """A logistic regression on the words of an item, without any language model."""

    name = "tf-idf"
    learner = TF_IDF
    kinds = frozenset[ModelKind]({"classical"})
    Options = TfIdfOptions
    options: TfIdfOptions

    def requires(self, task: Task) -> str | None:
        return without_labels(self.name, task)

    def cost(self, examples: int, trials: int) -> LearningCost:
        return LearningCost(read=1 + trials)


PART = TfIdf
