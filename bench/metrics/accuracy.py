"""Accuracy: the share of items whose prediction is, letter by letter, one of the references."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import evaluate

from bench.metrics.common import describe, mean_of


class Accuracy(evaluate.Metric):  # type: ignore[misc]  # evaluate has no types
    """Share of correct choices, in [0, 1]."""

    def _info(self) -> evaluate.MetricInfo:
        return describe("Share of items whose prediction equals one of the references, letter by letter.", "")

    def _compute(self, predictions: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, Any]:
        pairs = zip(predictions, references, strict=True)
        per_item = [float(bool(text) and text in allowed) for text, allowed in pairs]
        return mean_of("accuracy", per_item, "match:exact|case:mixed")
