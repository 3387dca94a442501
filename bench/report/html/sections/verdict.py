"""The first screen: for each task what to choose, how sure that is, what it costs and what it forgot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.analysis.decision.rule import Standing
from bench.analysis.decision.verdict import Verdict
from bench.analysis.decision.words import money, sentences
from bench.metrics.formats import clean, number, title
from bench.report.cases import Case
from bench.report.html.blocks import Block, Heading, More, Points, Section, Table, as_blocks
from bench.report.table import NOTHING, ReportTable, Text
from bench.report.tables import decision

_SURE = {
    "enough": "Better than the rest",
    "tie": "Tie, the cheapest taken",
    "not enough": "Not enough evidence",
    "none meets": "No method meets the requirements",
}
_AGAIN = {
    "yes": "Yes",
    "unsure": "Not known",
    "too few seeds": "Too few seeds to say",
    "not asked": "Nothing is trained",
}
_HEADS = (
    "task",
    "choose",
    "these checkpoints",
    "training again",
    "score",
    "cost a month",
    "knowledge lost",
    "answer in\n(95th percentile)",
)


def section(cases: Sequence[Case]) -> Section:
    """The verdict on every task as a table, then each in sentences."""
    return Section("verdict", "What to choose", _lead(cases), tuple(_blocks(cases)))


def _lead(cases: Sequence[Case]) -> str:
    found = [case.verdict for case in cases if case.verdict]
    if not found:
        return "No task has answers that could be compared."
    assumed = found[0].assumed
    updates = f"{assumed.updates_per_month:g} update{'' if assumed.updates_per_month == 1 else 's'}"
    return (
        f"For {assumed.queries_per_month:,.0f} queries a month over {assumed.months:g} months, answered in "
        f"{assumed.serving}, with {updates} of documents or labels a month."
    )


def _blocks(cases: Sequence[Case]) -> Iterator[Block]:
    yield Table(ReportTable("Verdicts", _HEADS, tuple(_line(case) for case in cases), (_note(cases),)), cards=True)
    for case in cases:
        yield Heading(case.title)
        if case.verdict is None:
            yield Points((case.problem,))
            continue
        currency = case.prices.currency
        yield Points(tuple(sentences(case.verdict, currency)))
        details = [one for one in decision.tables([case.verdict], currency) if one.rows]
        if details:
            yield More("Every method under these assumptions, and where costs cross", tuple(as_blocks(details)))


def _note(cases: Sequence[Case]) -> str:
    return (
        "these checkpoints: whether the one chosen is better on new items; training again: whether it would be with "
        "new seeds; score: mean over seeds with the 95% interval of these checkpoints; knowledge lost: the largest "
        f"loss on a probe of each unit; money in {clean(cases[0].prices.currency) if cases else ''}"
    )


def _line(case: Case) -> tuple[Text, ...]:
    name = Text(case.title)
    if case.verdict is None:
        return (name, Text("nothing to compare", "bad"), *(Text(NOTHING, "faint"),) * 6)
    verdict = case.verdict
    if verdict.choice is None:
        reason = _SURE[verdict.evidence] if verdict.standings else "No method has both answers and a price"
        return (name, Text("none", "bad"), Text(reason), *(Text(NOTHING, "faint"),) * 5)
    chosen = next(one for one in verdict.standings if one.label == verdict.choice)
    label = clean(chosen.label)
    sure = verdict.evidence == "enough"
    choice = Text(f"undecided\nso far {label}") if verdict.undecided else Text(label, "best" if sure else "")
    again = Text(_AGAIN[verdict.again.answer])
    return (name, choice, Text(_SURE[verdict.evidence]), again, *_figures(case, verdict, chosen))


def _figures(case: Case, verdict: Verdict, chosen: Standing) -> Iterator[Text]:
    metric, one = verdict.family.metric, chosen.candidate
    interval = f"{number(metric, chosen.interval.low)} to {number(metric, chosen.interval.high)}"
    yield Text(f"{title(metric)} {number(metric, one.answers.score)}\n{interval}")
    yield Text(money(chosen.cost / verdict.assumed.months, case.prices.currency))
    yield decision.lost(one)
    yield Text(NOTHING if one.latency_p95_s is None else f"{one.latency_p95_s * 1000:,.0f} ms")
