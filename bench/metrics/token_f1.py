"""Token F1 after SQuAD normalisation, the best over the references (Rajpurkar et al. 2016)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import evaluate

from bench.metrics.common import best, describe, mean_of, normalise
from bench.metrics.exact_match import SIGNATURE


def overlap(prediction: str, reference: str) -> float:
    """F1 of the two bags of tokens, split at spaces after `normalise`: 2 · shared / all."""
    return _f1(normalise(prediction).split(), normalise(reference).split())


def character_overlap(prediction: str, reference: str) -> float:
    """F1 of the two bags of characters after `normalise`, spaces left out: 2 · shared / all."""
    return _f1("".join(normalise(prediction).split()), "".join(normalise(reference).split()))


def _f1(found: Sequence[str], wanted: Sequence[str]) -> float:
    shared = (Counter(found) & Counter(wanted)).total()
    return 2 * shared / (len(found) + len(wanted)) if shared else 0.0


class TokenF1(evaluate.Metric):  # type: ignore[misc]  # evaluate has no types
    """Mean over items of the best token overlap with a reference, in [0, 1]."""

    def _info(self) -> evaluate.MetricInfo:
        return describe(
            "F1 of the bags of tokens of prediction and reference without case, punctuation and articles.",
            "Rajpurkar et al. 2016, SQuAD, arXiv:1606.05250",
        )

    def _compute(self, predictions: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, Any]:
        pairs = zip(predictions, references, strict=True)
        return mean_of("token_f1", [best(overlap, text, texts) for text, texts in pairs], SIGNATURE)


class CharF1(evaluate.Metric):  # type: ignore[misc]  # evaluate has no types
    """Mean over items of the best overlap of characters with a reference, in [0, 1]: for scripts without spaces."""

    def _info(self) -> evaluate.MetricInfo:
        return describe(
            "F1 of the bags of characters of prediction and reference without case, punctuation and articles.",
            "Cui et al. 2019, A Span-Extraction Dataset for Chinese Machine Reading Comprehension, EMNLP",
        )

    def _compute(self, predictions: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, Any]:
        pairs = zip(predictions, references, strict=True)
        per_item = [best(character_overlap, text, texts) for text, texts in pairs]
        return mean_of("char_f1", per_item, f"{SIGNATURE}|tokens:characters")
