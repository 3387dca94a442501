"""The methods of all models on a task in one family, so that one verdict is over models as well as methods.

A small model that was tuned here, a prompt to a large one that is served elsewhere and an encoder answer the same
items, so they are compared item by item like the methods of one model. A method is then called "lora with smollm2".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from bench.analysis.answers import Answers
from bench.analysis.comparison import Family, family_of
from bench.analysis.decision.candidates import Candidate
from bench.core.errors import NotComparableError

if TYPE_CHECKING:
    from bench.analysis.decision.verdict import Verdict

ALL_MODELS = "all models"  # in the place of a model's name


def over_models(found: Sequence[Verdict]) -> Iterator[tuple[Family, list[Candidate]]]:
    """The family and the candidates of each task on which methods of several models can be chosen.

    `found`: the verdicts of one run on each of its models and tasks.

    Raises:
        NotComparableError: the models were not asked the same, or their costs were not measured in the same way.
    """
    for task in dict.fromkeys(verdict.family.task for verdict in found):
        of_task = [one for verdict in found if verdict.family.task == task for one in verdict.standings]
        candidates = [_named(one.candidate) for one in of_task]
        if len({one.answers.model for one in candidates}) < 2:
            continue
        if len({one.cells_at_once for one in candidates}) > 1:
            raise NotComparableError(f"{task}: some models were measured alone, others beside other cells")
        family = family_of(ALL_MODELS, task, [one.answers for one in candidates])
        places = {one.label: place for place, one in enumerate(family.answers)}
        yield family, sorted(candidates, key=lambda one: places[one.label])


def says_nothing_more(verdict: Verdict, found: Sequence[Verdict]) -> bool:
    """Whether it is of one method alone, on a task with a verdict over all models among those found."""
    over = any((one.family.model, one.family.task) == (ALL_MODELS, verdict.family.task) for one in found)
    return over and verdict.family.model != ALL_MODELS and verdict.evidence == "one method"


def _named(one: Candidate) -> Candidate:
    label = f"{one.label} with {one.answers.model}"
    answers: Answers = replace(one.answers, label=label, suite_method=label, method=one.label)
    return replace(one, label=label, answers=answers)
