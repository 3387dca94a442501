"""ROUGE F-measure of each item, the best over its references (rouge-score; Lin 2004)."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, Literal

from bench.metrics.common import INPUTS, DescribedMetric, mean_of
from bench.metrics.scripts import words

RougeType = Literal["rouge1", "rouge2", "rougeL", "rougeLsum"]


def scores(
    predictions: Sequence[str],
    references: Sequence[Sequence[str]],
    rouge_type: RougeType,
    *,
    use_stemmer: bool = False,
    unicode: bool = False,
) -> list[tuple[float, float, float]]:
    """Precision, recall and F of each item against the reference with the highest F.

    Tokens are runs of a-z and 0-9 after lower-casing, as in ROUGE-1.5.5: a text in another script has none and scores
    0. With `unicode` they are words of every script (`bench.metrics.scripts.words`).
    """
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer([rouge_type], use_stemmer=use_stemmer, tokenizer=_Words() if unicode else None)
    found = (
        scorer.score_multi(list(texts), prediction)[rouge_type]  # targets first
        for prediction, texts in zip(predictions, references, strict=True)
    )
    return [(float(one.precision), float(one.recall), float(one.fmeasure)) for one in found]


class _Words:
    """A tokenizer for rouge-score: words of every script; single characters where no spaces stand between words."""

    def tokenize(self, text: str) -> list[str]:
        return words(text)


class Rouge(DescribedMetric):
    """Mean ROUGE F-measure, in [0, 1]."""

    description = "Mean over items of the best ROUGE F-measure over the references, by rouge-score."
    citation = "Lin 2004, ROUGE: A Package for Automatic Evaluation of Summaries"
    inputs_description = f"""{INPUTS}    rouge_type: rouge1, rouge2, rougeL (default) or rougeLsum.
    use_stemmer: Porter stemming of words longer than three letters (default False).
"""

    def _compute(
        self,
        predictions: Sequence[str],
        references: Sequence[Sequence[str]],
        rouge_type: RougeType = "rougeL",
        use_stemmer: bool = False,
        unicode: bool = False,
    ) -> dict[str, Any]:
        every = scores(predictions, references, rouge_type, use_stemmer=use_stemmer, unicode=unicode)
        stem = "yes" if use_stemmer else "no"
        tokens = "|tok:unicode" if unicode else ""
        library = f"lib:rouge-score|version:{version('rouge-score')}"
        signature = f"type:{rouge_type}|measure:f|refs:best|stem:{stem}{tokens}|{library}"
        return mean_of(self.name, [measure for _, _, measure in every], signature)
