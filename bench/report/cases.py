"""A case is one task with one model in one run: what its methods scored, and what to choose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bench.analysis import comparison
from bench.analysis.comparison import Answers, Family
from bench.analysis.decision.across import ALL_MODELS, says_nothing_more
from bench.analysis.decision.candidates import candidates
from bench.analysis.decision.headline import Headline, headline
from bench.analysis.decision.headline_words import step
from bench.analysis.decision.learning import at_full_size
from bench.analysis.decision.next_step import missing_cells
from bench.analysis.decision.rule import quality_intervals
from bench.analysis.decision.verdict import Verdict, decide, verdicts_over_models
from bench.analysis.statistics.intervals import Interval
from bench.config import assumptions
from bench.config.prices import Prices, replaced
from bench.core.errors import AdaptbenchError
from bench.core.record import CellRef, Record, Run
from bench.metrics.formats import clean


@dataclass(frozen=True, slots=True)
class Case:
    """What the sections read."""

    id: str  # unique on the page
    title: str
    run: Run
    model: str
    task: str
    records: tuple[Record, ...]
    prices: Prices
    family: Family | None = None  # None where `problem` says why
    verdict: Verdict | None = None
    headline: Headline | None = None
    intervals: tuple[Interval, ...] = ()  # of the scores of `family.answers`
    problem: str = ""
    marks: Mapping[str, int] = field(default_factory=dict)  # of every method of the page: the index of its mark

    @property
    def answers(self) -> tuple[Answers, ...]:
        """Of the methods with all training items, or the largest size of the suite, the best first."""
        return () if self.family is None else at_full_size(self.family.answers)

    def interval(self, label: str) -> Interval:
        """Of the score of a method."""
        assert self.family is not None
        places = [one.label for one in self.family.answers]
        return self.intervals[places.index(label)]


def cases(runs: Sequence[Run]) -> list[Case]:
    """Every model and task of every run, in the order of the runs."""
    several_models = len({cell.model for run in runs for cell in _cells(run)}) > 1
    found: list[Case] = []
    marks = marks_of(runs)
    for run in runs:
        for model, task in dict.fromkeys((cell.model, cell.task) for cell in _cells(run)):
            title = _title(run, task, model if several_models else "", len(runs) > 1)
            found.append(replace(_case(f"case-{len(found) + 1}", title, run, model, task), marks=marks))
    return found


def _cells(run: Run) -> list[Record | CellRef]:
    """What was measured, and what a run that has begun still lacks."""
    missing = [cell for cell in run.missing if not cell.is_base and not cell.elsewhere]
    return [*run.records, *(missing if run.records else ())]


def over_models(found: Sequence[Case]) -> list[Case]:
    """The tasks that several models of a run have, each as a case over all of them."""
    over: list[Case] = []
    several_runs = len({id(case.run) for case in found}) > 1
    for run, own in of_runs(found):
        known = [case.verdict for case in own if case.verdict]
        try:
            decided = verdicts_over_models(known, known[0].assumed, run.suite) if known else []
            headlines = [headline(run, verdict) for verdict in decided]
        except AdaptbenchError as error:
            over.append(Case(f"over-{len(over) + 1}", ALL_MODELS, run, ALL_MODELS, "", (), own[0].prices,
                             problem=clean(error)))  # fmt: skip
            continue
        for verdict, first in zip(decided, headlines, strict=True):
            family = verdict.family
            over.append(Case(f"over-{len(over) + 1}", _title(run, family.task, family.model, several_runs), run,
                             family.model, family.task, (), own[0].prices, family, verdict, first))  # fmt: skip
    return over


def to_decide(found: Sequence[Case]) -> list[Case]:
    """The cases with something to choose, those over several models first: one method of a model is no choice."""
    every = [*over_models(found), *found]
    known = [case.verdict for case in every if case.verdict]
    return [case for case in every if case.verdict is None or not says_nothing_more(case.verdict, known)]


def _title(run: Run, task: str, model: str, several_runs: bool) -> str:
    """`model`: "" where there is no other."""
    title = f"{clean(task)} with {clean(model)}" if model else clean(task)
    return f"{title} in {clean(run.path.name)}" if several_runs else title


def marks_of(runs: Sequence[Run]) -> dict[str, int]:
    """The index of each method's mark and colour, the same in every chart: its place among those of the suite."""
    records = [record for run in runs for record in run.records]
    places = {name: at for at, name in enumerate(dict.fromkeys(one.suite_method or one.method for one in records))}
    return places | {one.method: places[one.suite_method or one.method] for one in records}


def _case(name: str, title: str, run: Run, model: str, task: str) -> Case:
    prices = replaced(run.prices, str(run.path))
    records = tuple(r for r in run.records if (r.model, r.task) == (model, task))
    if not records:
        problem = f"not measured yet; next: {step(missing_cells(run, model, task))}"
        return Case(name, title, run, model, task, records, prices, problem=problem)
    if all(record.failure for record in records):
        problem = f"{comparison.nothing_measured(records)}; mend what is said under failed cells, and run again"
        return Case(name, title, run, model, task, records, prices, problem=problem)
    try:
        [family] = (one for one in comparison.within(Run(run.path, run.suite, records), task) if one.model == model)
        assumed = assumptions.read(run.decide, str(run.path))
        verdict = decide(family, candidates(run, family, prices, assumed), assumed, run.suite)
        intervals = _intervals(family, verdict)
        first = headline(run, verdict)
    except AdaptbenchError as error:
        return Case(name, title, run, model, task, records, prices, problem=clean(error))
    return Case(name, title, run, model, task, records, prices, family, verdict, first, intervals)


def _intervals(family: Family, verdict: Verdict) -> tuple[Interval, ...]:
    """Of the scores of all answers: the verdict's, and those of what it leaves out (controls, points of curves)."""
    known = {one.label: one.interval for one in verdict.standings}
    others = [one for one in family.answers if one.label not in known]
    if others:
        known |= {one.label: interval for one, interval in zip(others, quality_intervals(others), strict=True)}
    return tuple(known[one.label] for one in family.answers)


def of_runs(found: Sequence[Case]) -> Iterator[tuple[Run, list[Case]]]:
    """The cases of each run."""
    for run in {id(case.run): case.run for case in found}.values():
        yield run, [case for case in found if case.run is run]


def models_of(found: Sequence[Case]) -> Iterator[tuple[Run, str]]:
    """Each run with each model of its cases."""
    return iter({(id(case.run), case.model): (case.run, case.model) for case in found}.values())
