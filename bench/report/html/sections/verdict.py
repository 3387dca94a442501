"""The first screen: for each task what to choose, how sure that is, what it costs, what it forgets and what is next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from bench.analysis.decision.across import ALL_MODELS
from bench.analysis.decision.headline import Headline
from bench.analysis.decision.headline_words import advice, facts, merely_leads, score
from bench.analysis.decision.rule import counted
from bench.analysis.decision.words import sentences
from bench.report.cases import Case, of_runs, to_decide
from bench.report.html.blocks import Block, Decision, Decisions, Heading, More, Points, Section, Table, Tone, as_blocks
from bench.report.tables import decision, notes, overview

_UNLIMITED = 10_000  # characters: a page has room for every task


def section(cases: Sequence[Case]) -> Section:
    """The headline of every task, first over all models where there are several; then each in sentences."""
    return Section("verdict", "What to choose", _lead(cases), tuple(_blocks(cases, to_decide(cases))))


def _lead(cases: Sequence[Case]) -> str:
    found = [case.verdict for case in cases if case.verdict]
    if not found:
        return "No task has answers that could be compared."
    assumed = found[0].assumed
    made_of = counted(assumed, [one for verdict in found for one in verdict.standings])
    updates = f"{assumed.updates_per_month:g} update{'' if assumed.updates_per_month == 1 else 's'}"
    return (
        f"For {assumed.queries_per_month:,.0f} queries a month over {assumed.months:g} months, answered in "
        f"{assumed.serving}, {updates} a month. Cost: {made_of}. Brackets: 95% intervals. These checkpoints: "
        "the models as they were measured, on new items; training again: whether new trainings would rank alike."
    )


def _blocks(cases: Sequence[Case], choices: Sequence[Case]) -> Iterator[Block]:
    whole = {(id(case.run), case.task) for case in choices if case.model == ALL_MODELS}
    yield Decisions(
        tuple(
            replace(_decision(case), summary=case.model == ALL_MODELS or (id(case.run), case.task) not in whole)
            for case in choices
        )
    )
    for run, own in of_runs(cases):
        for model in dict.fromkeys(case.model for case in own):
            of_model = [case for case in own if case.model == model]
            yield Table(overview.table(run, model, of_model, _UNLIMITED))
    for case in choices:
        if case.verdict is None:
            continue
        currency = case.prices.currency
        details = [one for one in decision.tables([case.verdict], currency) if one.rows]
        if details:
            yield Heading(case.title)
            yield Points(tuple(sentences(case.verdict, currency)))
            yield More("Every method under these assumptions, and where costs cross", tuple(as_blocks(details)))


def _decision(case: Case) -> Decision:
    if case.headline is None or case.headline.leads is None:
        reason = case.problem or "no method has both answers and a price"
        return Decision(case.title, "nothing to choose from", "bad" if case.records else "open", (("why", reason),))
    found = case.headline
    known = facts(found, case.prices.currency)
    doubt = [fact for fact in known if fact[0] == "caution"]
    others = [fact for fact in known if fact[0] not in ("caution", "choice")]
    scored = ("leader's score" if merely_leads(found) else "score", score(found.verdict, case.headline.leads))
    seen = [("contamination", line) for line in notes.contamination(case.run, case.model, case.task)]
    return Decision(case.title, advice(found), _tone(found), (*doubt, *seen, scored, *others))


def _tone(found: Headline) -> Tone:
    if found.verdict.choice is None or not found.beats_reference:
        return "bad"
    return "open" if found.verdict.undecided else "good"
