"""Differences between methods, item by item: inside one run, or of the same method between two runs.

Reads records and predictions; nothing is measured again. What belongs to one model and task is one family, whose
p-values are adjusted together (Holm), for each of two questions on its own (`statistics.two_questions`): are these
checkpoints better, and would training again be better? A difference is always a less b.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from bench.analysis.answers import Answers as Answers  # as they are found here too
from bench.analysis.answers import bound, read, refuse_other_questions
from bench.analysis.answers import by_unit as by_unit
from bench.analysis.answers import spread as spread
from bench.analysis.statistics import two_questions
from bench.analysis.statistics.family import TieGroups, different_pairs, holm, tie_groups
from bench.analysis.statistics.intervals import Interval, mdd_interval
from bench.core.errors import UsageError, unknown
from bench.core.record import Record, Run
from bench.metrics import NAMES

Array = NDArray[np.float64]
ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Retraining:
    """Would training again be better? None where too few seeds cannot say."""

    interval: Interval | None
    p: float | None
    p_adjusted: float | None  # Holm, over what the family can say
    seeds_half_width: float | None  # what is left of half the interval however many items there are
    fewest: int  # seeds of the method that has the fewest

    @property
    def differ(self) -> bool | None:
        """Whether the difference holds among all of the family; None where nobody can say."""
        return None if self.p_adjusted is None else self.p_adjusted <= ALPHA


@dataclass(frozen=True, slots=True)
class Difference:
    """Two methods on the same items. Without `retraining`, all is said of these checkpoints."""

    a: Answers
    b: Answers
    difference: float  # a less b, in the unit of the metric
    interval: Interval
    p: float
    p_adjusted: float  # Holm, over the family
    detectable: float  # the smallest difference that the data would have shown with a chance of 0.8
    n: int
    method: str
    retraining: Retraining | None  # None where neither method depends on a seed

    @property
    def differ(self) -> bool:
        """Whether the difference holds among all of the family."""
        return self.p_adjusted <= ALPHA

    def other(self, label: str) -> Answers:
        """The method that `label` is compared with."""
        return self.b if self.a.label == label else self.a


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
        if answers:
            found.append(family_of(model, name, answers, left_out))
    if not found:
        raise UsageError(f"{run.path}: {nothing_measured(run.records)}; `adaptbench report` says more")
    return found


def nothing_measured(records: Sequence[Record]) -> str:
    """Why there is nothing to compare, where no cell has scores."""
    kinds = dict.fromkeys(record.failure.kind for record in records if record.failure)
    if not kinds:
        return "no cell is measured yet"
    every = f"all {len(records)} cells" if len(records) > 1 else "the only cell"
    return f"{every} failed ({', '.join(kinds)})"


def family_of(model: str, task: str, answers: Sequence[Answers], left_out: tuple[str, ...] = ()) -> Family:
    """All pairs of at least one method, the better first.

    Raises:
        NotComparableError: they were not asked the same.
    """
    higher = NAMES[answers[0].metric].higher_is_better
    ranked = sorted(answers, key=lambda one: -one.score if higher else one.score)
    differences = _family(combinations(ranked, 2))
    p = {(d.a.label, d.b.label): d.p for d in differences}
    ties = tie_groups([one.label for one in ranked], different_pairs(p, alpha=ALPHA)) if p else None
    return Family(model, task, answers[0].metric, tuple(differences), tuple(ranked), ties, left_out)


def among(family: Family, labels: Collection[str]) -> Family:
    """The family of these methods alone: fewer pairs, so that Holm's correction asks less of each.

    Methods that are not to choose from, such as smaller points of a learning curve, make no choice less sure.
    """
    differences = [one for one in family.differences if {one.a.label, one.b.label} <= set(labels)]
    answers = tuple(one for one in family.answers if one.label in labels)
    return replace(family, differences=tuple(_adjusted(differences)), answers=answers, ties=None)


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
    return _adjusted([difference(a, b) for a, b in pairs])


def _adjusted(found: list[Difference]) -> list[Difference]:
    """Holm's correction over the list, for both questions."""
    if not found:
        return []
    adjusted = holm([one.p for one in found])
    found = [replace(one, p_adjusted=float(p)) for one, p in zip(found, adjusted, strict=True)]
    again = [one.retraining.p for one in found if one.retraining and one.retraining.p is not None]
    adjusted_again = iter(holm(again) if again else ())
    return [
        replace(one, retraining=replace(one.retraining, p_adjusted=float(next(adjusted_again))))
        if one.retraining and one.retraining.p is not None
        else one
        for one in found
    ]


def difference(a: Answers, b: Answers) -> Difference:
    """Two methods alone, as a family of one.

    Raises:
        NotComparableError: they were not asked the same.
    """
    refuse_other_questions(a, b)
    first, second = by_unit([a, b])
    found = two_questions.difference(first, second, bound(a.metric))
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
        retraining=_retraining(a, b, first, second),
    )


def _retraining(a: Answers, b: Answers, first: Array, second: Array) -> Retraining | None:
    seeds = [len(one.seeds) for one in (a, b) if one.seeded]
    if not seeds:
        return None
    if min(seeds) < two_questions.FEWEST_SEEDS:
        return Retraining(None, None, None, None, min(seeds))
    found = two_questions.retrained_difference(first, second, bound(a.metric))
    reach = two_questions.seeds_half_width(first, second)
    return Retraining(found.interval, found.p, found.p, reach, min(seeds))
