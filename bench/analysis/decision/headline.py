"""What a verdict comes to for whoever decides: the choice, how it compares with doing nothing, and the next step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.analysis.answers import Answers
from bench.analysis.comparison import Difference, Family, difference
from bench.analysis.decision.nearest_answer import NEAREST
from bench.analysis.decision.next_step import NextStep, next_step
from bench.analysis.decision.reference_line import reference_line
from bench.analysis.decision.rule import Standing, lead
from bench.analysis.decision.verdict import Verdict
from bench.core.record import Run
from bench.metrics import NAMES
from methods.zero_shot import ZeroShot


@dataclass(frozen=True, slots=True)
class Headline:
    """A verdict with what it is held against."""

    verdict: Verdict
    leads: Standing | None  # the choice; where no method meets the requirements, the best; None without a candidate
    reference: Answers | None  # the majority class, chance, or the nearest training answer
    against: tuple[Difference, ...]  # of `leads`: to zero-shot prompting, then to the reference line
    beats_reference: bool  # whether it is shown to be better than knowing nothing; True where no line says that
    next_step: NextStep | None


def headline(run: Run, verdict: Verdict) -> Headline:
    """The headline of one task with one model.

    Raises:
        UsageError: predictions that cannot be read.
    """
    reference = reference_line(run, verdict.family)
    label = verdict.choice or (verdict.standings[0].label if verdict.standings else None)
    leads = next((one for one in verdict.standings if one.label == label), None)
    against = tuple(_against(verdict.family, leads, reference)) if leads else ()
    blind = reference is not None and reference.label != NEAREST  # a copied answer knows the training examples
    beats = leads is None or not blind or lead(against[-1], leads.label)[1] > 0
    knows = leads is None or NAMES[verdict.family.metric].room(leads.candidate.answers.score) > 0
    return Headline(verdict, leads, reference, against, beats, next_step(run, verdict, useful=beats and knows))


def _against(family: Family, leads: Standing, reference: Answers | None) -> Iterator[Difference]:
    own = [one for one in family.answers if one.model == leads.candidate.answers.model]
    untrained = (one for one in own if not one.trained and not one.trained_elsewhere)
    plain = {one.label for one in untrained if one.context == ZeroShot.name}
    for one in family.differences:
        pair = {one.a.label, one.b.label}
        if leads.label in pair and leads.label not in plain and pair & plain:
            yield one
    if reference is not None:
        yield difference(leads.candidate.answers, reference)
