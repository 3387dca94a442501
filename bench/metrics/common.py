"""What the metrics share: their card, their answer and the SQuAD normalisation."""

from __future__ import annotations

import math
import re
import string
from collections.abc import Sequence
from typing import Any

import datasets
import evaluate

INPUTS = """
Args:
    predictions: n texts; "" where the prediction failed, which counts as wrong.
    references: n lists of one or more texts.
"""
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


class DescribedMetric(evaluate.Metric):  # type: ignore[misc]  # evaluate has no types
    """A metric whose card is its class attributes; by default over texts with one or more references each."""

    description: str
    citation = ""
    inputs_description = INPUTS
    prediction: Any = datasets.Value("string")

    def _info(self) -> evaluate.MetricInfo:
        references = datasets.List(datasets.Value("string"))
        return evaluate.MetricInfo(
            description=self.description,
            citation=self.citation,
            inputs_description=self.inputs_description,
            features=datasets.Features({"predictions": self.prediction, "references": references}),
        )


class ItemMean(DescribedMetric):
    """The mean of a score of each item."""

    signature: str

    def score(self, prediction: Any, references: Sequence[str]) -> float:
        """The score of one item."""
        raise NotImplementedError

    def _compute(self, predictions: Sequence[Any], references: Sequence[Sequence[str]]) -> dict[str, Any]:
        pairs = zip(predictions, references, strict=True)
        return mean_of(self.name, [self.score(prediction, texts) for prediction, texts in pairs], self.signature)


class BestReference(ItemMean):
    """The mean of each item's highest score over its references; a blank prediction scores 0."""

    def compare(self, prediction: str, reference: str) -> float:
        """The score of a prediction against one reference."""
        raise NotImplementedError

    def score(self, prediction: str, references: Sequence[str]) -> float:
        return max(self.compare(prediction, text) for text in references) if prediction.strip() else 0.0


def mean_of(name: str, per_item: list[float], signature: str) -> dict[str, Any]:
    """The answer of a metric that is the mean of its items; the sum is exact, so order cannot matter."""
    return {name: math.fsum(per_item) / len(per_item), "per_item": per_item, "signature": signature}


def normalise(text: str) -> str:
    """Lower case, no ASCII punctuation, no articles, single spaces (Rajpurkar et al. 2016, evaluate-v1.1).

    Where nothing is left (the answer "A", or "The The"), the text is only lower-cased: otherwise every
    such answer would equal every other one.
    """
    bare = _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION))
    return " ".join(bare.split()) or " ".join(text.lower().split())
