"""Weights part `set-fit`: a sentence encoder trained on pairs of texts, then a linear classifier on its embeddings.

SetFit (Tunstall et al. 2022, arXiv:2209.11055) for few examples of each label: texts with one label are drawn together
and others apart, which makes many pairs of few texts. A logistic regression on the embeddings is fitted afterwards.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from bench.core.method import SET_FIT, LearningCost, Options, WeightsPart
from bench.core.model_kind import ModelKind
from bench.core.task import Task
from methods.options import CRITERION, Criterion, Grid, without_labels

_Rate = Annotated[float, Field(gt=0, lt=1)]


class SetFitOptions(Options):
    learning_rate: Grid[_Rate] = Field((2e-5,), description="of the encoder, one rate or a grid")
    rounds: int = Field(20, gt=0, description="in each, every example gets one pair of its label and one of another")
    max_pairs: int = Field(16384, gt=1, description="of all rounds together; later rounds are left out")
    batch_size: int = Field(16, gt=0, description="pairs for each optimizer step")
    warmup: float = Field(0.1, ge=0, lt=1, description="share of the steps")
    trial_share: float = Field(0.25, gt=0, le=1, description="pairs of a trial of the grid, as a share of all")
    c: Grid[Annotated[float, Field(gt=0)]] = Field(
        (0.1,), description="inverse strength of the classifier's L2 penalty, as of head"
    )
    criterion: Criterion = Field("loss", description=CRITERION)

    def pairs(self, examples: int) -> int:
        """Pairs that are drawn of so many examples, at most."""
        return min(self.max_pairs, 2 * self.rounds * examples)


class SetFit(WeightsPart):
    """A sentence encoder trained on pairs of texts, then a linear classifier on its embeddings."""

    name = "set-fit"
    learner = SET_FIT
    kinds = frozenset[ModelKind]({"encoder"})
    Options = SetFitOptions
    options: SetFitOptions

    def requires(self, task: Task) -> str | None:
        return without_labels(self.name, task)

    def cost(self, examples: int, trials: int) -> LearningCost:
        whole = 1 + self.options.trial_share * min(trials, len(self.options.learning_rate))
        passes = 2 * self.options.pairs(examples) / max(1, examples) * whole
        return LearningCost(trained=passes, read=2 if trials else 1, bytes_per_weight=self.bytes_per_weight)

    def length(self, examples: int) -> int:
        return self.options.pairs(examples)

    @property
    def bytes_per_weight(self) -> int:
        return 16  # as of full fine-tuning: weights, gradients and AdamW's two moments in fp32


PART = SetFit
