"""What each method scored in every run, in the order of the runs' dates.

Scores of the same items, asked and scored the same way, are one track; a run with others begins a track of its own.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from bench.analysis import comparison
from bench.analysis.comparison import Answers, by_unit
from bench.analysis.decision.rule import quality_intervals
from bench.analysis.statistics.intervals import Interval, wilson
from bench.core.errors import UsageError, unknown
from bench.core.record import Record, Run
from bench.store.run_folder import find_predictions


@dataclass(frozen=True, slots=True)
class Dated:
    """A run in its place in time."""

    number: int  # from 1, the oldest
    run: Run
    date: datetime  # of its latest record, UTC


@dataclass(frozen=True, slots=True)
class TrackPoint:
    """What one method scored in one run, over its seeds that ended."""

    number: int  # of the run
    score: float
    record: Record  # of the first seed
    metric: str
    seeds: tuple[int, ...]
    interval: Interval | None = None  # 95%, over items and seeds; None where the run keeps no predictions
    answers: Answers | None = None  # None likewise

    def alike(self, other: TrackPoint) -> bool:
        """Whether both were asked the same items, and scored the same way."""
        a, b = self.answers, other.answers
        same = a is None or b is None or a.ids == b.ids
        return same and _asked(self.record, self.metric) == _asked(other.record, other.metric)


@dataclass(frozen=True, slots=True)
class Track:
    """One method over runs that asked the same and scored the same way, the oldest first."""

    method: str
    part: int  # from 1; a second one was asked other items, or scored in another way
    points: tuple[TrackPoint, ...]

    @property
    def label(self) -> str:
        """The method; of a later part with the run that it begins at."""
        return self.method if self.part == 1 else f"{self.method}, from run {self.first}"

    @property
    def first(self) -> int:
        """Number of its oldest run."""
        return self.points[0].number


@dataclass(frozen=True, slots=True)
class Panel:
    """One task with one model, in one metric."""

    model: str
    task: str
    metric: str
    tracks: tuple[Track, ...]
    left_out: tuple[str, ...] = ()  # runs without a score of a method, and why


def dated(runs: Sequence[Run]) -> list[Dated]:
    """The runs from the oldest to the newest; of the same date, as given.

    Raises:
        UsageError: a run is given twice, has no record, or a date that is none.
    """
    found: list[tuple[datetime, Run]] = []
    places: dict[Path, Path] = {}
    for run in runs:
        if run.path.resolve() in places:
            raise UsageError(f"{run.path} is given twice")
        places[run.path.resolve()] = run.path
        if not run.records:
            raise UsageError(f"{run.path} has no measured cell; leave it out")
        found.append((max(_date(run, record) for record in run.records), run))
    ordered = sorted(found, key=lambda pair: pair[0])
    return [Dated(i, run, date) for i, (date, run) in enumerate(ordered, 1)]


def panels(
    runs: Sequence[Dated], task: str | None = None, metric: str | None = None, methods: Sequence[str] = ()
) -> list[Panel]:
    """Every task and model of the runs, in the order in which they first occur.

    `metric`: another than the newest run's primary one; tasks that do not have it are left out. `task`, `methods`: of
    these alone.

    Raises:
        UsageError: no run has such a task, method or metric, or predictions cannot be read.
        NotComparableError: the seeds of a method were not asked the same items.
    """
    records = [record for one in runs for record in one.run.records]
    _refuse_unknown("task", [task] if task is not None else [], {record.task for record in records})
    _refuse_unknown("method", methods, {record.method for record in records})
    names = {name for record in records if task in (None, record.task) for name in record.scores}
    _refuse_unknown("metric", [metric] if metric is not None else [], names)
    cases = dict.fromkeys((record.model, record.task) for record in records if task in (None, record.task))
    found = [_panel(runs, model, name, metric, methods) for model, name in cases]
    kept = [panel for panel in found if panel is not None]
    if not kept:
        raise UsageError("these runs have no score to show")
    return kept


def _refuse_unknown(what: str, asked: Sequence[str], known: set[str]) -> None:
    for name in asked:
        if name not in known:
            raise UsageError(unknown(what, name, known))


def _date(run: Run, record: Record) -> datetime:
    try:
        found = datetime.fromisoformat(record.created)
    except ValueError:
        raise UsageError(f'{run.path}: a record was created at "{record.created[:40]}", which is no date') from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _panel(runs: Sequence[Dated], model: str, task: str, metric: str | None, methods: Sequence[str]) -> Panel | None:
    own = {one.number: [r for r in one.run.records if (r.model, r.task) == (model, task)] for one in runs}
    ended = [record for records in own.values() for record in records if record.status == "ok" and record.scores]
    name = metric or (next(iter(ended[-1].scores)) if ended else None)
    if name is None or not any(name in record.scores for record in ended):
        return None
    labels = dict.fromkeys(record.method for records in own.values() for record in records)
    tracks: list[Track] = []
    left_out: list[str] = []
    for label in labels:
        if methods and label not in methods:
            continue
        points = []
        for one in runs:
            asked = [record for record in own[one.number] if record.method == label]
            point = _point(one, [r for r in asked if r.status == "ok"], name)
            points += [point] if point else []
            left_out += _reasons(one.number, label, asked, name)
        tracks += _tracks(label, points)
    return Panel(model, task, name, tuple(tracks), tuple(left_out)) if tracks else None


def _point(one: Dated, records: Sequence[Record], metric: str) -> TrackPoint | None:
    """The method's score in a run; without an interval where predictions are not kept."""
    records = [record for record in records if metric in record.scores]
    if not records:
        return None
    seeds = tuple(record.seed for record in records)
    if any(find_predictions(one.run.path, record.key) is None for record in records):
        mean = statistics.fmean(record.scores[metric].value for record in records)
        return TrackPoint(one.number, mean, records[0], metric, seeds)
    [family] = comparison.within(replace(one.run, records=tuple(records)), metric=metric)
    [answers] = family.answers
    return TrackPoint(one.number, answers.score, records[0], metric, seeds, _interval(answers), answers)


def _interval(answers: Answers) -> Interval:
    """As the report has it, and without its draws where none are needed."""
    [values] = by_unit([answers])
    if len(values) == 1 and np.isin(values, (0.0, 1.0)).all():
        return wilson(int(values.sum()), values.shape[1])
    [interval] = quality_intervals([answers])
    return interval


def _reasons(number: int, label: str, records: Sequence[Record], metric: str) -> Iterator[str]:
    """Why cells of a method have no part in the score of a run."""
    for record in records:
        where = f"run {number}: {label}, seed {record.seed}"
        if record.status != "ok":
            yield f"{where}: {record.failure.kind if record.failure else 'failed'}"
        elif metric not in record.scores:
            yield f"{where}: not scored by {metric}"


def _tracks(label: str, points: Sequence[TrackPoint]) -> list[Track]:
    parts: list[list[TrackPoint]] = []
    for point in points:
        part = next((each for each in parts if all(point.alike(other) for other in each)), None)
        if part is None:
            parts.append([point])
        else:
            part.append(point)
    return [Track(label, number, tuple(part)) for number, part in enumerate(parts, 1)]


def _asked(record: Record, metric: str) -> tuple[str, str, int]:
    return record.questions, record.scores[metric].signature, record.items
