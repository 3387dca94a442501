"""Exact match after SQuAD normalisation, the best over the references (Rajpurkar et al. 2016)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import evaluate

from bench.metrics.common import best, describe, mean_of, normalise

SIGNATURE = "norm:squad|refs:max"


def matches(prediction: str, reference: str) -> float:
    """1.0 where both texts are equal after `normalise`, else 0.0."""
    return float(normalise(prediction) == normalise(reference))


def matches_strictly(prediction: str, reference: str) -> float:
    """1.0 where both texts are equal but for white space at their ends and between words, else 0.0."""
    return float(prediction.split() == reference.split())


class ExactMatch(evaluate.Metric):  # type: ignore[misc]  # evaluate has no types
    """Share of items that equal a reference after normalisation, in [0, 1]."""

    def _info(self) -> evaluate.MetricInfo:
        return describe(
            "Share of items equal to one of their references without case, punctuation and articles.",
            "Rajpurkar et al. 2016, SQuAD, arXiv:1606.05250",
        )

    def _compute(self, predictions: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, Any]:
        pairs = zip(predictions, references, strict=True)
        return mean_of("exact_match", [best(matches, text, texts) for text, texts in pairs], SIGNATURE)


class StrictMatch(evaluate.Metric):  # type: ignore[misc]  # evaluate has no types
    """Share of items that equal a reference, white space aside, in [0, 1]: `C++` is not `C#`, `A` is not `a`."""

    def _info(self) -> evaluate.MetricInfo:
        return describe("Share of items equal to one of their references but for white space.", "")

    def _compute(self, predictions: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, Any]:
        pairs = zip(predictions, references, strict=True)
        per_item = [best(matches_strictly, text, texts) for text, texts in pairs]
        return mean_of("strict_match", per_item, "norm:spaces|refs:max")
