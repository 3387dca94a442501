"""Weights part `matrix-factorisation`: what people bought who bought the same, without any language model.

The classical recommender for implicit feedback: factors of products from a truncated singular value decomposition of
customers x products (PureSVD: Cremonesi, Koren & Turrin 2010), fitted in less than a second.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from bench.core.method import MATRIX_FACTORISATION, LearningCost, Options, WeightsPart
from bench.core.model_kind import ModelKind
from bench.core.task import Task
from methods.options import Grid, without_history


class MatrixFactorisationOptions(Options):
    factors: Grid[Annotated[int, Field(ge=1)]] = Field(
        (4, 8, 16), description="numbers that stand for a product, 1 or more, chosen by the metric on validation"
    )


class MatrixFactorisation(WeightsPart):
    """What people bought who bought the same, without any language model."""

    name = "matrix-factorisation"
    learner = MATRIX_FACTORISATION
    kinds = frozenset[ModelKind]({"classical"})
    Options = MatrixFactorisationOptions
    options: MatrixFactorisationOptions

    def requires(self, task: Task) -> str | None:
        return without_history(self.name, task)

    def cost(self, examples: int, trials: int) -> LearningCost:
        return LearningCost(read=1, answered=trials)


PART = MatrixFactorisation
