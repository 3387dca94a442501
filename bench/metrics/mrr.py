"""Mean reciprocal rank of the right choice (Voorhees 1999, The TREC-8 Question Answering Track Report)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import datasets
import evaluate

from bench.metrics.common import mean_of

SIGNATURE = "rank:first-right|depth:all"


def reciprocal_rank(ranking: Sequence[str], right: Sequence[str]) -> float:
    """1 / the place of the first right choice, counted from 1; 0 where none is in the ranking."""
    return next((1 / place for place, choice in enumerate(ranking, 1) if choice in right), 0.0)


class Mrr(evaluate.Metric):  # type: ignore[misc]  # evaluate has no types
    """Mean over items of 1 / rank of the first right choice, in [0, 1]."""

    def _info(self) -> evaluate.MetricInfo:
        texts = datasets.List(datasets.Value("string"))
        return evaluate.MetricInfo(
            description="Mean of 1 / rank of the first right choice, all choices ranked, the best first.",
            citation="Voorhees 1999, The TREC-8 Question Answering Track Report",
            inputs_description="predictions: n rankings, the best choice first; references: n lists of right choices",
            features=datasets.Features({"predictions": texts, "references": texts}),
        )

    def _compute(self, predictions: Sequence[Sequence[str]], references: Sequence[Sequence[str]]) -> dict[str, Any]:
        per_item = [reciprocal_rank(ranking, right) for ranking, right in zip(predictions, references, strict=True)]
        return mean_of("mrr", per_item, SIGNATURE)
