"""What the metric modules share: their input features, their answer and the SQuAD normalisation."""

from __future__ import annotations

import math
import re
import string
from collections.abc import Callable, Sequence
from importlib import metadata
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


def describe(description: str, citation: str, inputs: str = INPUTS) -> evaluate.MetricInfo:
    """The card of a metric over texts with one or more references each."""
    text = datasets.Value("string")
    return evaluate.MetricInfo(
        description=description,
        citation=citation,
        inputs_description=inputs,
        features=datasets.Features({"predictions": text, "references": datasets.List(text)}),
    )


def mean_of(name: str, per_item: list[float], signature: str) -> dict[str, Any]:
    """The answer of a metric that is the mean of its items; the sum is exact, so order cannot matter."""
    return {name: math.fsum(per_item) / len(per_item), "per_item": per_item, "signature": signature}


def best(score: Callable[[str, str], float], prediction: str, references: Sequence[str]) -> float:
    """The highest score over the references; 0 for a blank prediction, whatever the references are."""
    return max(score(prediction, text) for text in references) if prediction.strip() else 0.0


def normalise(text: str) -> str:
    """Lower case, no ASCII punctuation, no articles, single spaces (Rajpurkar et al. 2016, evaluate-v1.1).

    Where nothing is left (the answer "A", or "The The"), the text is only lower-cased: otherwise every
    such answer would equal every other one.
    """
    bare = _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION))
    return " ".join(bare.split()) or " ".join(text.lower().split())


def version(distribution: str) -> str:
    """The installed version of a distribution, for a signature."""
    return metadata.version(distribution)
