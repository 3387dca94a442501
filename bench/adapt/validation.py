"""Validation items answered: the task's own metric as what options and epochs are chosen by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bench.adapt.learner import Judge, Judgement
from bench.adapt.session import AdaptSession
from bench.core.item import Example
from bench.core.method import Method
from bench.core.record import Prediction
from bench.core.task import Task
from bench.engine.predictor import ModelPredictor, question
from bench.engine.prompts import Encoded
from bench.meters.flop_check import of_answers
from bench.metrics import NAMES
from bench.metrics.scoring import score


@dataclass
class ValidationItems:
    """The validation items that every trial answers. Answering them counts as tuning."""

    session: AdaptSession
    examples: tuple[Example, ...]
    tokens: int = 0  # of prompts and answers, so far

    @property
    def criterion(self) -> str:
        """The task's primary metric."""
        return self.session.task.metrics[0]

    @property
    def higher_is_better(self) -> bool:
        return NAMES[self.criterion].higher_is_better

    def had_read(self, tokens: int) -> None:
        """Count tokens of an attempt before."""
        self.tokens += tokens

    def written(self, predictor: ModelPredictor) -> list[Encoded]:
        """Their prompts."""
        return predictor.writer.write([question(example) for example in self.examples])

    def answered(self, predictor: ModelPredictor, prompts: Sequence[Encoded]) -> float:
        """The score of a predictor's answers to prompts that were written before."""
        return self.score(self.predicted(predictor, prompts))

    def predicted(self, predictor: ModelPredictor, prompts: Sequence[Encoded]) -> list[Prediction]:
        """The answers themselves."""
        predictions = predictor.answer([question(example) for example in self.examples], prompts)
        self.tokens += sum(each.prompt_tokens + each.output_tokens for each in predictions)
        multiplied = of_answers(predictor, prompts, predictions)
        if multiplied is not None:
            self.session.meter.multiplied("tune", multiplied)
        return predictions

    def score(self, predictions: Sequence[Prediction]) -> float:
        """The criterion over answers to all of them."""
        return self._score(self.examples, predictions)

    def ranked(self, likelihoods: Mapping[str, Sequence[float]], labels: Sequence[str]) -> float:
        """The score of items by id, of which a classifier gives the log-likelihood of every label."""
        examples = tuple(example for example in self.examples if example.id in likelihoods)
        predictions = []
        for example in examples:
            scores = tuple(likelihoods[example.id])
            order = tuple(sorted(range(len(labels)), key=lambda i: -scores[i]))  # ties: the label named first
            predictions.append(Prediction(example.id, labels[order[0]], scores=scores, order=order))
        return self._score(examples, predictions)

    def _score(self, examples: tuple[Example, ...], predictions: Sequence[Prediction]) -> float:
        task: Task = replace(self.session.task, test=examples, metrics=(self.criterion,))
        return score(task, predictions).scores[self.criterion].value


def items_to_answer(method: Method, session: AdaptSession) -> ValidationItems | None:
    """The items that losses are taken of, to be answered; None where the loss chooses, or where there are none."""
    by_metric = method.weights.options.criterion == "metric" and session.validation
    return ValidationItems(session, session.validation) if by_metric else None


def judgement_of(session: AdaptSession, items: ValidationItems | None, judge: Judge) -> Judgement:
    """Judging by the answers to items, or by the validation loss."""
    if items is None:
        return Judgement("validation loss", False, len(session.validation), judge)
    return Judgement(items.criterion, items.higher_is_better, len(items.examples), judge)
