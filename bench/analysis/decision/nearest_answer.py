"""What copying gives on a task with texts: to each item the answer of the training example that is most like it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bench.analysis.answers import Answers
from bench.analysis.item_texts import asked
from bench.core.nearest import Nearest, text_of
from bench.core.record import Prediction, Record, Run
from bench.metrics.scoring import score

NEAREST = "nearest answer"


def nearest_answer(run: Run, record: Record, like: Answers) -> Answers | None:
    """The scores of the items of `like`; None where the task's texts are not at hand, or it is scored otherwise."""
    task, _ = asked(run, record)
    if task is None or task.kind != "text" or like.metric not in task.metrics or not any(map(text_of, task.train)):
        return None
    task = replace(task, metrics=(like.metric,))
    copied = Nearest(task.train).answers([text_of(item) for item in task.test])
    scored = score(task, [Prediction(one.id, output) for one, output in zip(task.test, copied, strict=True)])
    found = scored.scores.get(like.metric)
    if found is None or found.signature != like.signature or tuple(one.id for one in task.test) != like.ids:
        return None
    values = scored.per_item.get(like.metric)
    counts = scored.counts.get(like.metric)
    if values is None and counts is None:
        return None
    return replace(
        like, label=NEAREST, suite_method=NEAREST, seeds=(0,), trained=False, outputs=(), rankings=(), train_size=None,
        context="", scores=(found.value,), values=None if values is None else np.array([values], dtype=np.float64),
        counts=() if values is not None or counts is None else (np.array(counts, dtype=np.int64),),
    )  # fmt: skip
