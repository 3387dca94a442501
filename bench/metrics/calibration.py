"""Whether the probabilities of choices mean what they say: Brier score, log loss, expected calibration error.

Each item's probabilities are given with the correct choice first. They are the softmax of the choices' log-likelihoods.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import datasets
import evaluate

from bench.metrics.common import mean_of
from bench.metrics.probabilities import BINS, brier, ece, log_loss


class _Probabilities(evaluate.Metric):  # type: ignore[misc]  # evaluate has no types
    """What the three share: their features."""

    description, citation = "", ""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=self.description,
            citation=self.citation,
            inputs_description="predictions: n lists of probabilities, the correct choice's first; references: unused",
            features=datasets.Features(
                {
                    "predictions": datasets.List(datasets.Value("float64")),
                    "references": datasets.List(datasets.Value("string")),
                }
            ),
        )


class Brier(_Probabilities):
    """Mean Brier score over all choices, in [0, 2]; lower is better."""

    description = "Mean over items of the squared distance of the probabilities from the truth."
    citation = "Brier 1950, Verification of Forecasts Expressed in Terms of Probability"

    def _compute(self, predictions: Sequence[Sequence[float]], references: Sequence[Sequence[str]]) -> dict[str, Any]:
        return mean_of("brier", [brier(given) for given in predictions], "sum:choices|probabilities:softmax")


class LogLoss(_Probabilities):
    """Mean negative log-probability of the correct choice, nats; lower is better."""

    description = "Mean over items of -ln of the correct choice's probability."

    def _compute(self, predictions: Sequence[Sequence[float]], references: Sequence[Sequence[str]]) -> dict[str, Any]:
        return mean_of("log_loss", [log_loss(given) for given in predictions], "unit:nats|probabilities:softmax")


class Ece(_Probabilities):
    """Expected calibration error with 15 bins of equal width, in [0, 1]; lower is better."""

    description = "Mean over items of the distance of confidence from accuracy in the item's bin of confidence."
    citation = "Guo et al. 2017, On Calibration of Modern Neural Networks, arXiv:1706.04599"

    def _compute(self, predictions: Sequence[Sequence[float]], references: Sequence[Sequence[str]]) -> dict[str, Any]:
        return {
            "ece": ece(predictions),
            "per_item": None,
            "signature": f"bins:{BINS}|width:equal|probabilities:softmax",
        }
