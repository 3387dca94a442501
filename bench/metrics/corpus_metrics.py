"""Metrics of a whole corpus: BLEU and chrF by sacrebleu, macro-F1 by scikit-learn, expected calibration error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

import datasets

from bench.metrics.common import INPUTS, DescribedMetric
from bench.metrics.counts import bleu, chrf
from bench.metrics.counts.macro_f1 import only
from bench.metrics.probabilities import BINS, ece
from bench.metrics.sacre import streams

_LOWERCASE = "    lowercase: compare without case (default False).\n"


class _Sacrebleu(DescribedMetric):
    """A corpus metric of sacrebleu's, with any number of references for each item."""

    scorer: Callable[..., Any]  # makes sacrebleu's own metric

    def _compute(
        self, predictions: Sequence[str], references: Sequence[Sequence[str]], **options: Any
    ) -> dict[str, Any]:
        scorer = self.scorer(**options)
        value = scorer.corpus_score(list(predictions), streams(references)).score
        return {self.name: float(value), "per_item": None, "signature": str(scorer.get_signature())}


class Bleu(_Sacrebleu):
    """Corpus BLEU, in [0, 100]; 0 where the corpus holds no text of four tokens."""

    description = "Corpus BLEU with one or more references for each item, by sacrebleu."
    citation = "Papineni et al. 2002, BLEU; Post 2018, A Call for Clarity in Reporting BLEU Scores"
    inputs_description = f"{INPUTS}{_LOWERCASE}    tokenize: of sacrebleu (default 13a).\n"
    scorer = staticmethod(bleu.scorer)


class Chrf(_Sacrebleu):
    """Corpus chrF2, or chrF++ with words up to order 2, in [0, 100]."""

    description = "Corpus chrF: F-score of character n-grams with recall weighted twice, by sacrebleu."
    citation = "Popović 2015, chrF: character n-gram F-score for automatic MT evaluation"
    inputs_description = INPUTS + _LOWERCASE
    scorer = staticmethod(chrf.scorer)


class MacroF1(DescribedMetric):
    """Macro-averaged F1, in [0, 1], over the labels that occur in references or predictions.

    A failed prediction ("") is a miss for its true label and no class of its own.
    Raises UsageError where an item has more than one distinct reference: it would have no one label.
    """

    description = "Unweighted mean of the F1 of each label that occurs in references or predictions."
    citation = "Opitz & Burst 2019, Macro F1 and Macro F1 (the mean of F1 scores, not F1 of the means)"

    def _compute(self, predictions: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, Any]:
        from sklearn.metrics import f1_score

        truth = [only(texts, position) for position, texts in enumerate(references)]
        labels = sorted({*truth, *predictions} - {""})
        value = f1_score(truth, predictions, labels=labels, average="macro", zero_division=0.0) if labels else 0.0
        signature = f"average:macro|labels:{len(labels)}|lib:scikit-learn|version:{version('scikit-learn')}"
        return {self.name: float(value), "per_item": None, "signature": signature}


class Ece(DescribedMetric):
    """Expected calibration error with 15 bins of equal width, in [0, 1]; lower is better."""

    description = "Mean over items of the distance of confidence from accuracy in the item's bin of confidence."
    citation = "Guo et al. 2017, On Calibration of Modern Neural Networks, arXiv:1706.04599"
    inputs_description = "predictions: n lists of probabilities, the correct choice's first; references: unused"
    prediction = datasets.List(datasets.Value("float64"))

    def _compute(self, predictions: Sequence[Sequence[float]], references: Sequence[Sequence[str]]) -> dict[str, Any]:
        signature = f"bins:{BINS}|width:equal|probabilities:softmax"
        return {self.name: ece(predictions), "per_item": None, "signature": signature}
