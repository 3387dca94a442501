"""Answering and refusing: what was answered that has no answer, what was refused that has one, and at what risk.

Computed from the answers that are kept, and from the task as it lies.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import fmean

import numpy as np

from bench.analysis.item_texts import asked
from bench.analysis.statistics import two_questions
from bench.analysis.statistics.intervals import Interval
from bench.core.record import Record, Run
from bench.core.refusal import Judged
from bench.core.task import Task
from bench.metrics import is_right
from bench.store.lines import Line
from bench.store.run_folder import read_predictions

Outcome = Callable[[Judged], bool]


@dataclass(frozen=True, slots=True)
class Share:
    """A share over all seeds, with its interval on new items, of these checkpoints."""

    value: float
    interval: Interval
    items: int  # that it is a share of, of one seed


@dataclass(frozen=True, slots=True)
class Refusals:
    """How one method answers and refuses; None where no item is of the kind that a share is of."""

    handled: Share  # answered rightly, or rightly refused, of all items
    right: Share | None  # of the items with an answer: answered rightly
    false_refusals: Share | None  # of the items with an answer: refused
    false_answers: Share | None  # of the items without: answered all the same
    curve: tuple[tuple[float, float], ...]  # (coverage, risk) as answers are refused, the surest last; () if unknown
    area: float | None  # mean risk over the curve
    at_threshold: Share | None  # as `handled`, with the threshold that was chosen on validation


def refusals(run: Run, records: Sequence[Record]) -> Refusals | None:
    """Of the cells (seeds) of one method; None where the task has no refusals, or is not at hand."""
    task, _ = asked(run, records[0])
    if task is None or task.refusal is None:
        return None
    seeds = [judged(task, read_predictions(run.path, record.key), next(iter(record.scores))) for record in records]
    if any(items is None for items in seeds):
        return None
    return of_items(
        [items for items in seeds if items], [r.threshold.confidence if r.threshold else None for r in records]
    )


def judged(task: Task, lines: Sequence[Line], metric: str) -> list[Judged] | None:
    """The items of a task as they were answered; None where the metric has no value of an item."""
    assert task.refusal is not None
    if metric not in lines[0]["metrics"]:
        return None
    said = {line["id"]: line for line in lines}
    return [
        Judged(
            answerable=not task.refusal.is_said(example.references[0]),
            refused=task.refusal.is_said(said[example.id]["output"]),
            right=is_right(metric, said[example.id]["metrics"][metric]),
            confidence=said[example.id].get("confidence"),
        )
        for example in task.test
    ]


def of_items(seeds: Sequence[Sequence[Judged]], thresholds: Sequence[float | None]) -> Refusals:
    """The shares of items as several seeds answered them, each with its threshold of confidence."""
    curves = [risk_coverage(items) for items in seeds]
    chosen = [threshold for threshold in thresholds if threshold is not None]
    of_threshold = None
    if len(chosen) == len(seeds):
        handled = [[item.handled(at) for item in items] for items, at in zip(seeds, chosen, strict=True)]
        of_threshold = _of(handled)
    everything = _share(seeds, lambda item: True, Judged.handled)
    assert everything is not None
    return Refusals(
        handled=everything,
        right=_share(seeds, lambda item: item.answerable, lambda item: item.right and not item.refused),
        false_refusals=_share(seeds, lambda item: item.answerable, lambda item: item.refused),
        false_answers=_share(seeds, lambda item: not item.answerable, lambda item: not item.refused),
        curve=tuple(curves[0]) if all(curves) else (),
        area=fmean(fmean(risk for _, risk in curve) for curve in curves) if all(curves) else None,
        at_threshold=of_threshold,
    )


def risk_coverage(items: Sequence[Judged]) -> list[tuple[float, float]]:
    """(coverage, risk) of the k surest answers for every k: their share of all items, and how many of them are wrong.

    Geifman and El-Yaniv 2017, Selective Classification for Deep Neural Networks, section 2. Refusals are no answers. An
    answer to an item without one is wrong. Of equal confidence, all count as answered at once. Empty where a confidence
    is unknown.
    """
    answered = [item for item in items if not item.refused]
    if not answered or any(item.confidence is None for item in answered):
        return []
    answered.sort(key=lambda item: -(item.confidence or 0.0))
    wrong = list(accumulate(int(not (item.answerable and item.right)) for item in answered))
    last = [
        k for k, item in enumerate(answered, start=1) if k == len(answered) or answered[k].confidence != item.confidence
    ]
    return [(k / len(items), wrong[k - 1] / k) for k in last]


def _share(seeds: Sequence[Sequence[Judged]], among: Outcome, what: Outcome) -> Share | None:
    chosen = [[what(item) for item in items if among(item)] for items in seeds]
    return _of(chosen) if chosen[0] else None


def _of(seeds: Sequence[Sequence[bool]]) -> Share:
    values = np.array(seeds, dtype=np.float64)
    return Share(float(values.mean()), two_questions.score(values, 1.0), values.shape[1])
