"""Corpus chrF2 with any number of references for each item (sacrebleu; Popović 2015)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import evaluate

from bench.metrics import sacre
from bench.metrics.common import INPUTS, describe
from bench.metrics.counts.chrf import from_statistics, scorer, statistics

__all__ = ["Chrf", "from_statistics", "scorer", "statistics"]


class Chrf(evaluate.Metric):  # type: ignore[misc]  # evaluate has no types
    """Corpus chrF2, or chrF++ with words up to order 2, in [0, 100]."""

    def _info(self) -> evaluate.MetricInfo:
        return describe(
            "Corpus chrF: F-score of character n-grams with recall weighted twice, by sacrebleu.",
            "Popović 2015, chrF: character n-gram F-score for automatic MT evaluation",
            INPUTS + "    lowercase: compare without case (default False).\n",
        )

    def _compute(
        self,
        predictions: Sequence[str],
        references: Sequence[Sequence[str]],
        lowercase: bool = False,
        word_order: int = 0,
    ) -> dict[str, Any]:
        return sacre.corpus_score("chrf", scorer(lowercase, word_order), predictions, references)
