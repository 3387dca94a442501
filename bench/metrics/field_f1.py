"""Field F1: a JSON object against the right one, field by field, the best over the references."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import evaluate

from bench.metrics.common import best, describe, mean_of

SIGNATURE = "pairs:key+value|case:folded|empty:left-out|mean:items|refs:max"


def fields(text: str) -> set[tuple[str, str]] | None:
    """(key, value) of every field with a value of the first JSON object in `text`; None where there is no object.

    Values are compared as text as they are written, without case and with single spaces: 1184.50 is not 1184.5. Null
    and empty values say that a field is not there, as leaving it out does.
    """
    start = text.find("{")
    try:
        found, _ = (
            json.JSONDecoder(parse_float=str, parse_int=str).raw_decode(text[start:]) if start >= 0 else (None, 0)
        )
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    pairs = {(key, _plain(value)) for key, value in found.items()}
    return {(key, value) for key, value in pairs if value}


def field_f1(prediction: str, reference: str) -> float:
    """2 · shared fields / all fields; 1 where neither has any, 0 where the prediction is no object."""
    found, wanted = fields(prediction), fields(reference)
    if found is None or wanted is None:
        return 0.0
    return 2 * len(found & wanted) / (len(found) + len(wanted)) if found or wanted else 1.0


def _plain(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return " ".join(text.casefold().split())


class FieldF1(evaluate.Metric):  # type: ignore[misc]  # evaluate has no types
    """Mean over items of the F1 of the fields of a JSON object, in [0, 1]."""

    def _info(self) -> evaluate.MetricInfo:
        return describe("F1 of the (key, value) pairs of prediction and reference, both JSON objects.", "")

    def _compute(self, predictions: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, Any]:
        pairs = zip(predictions, references, strict=True)
        return mean_of("field_f1", [best(field_f1, text, texts) for text, texts in pairs], SIGNATURE)
