"""Predictions against references: every metric of a task, over all items and for each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench import metrics
from bench.core.item import Example
from bench.core.record import Prediction, Score
from bench.core.task import Task
from bench.metrics.extract import extract
from bench.metrics.probabilities import probabilities


@dataclass(frozen=True, slots=True)
class Scored:
    """What predictions are worth, over all items and for each, in their order."""

    scores: dict[str, Score]
    per_item: dict[str, list[float]]  # of the metrics that are means over items
    counts: dict[str, list[list[int]]]  # of the others: what a comparison resamples, see `bench.metrics.statistics`
    groups: list[str]  # "" for an item that belongs to no other
    right: list[int | None]  # place of the correct choice; None for a task without choices

    def of(self, item: int) -> dict[str, Any]:
        """What is kept of one item in addition to its prediction."""
        return {
            "metrics": {name: values[item] for name, values in self.per_item.items()},
            "counts": {name: rows[item] for name, rows in self.counts.items()},
            "group": self.groups[item],
            **({} if self.right[item] is None else {"right": self.right[item]}),
        }


def score(task: Task, predictions: Sequence[Prediction]) -> Scored:
    """Every metric of the task."""
    given: dict[str, Sequence[Any]] = {
        "answer": ["" if p.failure else _answer(task, p) for p in predictions],
        "ranking": [[x.choices[i] for i in p.order] for x, p in zip(task.test, predictions, strict=True)],
        "probabilities": [_probabilities(x, p) for x, p in zip(task.test, predictions, strict=True)],
        "likelihood": [p.scores[0] if p.scores else -math.inf for p in predictions],
    }
    references = [example.references for example in task.test]
    right = [x.choices.index(x.references[0]) if x.choices else None for x in task.test]
    found = Scored({}, {}, {}, [example.group for example in task.test], right)
    for name in task.metrics:
        result = metrics.compute(name, given[metrics.NAMES[name].scores], references, lowercase=task.lowercase)
        found.scores[name] = Score(result.value, result.signature)
        if result.per_item is not None:
            found.per_item[name] = list(result.per_item)
        elif name in metrics.WITH_STATISTICS:
            rows = metrics.statistics(name, given["answer"], references, lowercase=task.lowercase)
            found.counts[name] = rows.tolist()
    return found


def _answer(task: Task, prediction: Prediction) -> str:
    return extract(task.extract, prediction.output) if task.extract else prediction.output


def _probabilities(example: Example, prediction: Prediction) -> list[float]:
    """Probabilities of an item's choices, the correct one's first; [] for a task without choices."""
    if not example.choices:
        return []
    scores = () if prediction.failure else prediction.scores
    return probabilities(scores, example.choices.index(example.references[0]))
