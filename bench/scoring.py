"""Predictions against references: every metric of a task, over all items and for each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from bench import metrics
from bench.nouns import Prediction, Score, Task


def score(task: Task, predictions: Sequence[Prediction]) -> tuple[dict[str, Score], dict[str, list[float]]]:
    """Every metric of the task over all test items, and its per-item values where it has them."""
    given: dict[str, Sequence[Any]] = {
        "answer": ["" if p.failure else p.output for p in predictions],
        "ranking": [[x.choices[i] for i in p.order] for x, p in zip(task.test, predictions, strict=True)],
        "likelihood": [p.scores[0] if p.scores else -math.inf for p in predictions],
    }
    references = [example.references for example in task.test]
    scores, per_item = {}, {}
    for name in task.metrics:
        result = metrics.compute(name, given[metrics.NAMES[name].scores], references, lowercase=task.lowercase)
        scores[name] = Score(result.value, result.signature)
        if result.per_item is not None:
            per_item[name] = list(result.per_item)
    return scores, per_item
