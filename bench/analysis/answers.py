"""What one method answered to every item of a task, as arrays to be compared item by item."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from bench import metrics
from bench.analysis.statistics.intervals import pseudo_values
from bench.core.errors import NotComparableError, UsageError, unknown
from bench.core.record import Record, Run
from bench.core.record import Score as Scored
from bench.store.lines import Line
from bench.store.run_folder import read_predictions

Array = NDArray[np.float64]


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
    suite_method: str = ""  # the label without the size of a learning curve's point
    train_size: int | None = None  # training items; None: all
    context: str = ""  # name of the context part
    uses_seed: bool = True  # its training does; a fit without anything random does not
    trained_elsewhere: bool = False  # its weights were brought along
    method: str = ""  # as its records name it, where `label` names its model too

    @property
    def curve_size(self) -> int | None:
        """Training items of a point of a learning curve; None for all that the suite gives the method."""
        return None if self.label == self.suite_method else self.train_size

    @property
    def score(self) -> float:
        """Mean over seeds."""
        return float(np.mean(self.scores))

    @property
    def seeded(self) -> bool:
        """Whether another seed would answer otherwise: a training that draws something, or one of several seeds."""
        return (self.trained and self.uses_seed) or len(self.seeds) > 1


def bound(metric: str) -> float | None:
    """The highest score of a metric whose lowest is 0; None for one without such bounds."""
    info = metrics.NAMES.get(metric)
    return info.scale if info is not None and info.bounded else None


_READ: ContextVar[dict[Hashable, Answers] | None] = ContextVar("read", default=None)


@contextmanager
def reading_once() -> Iterator[None]:
    """While it lasts, answers are read from their files once: for a page that compares the same methods again."""
    token = _READ.set({})
    try:
        yield
    finally:
        _READ.reset(token)


def read(run: Run, label: str, records: Sequence[Record], metric: str | None) -> Answers:
    """The answers of the cells (seeds) of one method, in `metric` or the task's primary one.

    Raises:
        UsageError: no such metric, or predictions that are not there.
        NotComparableError: the seeds were not asked the same items.
    """
    known = _READ.get()
    if known is None:
        return _read(run, label, records, metric)
    name = (run.path, label, tuple(record.key for record in records), metric)
    if name not in known:
        known[name] = _read(run, label, records, metric)
    return known[name]


def _read(run: Run, label: str, records: Sequence[Record], metric: str | None) -> Answers:
    first = records[0]
    name = metric or next(iter(first.scores))
    if name not in first.scores:
        raise UsageError(f"{first.task}: {unknown('metric', name, first.scores)}")
    files = [read_predictions(run.path, record.key) for record in records]
    if any(len(lines) != record.items for record, lines in zip(records, files, strict=True)):
        raise NotComparableError(f"{label} on {first.task}: its seeds were not asked the same items")
    if any(name not in {**lines[0]["metrics"], **lines[0].get("counts", {})} for lines in files):
        raise UsageError(f"{run.path} keeps no counts of {name}; measure it again to compare item by item")
    scores = [record.scores[name] for record in records]
    return of_lines(files, label, records, name, scores, first.task, first.questions)


def of_lines(
    files: Sequence[Sequence[Line]],
    label: str,
    records: Sequence[Record],
    metric: str,
    scores: Sequence[Scored],
    task: str,
    questions: str,
) -> Answers:
    """Answers from lines that are read already, those of one seed in each of `files`.

    `records` and `scores` go with `files`. `task` is that of the records, or a probe that their models were asked.

    Raises:
        NotComparableError: the seeds were not asked the same items.
        KeyError: a line without this metric.
    """
    ids = [line["id"] for line in files[0]]
    if any([line["id"] for line in lines] != ids for lines in files[1:]):
        raise NotComparableError(f"{label} on {task}: its seeds were not asked the same items")
    per_item = metric in files[0][0]["metrics"]
    return Answers(
        label=label,
        model=records[0].model,
        task=task,
        metric=metric,
        signature=scores[0].signature,
        questions=questions,
        seeds=tuple(record.seed for record in records),
        trained=records[0].training is not None,
        uses_seed=records[0].uses_seed,
        suite_method=records[0].suite_method,
        train_size=records[0].train_size,
        context=records[0].parts.context.name,
        trained_elsewhere=records[0].parts.trained_elsewhere,
        ids=tuple(ids),
        groups=tuple(line.get("group", "") for line in files[0]),
        outputs=tuple(tuple(line["output"] for line in lines) for lines in files),
        scores=tuple(score.value for score in scores),
        values=_values(files, metric) if per_item else None,
        counts=() if per_item else tuple(np.array([line["counts"][metric] for line in lines]) for lines in files),
        rankings=tuple(tuple(line.get("ranking", ())) for line in files[0]),
    )


def _values(files: Sequence[Sequence[Line]], metric: str) -> Array:
    return np.array([[line["metrics"][metric] for line in lines] for lines in files], dtype=np.float64)


def refuse_other_questions(a: Answers, b: Answers) -> None:
    """Raise NotComparableError unless both were asked the same and are scored the same way."""
    where = f"{a.label} and {b.label} on {a.task}" if a.label != b.label else f"{a.label} on {a.task}"
    if a.metric != b.metric:
        raise NotComparableError(f"{where}: one is scored by {a.metric}, the other by {b.metric}")
    if a.signature != b.signature:
        raise NotComparableError(f"{where}: {a.metric} was computed in two ways: {a.signature}, {b.signature}")
    if a.ids != b.ids:
        raise NotComparableError(f"{where}: not the same items ({len(a.ids)} and {len(b.ids)})")
    if a.questions != b.questions:
        raise NotComparableError(f"{where}: the items have the same names, but their prompts or texts differ")


def groups_of(answers: Answers) -> list[Hashable] | None:
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
    values = [pseudo_values(one, partial(metrics.from_statistics, metric)) for one in rows]
    found = []
    for one in answers:
        own, values = values[: len(one.counts)], values[len(one.counts) :]
        found.append(np.array(own))
    return found


def by_unit(answers: Sequence[Answers]) -> list[Array]:
    """`spread`, with items that belong together summed: [seeds, what is resampled]."""
    groups = groups_of(answers[0])
    return [summed(values, groups) for values in spread(answers)]


def summed(values: Array, groups: Sequence[Hashable] | None) -> Array:
    """[seeds, items] to [seeds, groups] with the same means: a group's sum, times groups over items."""
    if groups is None:
        return values
    places: Mapping[Hashable, int] = {group: i for i, group in enumerate(dict.fromkeys(groups))}
    found = np.zeros((len(values), len(places)))
    for column, group in enumerate(groups):
        found[:, places[group]] += values[:, column]
    found *= len(places) / values.shape[1]
    return found
