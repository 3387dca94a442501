"""What the decision will be once all cells are measured: its rule, asked of many worlds that may be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.analysis.answers import bound, by_unit, refuse_other_questions
from bench.analysis.comparison import Difference, Family, among
from bench.analysis.decision.across import ALL_MODELS
from bench.analysis.decision.candidates import Candidate
from bench.analysis.decision.rule import quality_intervals, standing
from bench.analysis.decision.verdict import settle
from bench.analysis.statistics import two_questions
from bench.analysis.statistics.paired import PairedResult
from bench.config.assumptions import Assumptions
from bench.forecast.contest import Contest
from bench.forecast.worlds import worlds
from bench.metrics import NAMES

UNDECIDED = ""  # in place of a method's name: there is not enough evidence, or nothing meets the requirements
WORLDS = 100
_BINS = 3  # of a cell's drawn score, for the value of knowing it


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is to be expected of a contest."""

    contest: Contest
    now: str | None  # the choice from what is measured, or UNDECIDED; None where nothing is
    chances: Mapping[str, float]  # name, or UNDECIDED -> chance to be the outcome of the full grid; {} with unknowns
    worth: Mapping[str, float]  # key of a cell -> how much likelier the outcome could be told, were it known


def outlook(contest: Contest, count: int = WORLDS, seed: int = 0) -> Outlook:
    """The outlook of a contest; the same for the same seed.

    Raises:
        NotComparableError: its methods were not asked the same.
    """
    there = [one.candidate for one in contest.entrants if one.candidate is not None and one.measured]
    now = outcome(there, contest.assumed) if there else None
    if contest.unknown or not contest.entrants:
        return Outlook(contest, now, {}, {})
    if not any(one.left for one in contest.entrants):
        return Outlook(contest, now, {now or UNDECIDED: 1.0}, {})
    outcomes, drawn = [], []
    for world in worlds(contest, count, seed):
        outcomes.append(outcome(world.candidates, contest.assumed))
        drawn.append(world.drawn)
    chances = {name: times / len(outcomes) for name, times in Counter(outcomes).most_common()}
    worth = {key: value_of([draw[key] for draw in drawn], outcomes) for key in drawn[0]}
    return Outlook(contest, now, chances, worth)


def outcome(found: Sequence[Candidate], assumed: Assumptions) -> str:
    """The name of the choice among candidates, or UNDECIDED: the rule of `bench.analysis.decision` itself."""
    metric = found[0].answers.metric
    higher = NAMES[metric].higher_is_better
    ranked = sorted(found, key=lambda one: -one.answers.score if higher else one.answers.score)
    answers = [one.answers for one in ranked]
    units = by_unit(answers)
    pairs = [
        _difference(ranked[i], ranked[j], two_questions.difference(units[i], units[j], bound(metric)))
        for i, j in combinations(range(len(ranked)), 2)
    ]
    family = Family(ALL_MODELS, answers[0].task, metric, tuple(pairs), tuple(answers))
    family = among(family, {one.label for one in answers})  # which adjusts the p-values
    costs = [one.line(assumed).at(assumed.queries_per_month) for one in ranked]
    standings = [
        standing(one, interval, cost, float("nan"), assumed)
        for one, interval, cost in zip(ranked, quality_intervals(answers), costs, strict=True)
    ]
    settled = settle(family, standings, assumed)
    return UNDECIDED if settled.undecided or settled.choice is None else settled.choice


def _difference(a: Candidate, b: Candidate, found: PairedResult) -> Difference:
    """What the rule asks of a difference; it asks nothing of training again."""
    refuse_other_questions(a.answers, b.answers)
    ahead, n = a.answers.score - b.answers.score, len(a.answers.ids)
    return Difference(a.answers, b.answers, ahead, found.interval, found.p, found.p, 1.0, n, found.method, None)


def value_of(scores: ArrayLike, outcomes: Sequence[str]) -> float:
    """How much likelier the outcome is told by whoever knows a cell's score: its expected value of information.

    The loss is 1 for a wrong outcome. The worlds are cut into bins of equal size by the score, and in each the
    likeliest outcome is told (partial perfect information from one set of draws: Strong, Oakley and Brennan 2014,
    Medical Decision Making 34, 311-326). What bins alone would seem to be worth, those of a random order, is taken off.
    """
    order = np.argsort(np.asarray(scores), kind="stable")
    names = np.asarray(outcomes)
    at_random = np.random.default_rng(0).permutation(len(names))
    return max(0.0, _told(names[order]) - _told(names[at_random]))


def _told(names: NDArray[np.str_]) -> float:
    """Share of the worlds whose outcome is the likeliest of its bin."""
    bins = np.array_split(names, _BINS)
    return sum(int(np.unique(each, return_counts=True)[1].max()) for each in bins if each.size) / names.size
