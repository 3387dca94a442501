"""Bits per byte: how many bits a model needs for each byte of a text, whatever its tokenizer cuts it into."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import datasets
import evaluate

from bench.metrics.common import mean_of

SIGNATURE = "mean:items|bytes:utf-8|failed:8"
UNIFORM = 8.0  # bits for a byte of which nothing is known


def bits_per_byte(log_likelihood: float, text: str) -> float:
    """-log2 of the probability of `text`, given in nats, for each byte of its UTF-8; 8 where it failed."""
    if not math.isfinite(log_likelihood):
        return UNIFORM
    return -log_likelihood / math.log(2) / len(text.encode())


class BitsPerByte(evaluate.Metric):  # type: ignore[misc]  # evaluate has no types
    """Mean over items of bits per byte; lower is better."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description="Mean over texts of the bits that each byte takes; comparable between tokenizers.",
            citation="Gao et al. 2020, The Pile, arXiv:2101.00027, section 3.1",
            inputs_description="predictions: n log-likelihoods in nats; references: n lists of the one text",
            features=datasets.Features(
                {"predictions": datasets.Value("float64"), "references": datasets.List(datasets.Value("string"))}
            ),
        )

    def _compute(self, predictions: Sequence[float], references: Sequence[Sequence[str]]) -> dict[str, Any]:
        pairs = zip(predictions, references, strict=True)
        return mean_of("bits_per_byte", [bits_per_byte(nats, texts[0]) for nats, texts in pairs], SIGNATURE)
