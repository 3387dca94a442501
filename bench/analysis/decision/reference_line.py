"""What a task gives without a model: always the most frequent class, a guess, or the answer of the nearest example."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bench.analysis.answers import Answers
from bench.analysis.comparison import Family
from bench.analysis.decision.nearest_answer import nearest_answer
from bench.analysis.labels import right_labels
from bench.core.record import Run
from bench.store.run_folder import read_predictions

MAJORITY, CHANCE = "majority class", "chance"


def reference_line(run: Run, family: Family) -> Answers | None:
    """The score of each item for the most frequent class of the test items; without classes, for a guess.

    Of texts that of the nearest training answer. None where the predictions or the task's folder do not say enough.

    Raises:
        UsageError: predictions that cannot be read.
    """
    if not family.answers:
        return None
    first = family.answers[0]
    [record, *_] = (r for r in run.records if _is_of(first, r.model, r.task, r.method) and r.status == "ok")
    if family.metric != "accuracy":
        return nearest_answer(run, record, first)
    lines = read_predictions(run.path, record.key)
    classes = right_labels(lines)
    if classes is not None:
        (largest, _), *_ = Counter(classes).most_common(1)
        return _answers(first, MAJORITY, [float(label == largest) for label in classes])
    choices = [len(line.get("scores", ())) for line in lines]
    return _answers(first, CHANCE, [1 / count for count in choices]) if all(choices) else None


def _is_of(answers: Answers, *names: str) -> bool:
    return (answers.model, answers.task, answers.method or answers.label) == names


def _answers(like: Answers, label: str, scores: Sequence[float]) -> Answers:
    """Scores of the items of `like` as the answers of a method that has no seed."""
    values = np.array([scores], dtype=np.float64)
    return replace(
        like, label=label, suite_method=label, seeds=(0,), trained=False, outputs=(), rankings=(), values=values,
        scores=(float(values.mean()),), counts=(), train_size=None, context="",
    )  # fmt: skip
