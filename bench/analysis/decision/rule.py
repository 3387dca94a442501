"""The rule that chooses.

In order: leave out what fails a requirement; of the rest take the best in the primary metric and all that are not
significantly different from it (Holm, over all pairs of the family); of these the one that costs least over the period.
Where the team says what a correct answer is worth, it is the largest worth less cost instead, over all that meet the
requirements.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bench.analysis.answers import bound
from bench.analysis.comparison import Answers, Difference, Family, by_unit
from bench.analysis.decision import pareto
from bench.analysis.decision.candidates import Candidate
from bench.analysis.decision.lines import Line
from bench.analysis.retention import Loss
from bench.analysis.statistics import two_questions
from bench.analysis.statistics.intervals import Interval
from bench.config.assumptions import Assumptions
from bench.metrics import NAMES

Status = Literal["meets", "fails", "unsure", "not measured"]
Differ = Callable[[str, str], bool]  # whether two methods differ in quality
DRAWS = 2000
_GIB = 2**30


@dataclass(frozen=True, slots=True)
class Check:
    """A requirement and what was measured."""

    name: str
    asked: float
    measured: float | None
    status: Status


@dataclass(frozen=True, slots=True)
class Standing:
    """A candidate under the assumptions."""

    candidate: Candidate
    interval: Interval  # of its quality
    checks: tuple[Check, ...]
    cost: float  # over the period
    worth: float | None  # of the correct answers over the period, less the cost
    on_front: float  # chance of being on the Pareto front of quality, cost and retention

    @property
    def label(self) -> str:
        """How reports name the method."""
        return self.candidate.label

    @property
    def feasible(self) -> bool:
        """Whether it fails no requirement."""
        return all(check.status != "fails" for check in self.checks)


def standings_of(found: Sequence[Candidate], assumed: Assumptions) -> list[Standing]:
    """Every candidate under the assumptions, in the order given."""
    if not found:
        return []
    values = by_unit([one.answers for one in found])
    draws = pareto.quality_draws(values, DRAWS, seed=0)
    intervals = [two_questions.score(own, bound(found[0].answers.metric)) for own in values]
    sign = 1.0 if NAMES[found[0].answers.metric].higher_is_better else -1.0
    costs = [one.line(assumed).at(assumed.queries_per_month) for one in found]
    chances = pareto.chances(sign * draws, -np.column_stack([costs, *_losses(found)]))
    return [
        standing(one, interval, cost, float(chance), assumed)
        for one, interval, cost, chance in zip(found, intervals, costs, chances, strict=True)
    ]


def _losses(found: Sequence[Candidate]) -> list[list[float]]:
    """The largest loss of each method, unit by unit; NaN where it is unknown."""
    known = [{one.metric: max(0.0, one.value) for one in candidate.losses} for candidate in found]
    units = dict.fromkeys(unit for one in known for unit in one)
    return [[one.get(unit, math.nan) for one in known] for unit in units]


def quality_intervals(answers: Sequence[Answers]) -> list[Interval]:
    """The 95% interval of each method's score on one task: of these checkpoints, on new items."""
    return [two_questions.score(own, bound(answers[0].metric)) for own in by_unit(answers)]


def standing(one: Candidate, interval: Interval, cost: float, chance: float, assumed: Assumptions) -> Standing:
    """A candidate whose quality is known within `interval`, at `cost` over the period."""
    value = assumed.value_of_right
    worth = worth_of(one, cost, assumed).at(value) if value is not None and is_share(one.answers.metric) else None
    return Standing(one, interval, tuple(_checks(one, interval, cost, assumed)), cost, worth, chance)


def _checks(one: Candidate, interval: Interval, cost: float, assumed: Assumptions) -> Iterable[Check]:
    require = assumed.require
    if require.quality is not None:
        higher = NAMES[one.answers.metric].higher_is_better
        sure, possible = (interval.low, interval.high) if higher else (-interval.high, -interval.low)
        asked = require.quality if higher else -require.quality
        status: Status = "meets" if sure >= asked else "fails" if possible < asked else "unsure"
        yield Check("quality", require.quality, one.answers.score, status)
    if require.retention_loss is not None:
        yield _retention(one.losses, require.retention_loss)
    if require.data_stays:
        yield Check("data_stays", 1.0, float(one.data_stays), "meets" if one.data_stays else "fails")
    memory = one.memory_bytes / _GIB
    for name, most, measured in (
        ("latency_p95_s", require.latency_p95_s, one.latency_p95_s),
        ("memory_gib", require.memory_gib, memory),
        ("money_per_month", require.money_per_month, cost / assumed.months),
    ):
        if most is not None:
            held: Status = "not measured" if measured is None else "meets" if measured <= most else "fails"
            yield Check(name, most, measured, held)


def _retention(losses: Sequence[Loss], most: float) -> Check:
    """The loss that is furthest from what is asked, with the doubt of its interval."""
    if not losses:
        return Check("retention_loss", most, None, "not measured")
    worst = max(losses, key=lambda one: one.interval.low if one.interval else one.value)
    unsure = [one for one in losses if one.interval and one.interval.low <= most < one.interval.high]
    if (worst.interval.low if worst.interval else worst.value) > most:
        return Check("retention_loss", most, worst.value, "fails")
    if unsure:
        return Check("retention_loss", most, max(one.value for one in unsure), "unsure")
    return Check("retention_loss", most, max(one.value for one in losses), "meets")


def differing(family: Family) -> Differ:
    """Whether two methods of the family differ in quality, after Holm's correction."""
    pairs = {frozenset((one.a.label, one.b.label)) for one in family.differences if one.differ}
    return lambda a, b: frozenset((a, b)) in pairs


def ties(standings: Sequence[Standing], differ: Differ) -> tuple[str, ...]:
    """The best feasible method and all feasible ones that are not significantly different from it."""
    able = [one.label for one in standings if one.feasible]
    return tuple(label for label in able if label == able[0] or not differ(able[0], label))


def choose(standings: Sequence[Standing], differ: Differ, assumed: Assumptions) -> str | None:
    """What the rule chooses; None where no candidate meets the requirements."""
    able = [one for one in standings if one.feasible]
    if not able:
        return None
    if by_worth(able, assumed):
        return max(able, key=lambda one: one.worth or 0.0).label
    tied = set(ties(standings, differ))
    return min((one for one in able if one.label in tied), key=lambda one: one.cost).label


def worth_of(one: Candidate, cost: float, assumed: Assumptions) -> Line:
    """What its correct answers over the period are worth, less its cost, as a line in the value of one of them."""
    queries = assumed.months * assumed.queries_per_month
    return Line(-cost, queries * one.answers.score / NAMES[one.answers.metric].scale)


def lead(one: Difference, label: str) -> tuple[float, float, float]:
    """By how much `label` is the better of the two, and the limits of the interval, low and high."""
    ahead = 1 if NAMES[one.a.metric].higher_is_better else -1
    if one.b.label == label:
        ahead = -ahead
    low, high = sorted((ahead * one.interval.low, ahead * one.interval.high))
    return ahead * one.difference, low, high


def counted(assumed: Assumptions, standings: Sequence[Standing]) -> str:
    """What the costs of some methods are made of, in words."""
    tokens = {one.candidate.pays_tokens for one in standings}
    queries = "compute or tokens" if len(tokens) > 1 else "tokens" if True in tokens else "compute"
    return assumed.counted.replace("compute", queries)


def by_worth(standings: Sequence[Standing], assumed: Assumptions) -> bool:
    """Whether worth less cost decides: a value is given, and the metric is a share of correct answers."""
    return assumed.value_of_right is not None and all(one.worth is not None for one in standings)


def is_share(metric: str) -> bool:
    """Whether the metric is a share of correct answers."""
    return metric in ("accuracy", "exact_match")
