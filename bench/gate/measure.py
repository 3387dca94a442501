"""Two runs to numbers: for each planned check both figures, and of a score its difference with tails."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import numpy as np

from bench import metrics
from bench.analysis.answers import Answers, of_lines
from bench.analysis.statistics.onesided import OneSided
from bench.core.errors import AdaptbenchError, NotComparableError
from bench.core.record import Record, Run, Score
from bench.gate import costs, counters, interleaved, tails
from bench.gate.expand import Group, Planned, groups
from bench.gate.policy import Policy, Question
from bench.gate.tails import Tails
from bench.metrics import NAMES
from bench.metrics.formats import clean
from bench.store.lines import Line, lines_of
from bench.store.run_folder import find_predictions, probe_file, read_predictions

FEW_SEEDS = 3  # fewer say too little of what another seed would give
_LEAST_DRAWS = 2_000
_SAME = 1e-6  # share by which a sum may differ from the same one in another order
Lines = list[Line]
Problem = Literal["", "missing", "not_comparable"]
Digest = Callable[[Run, str], str | None]  # run, task -> digest of its items alone


@dataclass(frozen=True, slots=True)
class Measured:
    """One check, measured, or the problem that kept it from being."""

    planned: Planned
    baseline: float | None = None
    candidate: float | None = None
    tails: Tails | None = None  # of what is tested; else None
    answers: tuple[Answers, Answers] | None = None  # of a score: candidate's, baseline's
    seeds: tuple[int, int] = (0, 0)  # of the candidate and of the baseline
    resampled: bool = False  # whether another seed of either could say something else
    not_comparable: str = ""  # of a measured cost: why figures of the two runs do not compare, unless in turns
    ratio: interleaved.Ratio | None = None  # of a measured cost, where both runs were measured in turns
    problem: Problem = ""
    reason: str = ""

    @property
    def few_seeds(self) -> bool:
        """Whether too few seeds were measured to say that nothing is lost when training is done again."""
        return self.resampled and min(self.seeds) < FEW_SEEDS

    @property
    def tested(self) -> bool:
        """Whether this is a test of significance, or could not be made one; else a ratio."""
        return self.planned.kind != "cost" or self.tails is not None

    def failing(self, question: Question) -> OneSided | None:
        """What may fail: under the question of training the seeds are a sample. None where one seed each cannot say."""
        assert self.tails is not None
        return self.tails.training if self.resampled and question == "training" else self.tails.checkpoints

    def passing(self, question: Question) -> OneSided | None:
        """What may pass: the same, but with few seeds what was measured stands for itself."""
        assert self.tails is not None
        if self.few_seeds:
            return self.tails.checkpoints or self.tails.training
        return self.failing(question)


@dataclass(frozen=True)
class Side:
    """A run, by method, with the lines of the cells of one method at a time."""

    name: str
    run: Run
    cells: Mapping[Group, list[Record]]

    def task(self, records: Sequence[Record]) -> list[Lines]:
        """Predictions of each cell; raises UsageError where there are none."""
        return [read_predictions(self.run.path, record.key) for record in records]

    def probe(self, records: Sequence[Record], probe: str) -> list[tuple[Record, Lines]]:
        """Answers to a probe of each cell whose weights moved; where none did, of the base model."""
        base = self.base(records[0].model, probe)
        moved = [record for record in records if record.weights_changed]
        pairs = [(record, probe_file(probe)) for record in moved]
        if len(moved) < len(records):
            if base is None:
                raise MissingError(f"{self.name} has no answers of the base model to probe {probe}")
            pairs.append((base, "predictions.jsonl"))
        files = [(record, find_predictions(self.run.path, record.key, name)) for record, name in pairs]
        if any(file is None for _, file in files):
            raise MissingError(f"{self.name} has no answers to probe {probe}")
        return [(record, lines_of(file)) for record, file in files if file is not None]

    def base(self, model: str, probe: str) -> Record | None:
        """The base model's record of a probe."""
        return next((r for r in self.run.base if (r.model, r.task, r.status) == (model, probe, "ok")), None)


class MissingError(Exception):
    """What a check needs is not there."""


def measure(
    planned: Sequence[Planned], baseline: Run, candidate: Run, policy: Policy, digest: Digest
) -> Iterator[Measured]:
    """Every planned check, those of one method together. `candidate` goes by the baseline's names."""
    # The smallest p of so many draws, adjusted for all checks, is a quarter of alpha: a fall can still be found.
    least = max(_LEAST_DRAWS, math.ceil(4 * len(planned) / policy.alpha))
    old, new = Side("the baseline", baseline, groups(baseline)), Side("the candidate", candidate, groups(candidate))
    for group, found in groupby(sorted(planned, key=lambda one: one.group), key=lambda one: one.group):
        own = list(found)
        reason = absent(group, old.cells[group], new.cells.get(group, []), candidate)
        if reason:
            yield from (Measured(one, problem="missing", reason=reason) for one in own)
            continue
        read = _Pair(old, new, group, policy.may_change, digest, least, policy.alpha, {})
        for one in own:
            try:
                yield _cost(one, read) if one.kind == "cost" else _score(one, read)
            except MissingError as error:
                yield Measured(one, problem="missing", reason=str(error))
            except NotComparableError as error:
                yield Measured(one, problem="not_comparable", reason=clean(error))
            except AdaptbenchError as error:
                yield Measured(one, problem="missing", reason=clean(error))
            except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
                said = clean(f"{type(error).__name__}: {error}")
                yield Measured(one, problem="missing", reason=f"predictions that cannot be used ({said})")


def absent(group: Group, before: Sequence[Record], now: Sequence[Record], candidate: Run) -> str:
    """Why the candidate has not all cells of a method that the baseline has; "" where it has."""
    failed = [r for r in candidate.records if (r.model, r.task, r.method) == group and r.status != "ok"]
    if failed:
        first = failed[0].failure
        return f"seed {failed[0].seed} failed: {first.kind if first else 'no reason given'}"
    if not now:
        return "not in the candidate"
    if len(now) < len(before):
        return f"the candidate has {len(now)} of the {len(before)} seeds of the baseline"
    return ""


@dataclass(frozen=True)
class _Pair:
    """One method in both runs. `kept` holds its lines, read once for all of its checks."""

    old: Side
    new: Side
    group: Group
    may_change: Sequence[str]
    digest: Digest
    least_draws: int
    alpha: float
    kept: dict[str, tuple[list[tuple[Record, Lines]], list[tuple[Record, Lines]]]]

    def lines(self, probe: str) -> tuple[list[tuple[Record, Lines]], list[tuple[Record, Lines]]]:
        """Candidate's and baseline's, the former in the latter's order of items."""
        if probe not in self.kept:
            found = []
            for side in (self.new, self.old):
                records = side.cells[self.group]
                lines = side.probe(records, probe) if probe else list(zip(records, side.task(records), strict=True))
                for record, own in lines:
                    if probe or len(own) == record.items:  # else `answers_of` says how many there are
                        _refuse_other_means(record, probe, own)
                found.append(lines)
            order = [line["id"] for line in found[1][0][1]]
            self.kept[probe] = ([(record, _ordered(lines, order)) for record, lines in found[0]], found[1])
        return self.kept[probe]


def _ordered(lines: Lines, order: Sequence[str]) -> Lines:
    """Lines in the order of ids, where they are of the same items; else as they are, to be refused."""
    if [line["id"] for line in lines] == order:
        return lines
    by_id = {line["id"]: line for line in lines}
    return [by_id[name] for name in order] if len(by_id) == len(lines) and set(by_id) == set(order) else lines


def _cost(one: Planned, pair: _Pair) -> Measured:
    new, old = pair.new.cells[pair.group], pair.old.cells[pair.group]
    now, before = costs.value(new, one.name), costs.value(old, one.name)
    if now is None or before is None:
        raise MissingError(f"{'the candidate' if now is None else 'the baseline'} holds no {one.name}")
    if one.name in costs.MEASURED:
        ratio = interleaved.ratio(new, old, one.name, pair.alpha)
        return Measured(one, before, now, not_comparable=costs.why_not_comparable(new, old), ratio=ratio)
    if not before or not costs.varies(one.name, [*new, *old]):
        return Measured(one, before, now)
    values = counters.figures(one.name, *pair.lines(""))
    if values[0].shape[1] == 1 and not tails.resampled(new, old):
        return Measured(one, before, now)  # one total each that no seed moves
    found = tails.of_counter(*values, pair.least_draws)
    seeds = len(new), len(old)
    return Measured(one, before, now, tails=found, seeds=seeds, resampled=tails.resampled(new, old))


def _score(one: Planned, pair: _Pair) -> Measured:
    both = pair.lines(one.probe)
    new, old = (answers_of(one, side, lines) for side, lines in zip((pair.new, pair.old), both, strict=True))
    _refuse(new, old, one, pair)
    sign = 1 if NAMES[one.name].higher_is_better else -1
    records = [[record for record, _ in cells] for cells in both]
    return Measured(
        one,
        old.score,
        new.score,
        tails=tails.of_scores(new, old, sign, pair.least_draws),
        answers=(new, old),
        seeds=(len(new.seeds), len(old.seeds)),
        resampled=tails.resampled(*records),
    )


def answers_of(one: Planned, side: Side, files: Sequence[tuple[Record, Lines]]) -> Answers:
    """What one side answered to what a check is about.

    Raises:
        MissingError: scores or answers that are not there, or do not go together.
    """
    first = side.cells[one.group][0]
    records = [record for record, _ in files]
    held = [_scores_of(record, one.probe) for record in records]
    if any(one.name not in scores for scores in held):
        raise MissingError(f"{side.name} was not scored by {one.name}")
    for record, lines in files:
        if len({line["id"] for line in lines}) < len(lines):
            raise MissingError(f"an item stands twice in {side.name}'s predictions of seed {record.seed}")
        if not one.probe and len(lines) != record.items:
            raise MissingError(
                f"{side.name} has predictions of {len(lines)} of {record.items} items of seed {record.seed}"
            )
    base = side.base(first.model, one.probe) if one.probe else first
    questions = base.questions if base else ""
    scores = [scores[one.name] for scores in held]
    if one.probe and not questions:
        raise MissingError(f"{side.name} has no record of the base model's answers to probe {one.probe}")
    found = of_lines(
        [lines for _, lines in files], one.method, records, one.name, scores, one.probe or one.task, questions
    )
    _refuse_other_scores(found)
    return found


def _scores_of(record: Record, probe: str) -> Mapping[str, Score]:
    """What a record says of a probe, or of its own task: the base model's record is of the probe itself."""
    return record.probes.get(probe, {}) if probe and record.weights_changed else record.scores


def _refuse_other_means(record: Record, probe: str, lines: Lines) -> None:
    """Scores that are means over items must be what the predictions give, also those that no check is about."""
    for name, score in _scores_of(record, probe).items():
        if name not in lines[0]["metrics"]:
            continue  # of all items together; see `_refuse_other_scores`
        mean = math.fsum(line["metrics"][name] for line in lines) / len(lines)
        if abs(score.value - mean) > _SAME * max(1.0, abs(mean)):
            raise MissingError(
                f"of {name} the record of seed {record.seed} says {score.value:.6g}, its predictions {mean:.6g}"
            )


def _refuse_other_scores(answers: Answers) -> None:
    """A record's score must be what its predictions give: else one of the two files is not what was measured."""
    for seed, (said, score) in enumerate(zip(answers.scores, _recomputed(answers), strict=True)):
        if not np.isfinite(score):
            raise MissingError(f"predictions of seed {answers.seeds[seed]} hold a score that is no finite number")
        if abs(said - score) > _SAME * max(1.0, abs(said)):
            raise MissingError(f"the record of seed {answers.seeds[seed]} says {said:.6g}, its predictions {score:.6g}")


def _recomputed(answers: Answers) -> list[float]:
    if answers.values is not None:
        return [float(mean) for mean in answers.values.mean(axis=1)]
    rows = metrics.additive(answers.metric, *answers.counts)
    return list(metrics.from_statistics(answers.metric, np.array([one.sum(axis=0) for one in rows])))


def _refuse(new: Answers, old: Answers, one: Planned, pair: _Pair) -> None:
    """Raise NotComparableError unless both answered the same items, and were scored the same way."""
    if new.signature != old.signature:
        raise NotComparableError(f"{one.name} was computed in two ways: {old.signature}, now {new.signature}")
    if new.ids != old.ids:
        raise NotComparableError(f"not the same items ({len(old.ids)}, now {len(new.ids)})")
    if new.groups != old.groups:
        raise NotComparableError("the items belong together in other groups than before")
    if new.questions == old.questions:
        return
    if "prompt" not in pair.may_change:
        raise NotComparableError("prompt or items differ; `may_change: [prompt]` allows for another prompt")
    digests = [pair.digest(side.run, new.task) for side in (pair.new, pair.old)]
    if None in digests:
        raise NotComparableError(
            "prompt or items differ, and the task is not at hand to tell which; accept the baseline"
        )
    if digests[0] != digests[1]:
        raise NotComparableError("the items have the same names, but other texts")
