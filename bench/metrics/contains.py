"""Contains: whether a reference occurs in the answer as whole words (the rule of PopQA: Mallen et al. 2023)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import evaluate

from bench.metrics.common import best, describe, mean_of, normalise
from bench.metrics.scripts import words

SIGNATURE = "norm:squad|match:words-in-answer|refs:max"


def contains(prediction: str, reference: str) -> float:
    """1.0 where the words of the reference stand in the prediction, next to each other and in order."""
    said, wanted = (words(normalise(text)) or normalise(text).split() for text in (prediction, reference))
    width = len(wanted)
    return float(any(said[start : start + width] == wanted for start in range(len(said) - width + 1)))


class Contains(evaluate.Metric):  # type: ignore[misc]  # evaluate has no types
    """Share of items whose answer holds a reference, in [0, 1]. A long answer holds more: compare equal lengths."""

    def _info(self) -> evaluate.MetricInfo:
        return describe(
            "Share of items whose answer holds one of the references as words, without case and punctuation.",
            "Mallen et al. 2023, When Not to Trust Language Models, arXiv:2212.10511",
        )

    def _compute(self, predictions: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, Any]:
        pairs = zip(predictions, references, strict=True)
        return mean_of("contains", [best(contains, text, texts) for text, texts in pairs], SIGNATURE)
