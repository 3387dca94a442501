"""Macro-F1: F1 of each label, averaged over labels with equal weight (scikit-learn)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import evaluate

from bench.metrics.common import describe, version
from bench.metrics.counts.macro_f1 import additive, from_statistics, only, statistics

__all__ = ["MacroF1", "additive", "from_statistics", "statistics"]


class MacroF1(evaluate.Metric):  # type: ignore[misc]  # evaluate has no types
    """Macro-averaged F1, in [0, 1], over the labels that occur in references or predictions.

    A failed prediction ("") is a miss for its true label and no class of its own.
    Raises UsageError where an item has more than one distinct reference: it would have no one label.
    """

    def _info(self) -> evaluate.MetricInfo:
        return describe(
            "Unweighted mean of the F1 of each label that occurs in references or predictions.",
            "Opitz & Burst 2019, Macro F1 and Macro F1 (the mean of F1 scores, not F1 of the means)",
        )

    def _compute(self, predictions: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, Any]:
        from sklearn.metrics import f1_score

        truth = [only(texts, position) for position, texts in enumerate(references)]
        labels = sorted({*truth, *predictions} - {""})
        value = f1_score(truth, predictions, labels=labels, average="macro", zero_division=0.0) if labels else 0.0
        signature = f"average:macro|labels:{len(labels)}|lib:scikit-learn|version:{version('scikit-learn')}"
        return {"macro_f1": float(value), "per_item": None, "signature": signature}
