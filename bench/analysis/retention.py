"""What a model forgot: its probe scores after it was adapted, less those of the base model.

Reads records, and where they are there the answers to each item, so that the change is paired: what was known and
still is (kept), is no longer (lost), or is now (gained). A method that leaves every weight as it was has changed
nothing, and that is exactly 0. Where the base is not above chance there is nothing to lose, and retention is not
measurable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from bench import metrics
from bench.analysis.answers import bound
from bench.analysis.statistics import two_questions
from bench.analysis.statistics.distributions import binomial_cdf
from bench.analysis.statistics.intervals import Interval, pseudo_values
from bench.core.record import Record, Run, Score
from bench.metrics import NAMES
from bench.store.archive import RunPath
from bench.store.lines import lines_of
from bench.store.run_folder import find_predictions, probe_file

Array = NDArray[np.float64]
_LEVEL = 0.05  # one-sided, of the test of a base model against chance


@dataclass(frozen=True, slots=True)
class BaseScore:
    """What the base model scores on a probe, in the probe's primary metric."""

    metric: str
    value: float
    chance: float = 0.0  # what guessing scores
    above_chance: bool = True  # else what the probe asks was not known before, and its retention is not measurable


@dataclass(frozen=True, slots=True)
class RetentionChange:
    """One cell's change on one probe, in the probe's primary metric."""

    probe: str
    metric: str
    base: float
    adapted: float

    @property
    def difference(self) -> float:
        """Adapted less base; what that means, the metric's direction says."""
        return self.adapted - self.base


def base_scores(run: Run, model: str) -> dict[str, BaseScore]:
    """Probe -> score of the base model, for the probes that were measured."""
    own = [record for record in run.base if record.model == model and record.status == "ok"]
    return {record.task: _base_score(record) for record in own}


def _base_score(record: Record) -> BaseScore:
    metric, value = _primary(record.scores)
    chance = record.chance if metric == "accuracy" and record.chance else 0.0
    return BaseScore(metric, value, chance, above_chance(record))


def above_chance(record: Record) -> bool:
    """Whether a model knows more of a task than guessing gives.

    Of choices: whether more are right than by chance (one-sided exact binomial test at .05 of the share that guessing
    gets right; conservative where items have different numbers of choices). Of the others: whether the primary score
    leaves anything to lose, as any loss does.
    """
    metric, value = _primary(record.scores)
    if record.chance is not None and "accuracy" in record.scores:
        right = round(record.scores["accuracy"].value * record.items)
        return bool(1 - binomial_cdf(right - 1, record.items, record.chance) <= _LEVEL)
    return metric not in NAMES or NAMES[metric].room(value) > 0


def changes(record: Record, base: Mapping[str, BaseScore]) -> list[RetentionChange]:
    """The changes of one cell on every probe it can be compared on; of moved weights, where the base knew anything."""
    if record.weights_changed is None:
        return []
    found = []
    for probe, before in compared_with(record, base).items():
        after = record.probes.get(probe, {}) if record.weights_changed else {before.metric: Score(before.value)}
        if before.metric in after and (before.above_chance or not record.weights_changed):
            found.append(RetentionChange(probe, before.metric, before.value, after[before.metric].value))
    return found


def compared_with(record: Record, base: Mapping[str, BaseScore]) -> Mapping[str, BaseScore]:
    """What a cell's probes are compared with: the base as it was loaded, or as the method turned it into its own form.

    Whether a probe was above chance is that of the base as it was loaded.
    """
    if not record.parts.base_form:
        return base
    first = {probe: _primary(scores)[1] for probe, scores in record.untrained.items()}
    return {probe: replace(before, value=first[probe]) for probe, before in base.items() if probe in first}


def before_training(record: Record, base: Mapping[str, BaseScore]) -> list[RetentionChange]:
    """What a cell that starts changed had moved of the base, as it was loaded, before it learnt anything."""
    first = {probe: _primary(scores)[1] for probe, scores in record.untrained.items()}
    return [
        RetentionChange(probe, before.metric, before.value, first[probe])
        for probe, before in base.items()
        if probe in first and before.above_chance
    ]


def by_probe(records: Sequence[Record], base: Mapping[str, BaseScore]) -> dict[str, list[RetentionChange]]:
    """Probe -> the changes of several cells (seeds), in their order."""
    found: dict[str, list[RetentionChange]] = {}
    for record in records:
        for change in changes(record, base):
            found.setdefault(change.probe, []).append(change)
    return found


@dataclass(frozen=True, slots=True)
class Paired:
    """The change of one method on one probe, item by item, over its seeds."""

    difference: float  # adapted less base
    interval: Interval  # of these checkpoints, on new items
    retrained: Interval | None  # of training again; None for too few seeds
    seeds: tuple[float, ...]  # the difference of each seed
    p: float  # of these checkpoints
    n: int  # items
    kept: float  # items right before and after, mean over seeds
    lost: float
    gained: float
    counts: bool  # whether kept, lost and gained mean something: each item's score is 0 or 1


def paired(run: Run, records: Sequence[Record], probe: str) -> Paired | None:
    """The change on `probe` of the cells (seeds) of one method; None where answers to its items are not there.

    Raises:
        UsageError: a file of answers that cannot be read.
    """
    base = next((r for r in run.base if (r.model, r.task, r.status) == (records[0].model, probe, "ok")), None)
    moved = [record for record in records if record.weights_changed and probe in record.probes]
    files = [find_predictions(run.path, record.key, probe_file(probe)) for record in moved]
    before_file = find_predictions(run.path, base.key) if base else None
    if moved and moved[0].parts.base_form:  # in every seed the same
        before_file = find_predictions(run.path, moved[0].key, probe_file(probe, untrained=True))
    if base is None or before_file is None or not files or None in files:
        return None
    metric = next(iter(base.scores))
    values = _paired_values(before_file, [file for file in files if file is not None], metric)
    if values is None:
        return None
    a, b = values
    scale = bound(metric)
    found = two_questions.difference(a, b, scale)
    several = len(a) >= two_questions.FEWEST_SEEDS
    retrained = two_questions.retrained_difference(a, b, scale).interval if several else None
    binary = bool(np.isin(a, (0, 1)).all() and np.isin(b, (0, 1)).all())
    kept, lost, gained = (float(part.sum(axis=1).mean()) for part in ((a * b), (1 - a) * b, a * (1 - b)))
    seeds = tuple(float(one.mean() - b.mean()) for one in a)
    return Paired(found.difference, found.interval, retrained, seeds, found.p, a.shape[1], kept, lost, gained, binary)


@dataclass(frozen=True, slots=True)
class Loss:
    """What a method lost on one probe, mean over seeds; below 0 it gained."""

    probe: str
    metric: str  # its unit
    value: float
    interval: Interval | None  # of these checkpoints; None without answers to the items
    share: float | None  # of the base model's score, above chance; None where that is nothing
    base_form: str = ""  # of the base that it is lost from; "": as it was loaded


def losses(run: Run, records: Sequence[Record], base: Mapping[str, BaseScore]) -> tuple[Loss, ...]:
    """The largest loss of one method's cells (seeds) within each unit; () where no probe was measured.

    Raises:
        UsageError: as `paired`.
    """
    found: dict[str, Loss] = {}
    for changed in by_probe(records, base).values():
        one = _loss(run, records, changed, base[changed[0].probe].chance)
        if one.metric not in found or one.value > found[one.metric].value:
            found[one.metric] = one
    return tuple(found.values())


def _loss(run: Run, records: Sequence[Record], changed: Sequence[RetentionChange], chance: float) -> Loss:
    first = changed[0]
    sign = -1 if first.metric not in NAMES or NAMES[first.metric].higher_is_better else 1
    value = sign * float(np.mean([one.difference for one in changed]))
    interval: Interval | None = Interval(0.0, 0.0, 0.95)  # where no weight has moved it is exactly 0
    if any(record.weights_changed for record in records):
        pairs = paired(run, records, first.probe)
        interval = _signed(pairs.interval, sign) if pairs else None
    known = first.base - chance
    share = value / known if known > 0 else None
    return Loss(first.probe, first.metric, value, interval, share, records[0].parts.base_form)


def _signed(interval: Interval, sign: int) -> Interval:
    return interval if sign > 0 else Interval(-interval.high, -interval.low, interval.level)


def _paired_values(before: RunPath, after: Sequence[RunPath], metric: str) -> tuple[Array, Array] | None:
    """Scores of the same items in the same order, [seeds, items] after and [1, items] before; None where they differ.

    A corpus metric is spread over its items.
    """
    lines = [{line["id"]: line for line in lines_of(file)} for file in (*after, before)]
    ids = sorted(lines[0])
    if len(ids) < 2 or any(sorted(each) != ids for each in lines):
        return None
    kept = [[each[name] for name in ids] for each in lines]
    if all(metric in line["metrics"] for each in kept for line in each):
        values = np.array([[float(line["metrics"][metric]) for line in each] for each in kept])
    elif all(metric in line.get("counts", {}) for each in kept for line in each):
        counts = metrics.additive(metric, *(np.array([line["counts"][metric] for line in each]) for each in kept))
        values = np.array([_spread(each, metric) for each in counts])
    else:  # of a run that kept no counts
        return None
    return values[:-1], values[-1:]


def _spread(counts: NDArray[np.int64], metric: str) -> Array:
    """A corpus score as values of its items, which vary as pseudo-values do and whose mean is the score itself."""
    score = partial(metrics.from_statistics, metric)
    values = pseudo_values(counts, score)
    return np.asarray(values - values.mean() + score(counts.sum(axis=0, keepdims=True)), dtype=np.float64)


def _primary(scores: Mapping[str, Score]) -> tuple[str, float]:
    name, score = next(iter(scores.items()))
    return name, score.value
