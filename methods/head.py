"""Weights part `head`: a linear classifier on the last hidden state of the base model, which stays as it is.

Of an encoder the states of all tokens are pooled as its folder says, else to their mean.

The linear probe of transfer learning (Alain & Bengio 2016, arXiv:1610.01644; Kumar et al. 2022, arXiv:2202.10054, who
find it better than full fine-tuning where the test differs from the training). A logistic regression takes the place
of the output matrix, so that a label is one step of the model and not the words of its name.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from bench.core.method import LINEAR_PROBE, LearningCost, Options, WeightsPart
from bench.core.model_kind import ModelKind
from bench.core.task import Task
from methods.options import CRITERION, Criterion, Grid, without_labels


class HeadOptions(Options):
    c: Grid[Annotated[float, Field(gt=0)]] = Field(
        (0.01, 1.0, 100.0),
        description="inverse strength of the L2 penalty (scikit-learn's C), on standardised features",
    )
    criterion: Criterion = Field("loss", description=CRITERION)


class Head(WeightsPart):
    """A linear classifier on the last hidden state of the base model, which stays as it is."""

    name = "head"
    learner = LINEAR_PROBE
    shares_base = True
    kinds = frozenset[ModelKind]({"causal", "encoder", "image"})
    Options = HeadOptions
    options: HeadOptions

    def requires(self, task: Task) -> str | None:
        return without_labels(self.name, task)

    def cost(self, examples: int, trials: int) -> LearningCost:
        return LearningCost(read=2 if trials else 1)  # all trials share what the model makes of the prompts


PART = Head
