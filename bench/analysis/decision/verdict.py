"""The decision for one task, with one model or over several: what to choose, how sure that is, what would change it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bench.analysis.comparison import Difference, Family, Retraining, among, within
from bench.analysis.decision.across import over_models
from bench.analysis.decision.candidates import Candidate, candidates
from bench.analysis.decision.learning import Overtaking, at_full_size, overtakings
from bench.analysis.decision.lines import highest, lowest
from bench.analysis.decision.rule import (
    Standing,
    by_worth,
    choose,
    differing,
    is_share,
    lead,
    standings_of,
    ties,
    worth_of,
)
from bench.analysis.decision.sensitivity import ChoiceFlip, Crossing, crossings_of, flips_of
from bench.analysis.statistics.distributions import t_quantile
from bench.config.assumptions import Assumptions
from bench.config.prices import Prices
from bench.core.record import Run
from bench.metrics import NAMES

Evidence = Literal["enough", "tie", "not enough", "none meets", "one method"]
Again = Literal["yes", "unsure", "too few seeds", "not asked"]
ENOUGH_SEEDS = 5  # what is advised where there are too few
_MOST_SEEDS = 100


@dataclass(frozen=True, slots=True)
class Retrained:
    """Would training again be better? Of the choice, against every other method that meets the requirements."""

    answer: Again
    against: tuple[Difference, ...] = ()  # the differences that depend on seeds
    seeds_needed: int | None = None  # of each method; None where seeds are not what is missing, or too many would be
    items_needed: int | None = None  # None where no number of items settles it


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision and all that it rests on."""

    family: Family
    assumed: Assumptions
    suite: str  # what measures it again
    standings: tuple[Standing, ...]  # the best quality first
    choice: str | None
    evidence: Evidence
    ties: tuple[str, ...]  # feasible methods that are not significantly different from the best feasible one
    margin: float
    undecided: bool  # `choice` merely leads: the only method that is measured, or another may be the better choice
    rivals: tuple[str, ...]  # methods that may be the better choice, where evidence is not enough
    items_needed: int | None  # test items that would settle between these checkpoints to within the margin
    again: Retrained
    crossings: tuple[Crossing, ...]
    cheapest: tuple[tuple[float, str], ...]  # from which monthly volume on
    worthiest: tuple[tuple[float, str], ...]  # from which value of a correct answer on; () where the metric is no share
    flips: tuple[ChoiceFlip, ...]  # the nearest first
    overtakings: tuple[Overtaking, ...]


@dataclass(frozen=True, slots=True)
class Settled:
    """What the rule comes to, without what would change it."""

    choice: str | None
    evidence: Evidence
    ties: tuple[str, ...]
    margin: float
    undecided: bool
    rivals: tuple[str, ...]
    items_needed: int | None


def settle(family: Family, standings: Sequence[Standing], assumed: Assumptions) -> Settled:
    """The choice among standings, given best first; `family` holds the differences between them and no others."""
    differ = differing(family)
    choice = choose(standings, differ, assumed)
    tied = ties(standings, differ)
    margin = assumed.margin or NAMES[family.metric].scale / 50
    worth = 0.0
    if by_worth(standings, assumed):
        worth = (assumed.value_of_right or 0.0) * assumed.months * assumed.queries_per_month
        worth /= NAMES[family.metric].scale
    evidence, rivals, needed = _evidence(family, standings, choice, tied, margin, worth)
    undecided = evidence == "one method" or (bool(rivals) and not worth)
    if undecided:  # the cheapest of a tie is no advice where another may be better by more than the margin
        choice, rivals = tied[0], tied[1:]
    return Settled(choice, evidence, tied, margin, undecided, rivals, needed)


def decide(family: Family, found: Sequence[Candidate], assumed: Assumptions, suite: str) -> Verdict:
    """The verdict on candidates, given best first; `family` holds the differences between them.

    It is a choice of checkpoints, which items alone decide; `Verdict.again` says whether training again would bear it
    out.
    """
    whole, largest = family, {one.label for one in at_full_size([one.answers for one in found])}
    full, family = [one for one in found if one.label in largest], among(family, largest)
    standings = standings_of(full, assumed)
    settled = settle(family, standings, assumed)
    lines = {one.label: one.line(assumed) for one in full}
    worths = {one.label: worth_of(one.candidate, one.cost, assumed) for one in standings}
    flips = () if settled.undecided else flips_of(full, standings, differing(family), assumed, settled.choice)
    return Verdict(
        family=family,
        assumed=assumed,
        suite=suite,
        standings=tuple(standings),
        choice=settled.choice,
        evidence=settled.evidence,
        ties=settled.ties,
        margin=settled.margin,
        undecided=settled.undecided,
        rivals=settled.rivals,
        items_needed=settled.items_needed,
        again=_again(family, standings, settled.choice, settled.margin),
        crossings=tuple(crossings_of(full, assumed)),
        cheapest=tuple(lowest(lines)) if lines else (),
        worthiest=tuple(highest(worths)) if full and is_share(family.metric) else (),
        flips=tuple(flips),
        overtakings=tuple(overtakings(whole)),
    )


def verdicts(run: Run, prices: Prices, assumed: Assumptions, task: str | None = None) -> list[Verdict]:
    """The verdicts on a run: over all models, for each task that several have; then on each model and task.

    Raises:
        UsageError, NotComparableError: as `comparison.within`.
    """
    families: list[Family] = within(run, task)
    found = [decide(family, candidates(run, family, prices, assumed), assumed, run.suite) for family in families]
    return [*verdicts_over_models(found, assumed, run.suite), *found]


def verdicts_over_models(found: Sequence[Verdict], assumed: Assumptions, suite: str) -> list[Verdict]:
    """The verdict on each task over all models, from those on the single models of a run."""
    return [decide(family, named, assumed, suite) for family, named in over_models(found)]


def _evidence(
    family: Family, standings: Sequence[Standing], choice: str | None, tied: Sequence[str], margin: float, worth: float
) -> tuple[Evidence, tuple[str, ...], int | None]:
    """How sure the choice is, the methods that may be the better choice, and the items that would settle it.

    Of a tie: those that may be better by more than the margin. Where `worth` (money for a whole unit of the metric
    over the period) decides: those that may be worth more after their cost.
    """
    if choice is None:
        return "none meets", (), None
    if len(standings) == 1:
        return "one method", (), None
    able = {one.label: one for one in standings if one.feasible}
    unsure = any(check.status == "unsure" for check in able[choice].checks)
    rivals, needed = [], 0
    for one in family.differences:
        other = one.b.label if one.a.label == choice else one.a.label
        if choice not in (one.a.label, one.b.label) or other not in able:
            continue
        _, low, _ = lead(one, choice)
        if worth:
            if worth * low < able[choice].cost - able[other].cost:
                rivals.append(other)
        elif other in tied and -low > margin:
            rivals.append(other)
            needed = max(needed, math.ceil(one.n * max(1.0, one.detectable / margin) ** 2))
    if unsure or rivals:
        return "not enough", tuple(rivals), needed or None
    return ("tie" if len(tied) > 1 and not worth else "enough"), (), None


def _again(family: Family, standings: Sequence[Standing], choice: str | None, margin: float) -> Retrained:
    """Whether new seeds would bear the choice out, and what it takes to know."""
    able = {one.label for one in standings if one.feasible}
    among = (one for one in family.differences if choice in (one.a.label, one.b.label))
    against = tuple(one for one in among if one.retraining and {one.a.label, one.b.label} <= able)
    if choice is None or not against:
        return Retrained("not asked")
    if any(one.retraining and one.retraining.interval is None for one in against):
        return Retrained("too few seeds", against, seeds_needed=ENOUGH_SEEDS)
    open_ = [one for one in against if one.retraining and not one.retraining.differ]
    if not open_:
        return Retrained("yes" if all(lead(one, choice)[0] > 0 for one in against) else "unsure", against)
    needs = [_needs(one, one.retraining, margin) for one in open_ if one.retraining]
    seeds, items = [one for one, _ in needs if one], [one for _, one in needs if one]
    unknown = any(not one and not other for one, other in needs)
    return Retrained(
        "unsure", against, None if unknown else max(seeds, default=None), None if seeds else max(items, default=None)
    )


def _needs(one: Difference, again: Retraining, margin: float) -> tuple[int | None, int | None]:
    """The seeds or the items that would show a difference as large as is seen, or as the margin.

    Items are named only where the seeds alone leave less than that open.
    """
    aim, seeds = max(margin, abs(one.difference)), again.seeds_half_width or 0.0
    if seeds < aim:
        of_items = (one.interval.high - one.interval.low) / 2
        return None, math.ceil(one.n * max(1.0, of_items**2 / (aim**2 - seeds**2)))
    now = t_quantile(0.975, again.fewest - 1) / math.sqrt(again.fewest)
    for count in range(again.fewest + 1, _MOST_SEEDS + 1):
        if seeds * t_quantile(0.975, count - 1) / math.sqrt(count) / now <= aim / math.sqrt(2):
            return count, None
    return None, None
