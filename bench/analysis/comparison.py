"""Differences between methods, item by item: inside one run, or of the same method between two runs.

Reads records and predictions; nothing is measured again. What belongs to one model and task is one family, whose
p-values are adjusted together (Holm). A difference is always a less b. Which statistic is due depends on what is there:

| seeds | metric | statistic |
|---|---|---|
| one each | 0 or 1 for each item | McNemar's exact test, Newcombe's interval |
| one each | another mean over items, or items that belong together | paired bootstrap |
| one each | BLEU, chrF, macro-F1 | paired bootstrap of counts |
| several | all | seeds × items, with a corpus metric spread over its items |
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from bench import metrics
from bench.analysis.answers import Answers as Answers  # as they are found here too
from bench.analysis.answers import CorpusScore, groups_of, read, refuse_other_questions
from bench.analysis.answers import by_unit as by_unit
from bench.analysis.answers import spread as spread
from bench.analysis.statistics.family import TieGroups, different_pairs, holm, tie_groups
from bench.analysis.statistics.intervals import Interval
from bench.analysis.statistics.paired import PairedResult, paired_corpus, paired_means, paired_shares
from bench.analysis.statistics.power import mdd_interval
from bench.analysis.statistics.seeds import SeedsResult, crossed_means
from bench.core.errors import UsageError, unknown
from bench.core.record import Record, Run
from bench.metrics import NAMES

ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Difference:
    """Two methods on the same items."""

    a: Answers
    b: Answers
    difference: float  # a less b, in the unit of the metric
    interval: Interval
    p: float
    p_adjusted: float  # Holm, over the family
    detectable: float  # the smallest difference that the data would have shown with a chance of 0.8
    n: int
    method: str

    @property
    def differ(self) -> bool:
        """Whether the difference holds among all of the family."""
        return self.p_adjusted <= ALPHA

    @property
    def one_seed(self) -> tuple[str, ...]:
        """Trained methods measured with one seed: what another seed would give is not in the interval."""
        return tuple(dict.fromkeys(one.label for one in (self.a, self.b) if one.trained and len(one.seeds) == 1))


@dataclass(frozen=True, slots=True)
class Family:
    """All that is compared of one model and task, in one metric."""

    model: str
    task: str
    metric: str
    differences: tuple[Difference, ...]
    answers: tuple[Answers, ...] = ()  # of the methods of one run, the best first
    ties: TieGroups | None = None  # of the methods of one run
    left_out: tuple[str, ...] = ()  # methods without an answer, and why


@dataclass(frozen=True, slots=True)
class AnswerFlip:
    """An item that one method got right and the other did not."""

    id: str
    a: str
    b: str
    gain: float  # score of a less that of b


def within(run: Run, task: str | None = None, metric: str | None = None, methods: Sequence[str] = ()) -> list[Family]:
    """Every pair of methods of each model and task of a run, the better first.

    `metric`: another than the task's primary one. `methods`: of these labels alone.

    Raises:
        UsageError: no such task, metric or method, or predictions that are not there.
        NotComparableError: the methods were not asked the same.
    """
    found = []
    for (model, name), records in _by_task(run, task, methods).items():
        answers, left_out = _answers(run, records, metric)
        if not answers:
            continue
        higher = NAMES[answers[0].metric].higher_is_better
        ranked = sorted(answers, key=lambda one: -one.score if higher else one.score)
        differences = _family(combinations(ranked, 2))
        p = {(d.a.label, d.b.label): d.p for d in differences}
        ties = tie_groups([one.label for one in ranked], different_pairs(p, alpha=ALPHA)) if p else None
        found.append(Family(model, name, answers[0].metric, tuple(differences), tuple(ranked), ties, left_out))
    if not found:
        raise UsageError(f"{run.path} has no measured cell to compare")
    return found


def between(
    new: Run, old: Run, task: str | None = None, metric: str | None = None, methods: Sequence[str] = ()
) -> list[Family]:
    """Each method of one run less the same of another, by model, task and method's label.

    Raises:
        UsageError: as `within`, or the runs have no method in common.
        NotComparableError: items, prompts or ways of scoring differ.
    """
    found = []
    before = _by_task(old, None, ())
    for (model, name), records in _by_task(new, task, methods).items():
        answers, left_out = _answers(new, records, metric)
        earlier = [record for record in before.get((model, name), []) if not methods or record.method in methods]
        others, none = _answers(old, earlier, metric)
        pairs = [(a, b) for a in answers for b in others if a.label == b.label]
        alone = [f"{one.label}: only in {new.path}" for one in answers if one.label not in {b.label for b in others}]
        alone += [f"{one.label}: only in {old.path}" for one in others if one.label not in {a.label for a in answers}]
        if pairs:
            differences = tuple(_family(pairs))
            found.append(Family(model, name, pairs[0][0].metric, differences, (), None, (*left_out, *none, *alone)))
    if not found:
        raise UsageError(f"{new.path} and {old.path} have no model, task and method in common")
    return found


def flips(difference: Difference) -> list[AnswerFlip]:
    """The items on which the first seeds of both differ in their score, the largest change first."""
    a, b = difference.a, difference.b
    if a.values is None or b.values is None:
        return []
    gains = a.values[0] - b.values[0]
    order = sorted(np.flatnonzero(gains).tolist(), key=lambda i: (-abs(gains[i]), a.ids[i]))
    return [AnswerFlip(a.ids[i], a.outputs[0][i], b.outputs[0][i], float(gains[i])) for i in order]


def _by_task(run: Run, task: str | None, methods: Sequence[str]) -> dict[tuple[str, str], list[Record]]:
    for what, asked, known in (
        ("task", [task] if task is not None else [], {record.task for record in run.records}),
        ("method", methods, {record.method for record in run.records}),
    ):
        for name in asked:
            if name not in known:
                raise UsageError(f"{run.path}: {unknown(what, name, known)}")
    found: dict[tuple[str, str], list[Record]] = {}
    for record in run.records:
        if task in (None, record.task) and (not methods or record.method in methods):
            found.setdefault((record.model, record.task), []).append(record)
    return found


def _answers(run: Run, records: Sequence[Record], metric: str | None) -> tuple[list[Answers], tuple[str, ...]]:
    """Each method's answers, and the methods that have none with the reason."""
    found, left_out = [], []
    for label in dict.fromkeys(record.method for record in records):
        own = [record for record in records if record.method == label]
        ended = [record for record in own if record.status == "ok"]
        if ended:
            found.append(read(run, label, ended, metric))
        else:
            left_out.append(f"{label}: {own[0].failure.kind if own[0].failure else 'not measured'}")
    return found, tuple(left_out)


def _family(pairs: Iterable[tuple[Answers, Answers]]) -> list[Difference]:
    found = [_difference(a, b) for a, b in pairs]
    if not found:
        return []
    adjusted = holm([one.p for one in found])
    return [replace(one, p_adjusted=float(p)) for one, p in zip(found, adjusted, strict=True)]


def _difference(a: Answers, b: Answers) -> Difference:
    refuse_other_questions(a, b)
    several = len(a.seeds) > 1 or len(b.seeds) > 1
    groups = groups_of(a)
    if several:
        found: PairedResult | SeedsResult = crossed_means(*by_unit([a, b]))
    elif a.values is None or b.values is None:
        one, other = metrics.additive(a.metric, a.counts[0], b.counts[0])
        found = paired_corpus(one, other, CorpusScore(a.metric), groups=groups)
    elif groups is None and np.isin([a.values, b.values], (0.0, 1.0)).all():
        found = paired_shares(a.values[0], b.values[0])
    else:
        found = paired_means(a.values[0], b.values[0], groups=groups)
    return Difference(
        a=a,
        b=b,
        difference=a.score - b.score,
        interval=found.interval,
        p=found.p,
        p_adjusted=found.p,
        detectable=mdd_interval(found.interval),
        n=len(a.ids),
        method=found.method,
    )
