"""Corpus BLEU with any number of references for each item (sacrebleu; Papineni et al. 2002, Post 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import evaluate

from bench.metrics import sacre
from bench.metrics.common import INPUTS, describe
from bench.metrics.counts.bleu import from_statistics, scorer, statistics

__all__ = ["Bleu", "from_statistics", "scorer", "statistics"]


class Bleu(evaluate.Metric):  # type: ignore[misc]  # evaluate has no types
    """Corpus BLEU, in [0, 100]; 0 where the corpus holds no text of four tokens."""

    def _info(self) -> evaluate.MetricInfo:
        return describe(
            "Corpus BLEU with one or more references for each item, by sacrebleu.",
            "Papineni et al. 2002, BLEU; Post 2018, A Call for Clarity in Reporting BLEU Scores",
            INPUTS
            + "    lowercase: compare without case (default False).\n    tokenize: of sacrebleu (default 13a).\n",
        )

    def _compute(
        self,
        predictions: Sequence[str],
        references: Sequence[Sequence[str]],
        lowercase: bool = False,
        tokenize: str = "13a",
    ) -> dict[str, Any]:
        return sacre.corpus_score("bleu", scorer(lowercase, tokenize), predictions, references)
