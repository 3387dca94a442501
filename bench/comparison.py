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

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from bench import metrics
from bench.errors import NotComparableError, UsageError, unknown
from bench.metrics import NAMES
from bench.nouns import Record, Run
from bench.statistics.family import TieGroups, different_pairs, holm, tie_groups
from bench.statistics.intervals import Interval, Score, pseudo_values
from bench.statistics.paired import PairedResult, paired_corpus, paired_means, paired_shares
from bench.statistics.power import mdd_interval
from bench.statistics.seeds import SeedsResult, crossed_means
from bench.store import read_predictions

Array = NDArray[np.float64]
ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Answers:
    """What one method scored on every item of a task, for each of its seeds."""

    label: str
    model: str
    task: str
    metric: str
    signature: str
    questions: str
    seeds: tuple[int, ...]
    trained: bool
    ids: tuple[str, ...]
    groups: tuple[str, ...]  # "" for an item on its own
    outputs: tuple[tuple[str, ...], ...]  # [seeds][items]
    scores: tuple[float, ...]  # of the task, for each seed
    values: NDArray[np.float64] | None  # [seeds, items]; None for a corpus metric
    counts: tuple[NDArray[np.int64], ...] = ()  # for each seed [items, k]; () for a mean over items
    rankings: tuple[tuple[str, ...], ...] = ()  # [items] ids of passages, the best first, with the first seed

    @property
    def score(self) -> float:
        """Mean over seeds."""
        return float(np.mean(self.scores))


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
class Flip:
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


def flips(difference: Difference) -> list[Flip]:
    """The items on which the first seeds of both differ in their score, the largest change first."""
    a, b = difference.a, difference.b
    if a.values is None or b.values is None:
        return []
    gains = a.values[0] - b.values[0]
    order = sorted(np.flatnonzero(gains).tolist(), key=lambda i: (-abs(gains[i]), a.ids[i]))
    return [Flip(a.ids[i], a.outputs[0][i], b.outputs[0][i], float(gains[i])) for i in order]


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
            found.append(_read(run, label, ended, metric))
        else:
            left_out.append(f"{label}: {own[0].failure.kind if own[0].failure else 'not measured'}")
    return found, tuple(left_out)


def _read(run: Run, label: str, records: Sequence[Record], metric: str | None) -> Answers:
    first = records[0]
    name = metric or next(iter(first.scores))
    if name not in first.scores:
        raise UsageError(f"{first.task}: {unknown('metric', name, first.scores)}")
    files = [read_predictions(run.path, record.key) for record in records]
    for record, lines in zip(records, files, strict=True):
        if [line["id"] for line in lines] != [line["id"] for line in files[0]] or len(lines) != record.items:
            raise NotComparableError(f"{label} on {record.task}: its seeds were not asked the same items")
    per_item = name in files[0][0]["metrics"]
    if not per_item and name not in files[0][0].get("counts", {}):
        raise UsageError(f"{run.path} keeps no counts of {name}; measure it again to compare item by item")
    return Answers(
        label=label,
        model=first.model,
        task=first.task,
        metric=name,
        signature=first.scores[name].signature,
        questions=first.questions or str(first.identity.get("task")),
        seeds=tuple(record.seed for record in records),
        trained=bool(first.training),
        ids=tuple(line["id"] for line in files[0]),
        groups=tuple(line.get("group", "") for line in files[0]),
        outputs=tuple(tuple(line["output"] for line in lines) for lines in files),
        scores=tuple(record.scores[name].value for record in records),
        values=np.array([[line["metrics"][name] for line in lines] for lines in files]) if per_item else None,
        counts=() if per_item else tuple(np.array([line["counts"][name] for line in lines]) for lines in files),
        rankings=tuple(tuple(line.get("ranking", ())) for line in files[0]),
    )


def _family(pairs: Iterable[tuple[Answers, Answers]]) -> list[Difference]:
    found = [_difference(a, b) for a, b in pairs]
    if not found:
        return []
    adjusted = holm([one.p for one in found])
    return [replace(one, p_adjusted=float(p)) for one, p in zip(found, adjusted, strict=True)]


def _difference(a: Answers, b: Answers) -> Difference:
    _refuse_other_questions(a, b)
    several = len(a.seeds) > 1 or len(b.seeds) > 1
    groups = _groups(a)
    if several:
        found: PairedResult | SeedsResult = crossed_means(*by_unit([a, b]))
    elif a.values is None or b.values is None:
        one, other = metrics.additive(a.metric, a.counts[0], b.counts[0])
        found = paired_corpus(one, other, _scorer(a.metric), groups=groups)
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


def _refuse_other_questions(a: Answers, b: Answers) -> None:
    where = f"{a.label} and {b.label} on {a.task}" if a.label != b.label else f"{a.label} on {a.task}"
    if a.metric != b.metric:
        raise NotComparableError(f"{where}: one is scored by {a.metric}, the other by {b.metric}")
    if a.signature != b.signature:
        raise NotComparableError(f"{where}: {a.metric} was computed in two ways: {a.signature}, {b.signature}")
    if a.ids != b.ids:
        raise NotComparableError(f"{where}: not the same items ({len(a.ids)} and {len(b.ids)})")
    if a.questions != b.questions:
        raise NotComparableError(f"{where}: the items have the same names, but their prompts or texts differ")


def _groups(answers: Answers) -> list[Hashable] | None:
    """A label for each item, its own where it belongs to no group; None where no item does."""
    if not any(answers.groups):
        return None
    return [group or f"\0{name}" for group, name in zip(answers.groups, answers.ids, strict=True)]


def spread(answers: Sequence[Answers]) -> list[Array]:
    """Scores [seeds, items] of each, whose means are the metric; a corpus metric is spread over its items."""
    known = [one.values for one in answers]
    if all(values is not None for values in known):
        return [values for values in known if values is not None]
    metric = answers[0].metric
    rows = metrics.additive(metric, *(counts for one in answers for counts in one.counts))
    values = [pseudo_values(one, _scorer(metric)) for one in rows]
    found = []
    for one in answers:
        own, values = values[: len(one.counts)], values[len(one.counts) :]
        found.append(np.array(own))
    return found


def by_unit(answers: Sequence[Answers]) -> list[Array]:
    """`spread`, with items that belong together summed: [seeds, what is resampled]."""
    groups = _groups(answers[0])
    return [_summed(values, groups) for values in spread(answers)]


def _summed(values: Array, groups: Sequence[Hashable] | None) -> Array:
    """[seeds, items] to [seeds, groups] with the same means: a group's sum, times groups over items."""
    if groups is None:
        return values
    places: Mapping[Hashable, int] = {group: i for i, group in enumerate(dict.fromkeys(groups))}
    found = np.zeros((len(values), len(places)))
    for column, group in enumerate(groups):
        found[:, places[group]] += values[:, column]
    found *= len(places) / values.shape[1]
    return found


def _scorer(metric: str) -> Score:
    return lambda totals: metrics.from_statistics(metric, totals)  # type: ignore[arg-type]  # whole numbers as floats
