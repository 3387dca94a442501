"""What copying gives on a task with texts: to each item the answer of the training example that is most like it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bench.analysis.answers import Answers
from bench.analysis.item_texts import asked
from bench.core.item import Example, Item
from bench.core.record import Prediction, Record, Run
from bench.metrics.scoring import score

NEAREST = "nearest answer"
_AT_ONCE = 64  # items compared with all training examples


def nearest_answer(run: Run, record: Record, like: Answers) -> Answers | None:
    """The scores of the items of `like`; None where the task's texts are not at hand, or it is scored otherwise."""
    task, _ = asked(run, record)
    if task is None or task.kind != "text" or like.metric not in task.metrics or not any(_texts(task.train)):
        return None
    task = replace(task, metrics=(like.metric,))
    scored = score(
        task, [Prediction(one.id, output) for one, output in zip(task.test, copied(task.train, task.test), strict=True)]
    )
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


def copied(train: Sequence[Example], test: Sequence[Item]) -> Iterator[str]:
    """The answer of the nearest training example of each test item, by the cosine of tf-idf of character trigrams.

    Trigrams need no word boundaries, which not every script has. Of equals the first example is taken.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer  # takes most of a second to load

    shown, wanted = _texts(train), _texts(test)
    vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 3))
    examples: Any = vectors.fit_transform(shown)
    items: Any = vectors.transform(wanted)
    for start in range(0, len(wanted), _AT_ONCE):
        alike = (items[start : start + _AT_ONCE] @ examples.T).toarray()
        yield from (train[place].references[0] for place in alike.argmax(axis=1).tolist())


def _texts(items: Sequence[Item]) -> list[str]:
    return [" ".join(item.fields.values()).strip() for item in items]
