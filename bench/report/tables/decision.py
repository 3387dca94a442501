"""What a decision's tables say: the verdict in sentences, every method under the assumptions, and where costs cross."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from bench.analysis.comparison import Difference
from bench.analysis.decision.candidates import Candidate
from bench.analysis.decision.rule import counted
from bench.analysis.decision.verdict import Verdict
from bench.analysis.decision.words import crossing, money, sentences
from bench.analysis.summary import plain
from bench.metrics.formats import clean, number, title
from bench.report.table import ReportTable, Text


def tables(found: Sequence[Verdict], currency: str) -> list[ReportTable]:
    """For each verdict its sentences, the methods, and where costs cross."""
    return [table for verdict in found for table in _of(verdict, currency)]


def _of(verdict: Verdict, currency: str) -> Iterator[ReportTable]:
    family = verdict.family
    where = f"{clean(family.task)} with {clean(family.model)}"
    yield ReportTable(f"Verdict: {where}", notes=tuple(sentences(verdict, currency)))
    if verdict.standings:
        yield _methods(verdict, where, currency)
        yield from _costs(verdict, where)
        yield from _worths(verdict, where, currency)


def _methods(verdict: Verdict, where: str, currency: str) -> ReportTable:
    metric = verdict.family.metric
    asked = [check.name for check in verdict.standings[0].checks]
    lines = []
    for one in verdict.standings:
        interval = f"[{number(metric, one.interval.low)}, {number(metric, one.interval.high)}]"
        cells = [
            f"{number(metric, one.candidate.answers.score)} {interval}",
            money(one.cost, currency),
            *([money(one.worth, currency)] if one.worth is not None else []),
            lost(one.candidate).text,
            f"{one.on_front:.2f}",
            *(check.status for check in one.checks),
        ]
        sure = verdict.evidence == "enough" and one.label == verdict.choice
        label = Text(clean(one.label), "best" if sure else "" if one.feasible else "faint")
        lines.append((label, *(Text(cell, "bad" if cell == "fails" else "") for cell in cells)))
    assumed = verdict.assumed
    worth = ["worth less\ncost"] if verdict.standings[0].worth is not None else []
    cost = f"cost\n({counted(assumed, verdict.standings)})"
    heads = ("method", title(metric), cost, *worth, "largest loss\non a probe", "Pareto", *asked)
    notes = (
        f"cost over {assumed.months:g} months of {assumed.queries_per_month:,.0f} queries in {assumed.serving}, "
        f"{assumed.updates_per_month:g} updates a month",
        "Pareto: share of bootstrap samples in which no other method is at least as good in quality, cost and "
        "retention and better in one",
    )
    return ReportTable(f"Methods: {where}", heads, tuple(lines), notes)


def lost(one: Candidate) -> Text:
    """The largest loss within each unit."""
    if not one.losses:
        return Text("not measured", "faint")
    known = [
        f"{number(loss.metric, loss.value)} {title(loss.metric)} on {clean(loss.probe)}"
        for loss in one.losses
        if loss.value > 0
    ]
    return Text("\n".join(known) or "nothing", "bad" if known else "")


def _costs(verdict: Verdict, where: str) -> Iterator[ReportTable]:
    lines = tuple((Text(clean(one.a)), Text(clean(one.b)), Text(crossing(one))) for one in verdict.crossings)
    if not lines:
        return
    ends = [*(x for x, _ in verdict.cheapest[1:]), float("inf")]
    shown = [(x, label) for (x, label), end in zip(verdict.cheapest, ends, strict=True) if end >= 1]
    cheapest = "; ".join(f"{clean(label)} from {x:,.0f}" if x >= 1 else clean(label) for x, label in shown)
    notes = (f"cheapest: {cheapest}", "brackets: lowest and highest volume over single seeds, where there are several")
    yield ReportTable(f"Cheaper: {where}", ("method", "is cheaper than", "at queries a month"), lines, notes)


def _worths(verdict: Verdict, where: str, currency: str) -> Iterator[ReportTable]:
    if not verdict.worthiest:
        return
    lines = tuple((Text(clean(label)), Text(money(x, currency))) for x, label in verdict.worthiest)
    note = "best method by net value (value per correct answer × correct answers − cost) at the assumed volume"
    yield ReportTable(f"Best by value of a correct answer: {where}", ("method", "from"), lines, (note,))


def to_json(found: Sequence[Verdict], currency: str) -> dict[str, Any]:
    """{"currency", "verdicts": [...]}: all figures of the verdicts, with their sentences."""
    return {"currency": currency, "verdicts": [_json(verdict, currency) for verdict in found]}


def _json(verdict: Verdict, currency: str) -> dict[str, Any]:
    family = verdict.family
    return {
        "model": family.model,
        "task": family.task,
        "metric": family.metric,
        "choice": verdict.choice,
        "evidence": verdict.evidence,
        "undecided": verdict.undecided,
        "ties": list(verdict.ties),
        "rivals": list(verdict.rivals),
        "items_needed": verdict.items_needed,
        "training_again": {
            "answer": verdict.again.answer,
            "against": [_other(verdict, one) for one in verdict.again.against],
            "seeds_needed": verdict.again.seeds_needed,
            "items_needed": verdict.again.items_needed,
        },
        "sentences": sentences(verdict, currency),
        "assumptions": verdict.assumed.model_dump(mode="json"),
        "methods": [
            {
                "label": one.label,
                "score": one.candidate.answers.score,
                "interval": [one.interval.low, one.interval.high],
                "cost": one.cost,
                "worth": one.worth,
                "losses": plain(one.candidate.losses),
                "on_front": one.on_front,
                "checks": plain(one.checks),
            }
            for one in verdict.standings
        ],
        "cheaper": plain(verdict.crossings),
        "cheapest": [list(one) for one in verdict.cheapest],
        "worthiest": [list(one) for one in verdict.worthiest],
        "flips": plain(verdict.flips),
        "overtakings": plain(verdict.overtakings),
    }


def _other(verdict: Verdict, one: Difference) -> str:
    return one.b.label if one.a.label == verdict.choice else one.a.label
