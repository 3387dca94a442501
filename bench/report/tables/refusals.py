"""What the table of refusals says: what was answered that has no answer, and what was refused that has one."""

from __future__ import annotations

from collections.abc import Sequence

from bench.analysis.refusals import Refusals, Share, refusals
from bench.analysis.summary import by_method
from bench.core.record import Run
from bench.metrics.formats import clean
from bench.report.table import NOTHING, ReportTable, Text, cells

_HEADS = ("method", "task", "handled\nrightly", "answered\nrightly", "false\nrefusals", "false\nanswers")
_LEGEND = (
    "handled rightly: answered rightly where there is an answer, refused where there is none, of all items",
    "answered rightly, false refusals: of items with an answer; false answers: of items without one",
    "brackets: 95% interval over items, of these checkpoints",
)
_COVERAGES = (0.25, 0.5, 0.75)
_RISK_HEADS = (
    "method",
    "task",
    *(f"risk at\n{share:.0%}" for share in _COVERAGES),
    "all\nanswered",
    "area",
    "at threshold",
)
_RISK_LEGEND = (
    "risk: share of wrong answers among the surest that make up so much of all items; all answered: of all that are "
    "not refused, with their share of all items; area: mean risk",
    "at threshold: handled rightly with the threshold of confidence that was chosen on validation items",
)


def tables(run: Run, model: str) -> list[ReportTable]:
    """For a model the methods on every task with refusals; no table where there is none."""
    found = by_method(run, model, lambda record: record.kind in ("choice", "text"))
    rows = [(where, each) for where, records in found.items() if (each := refusals(run, records)) is not None]
    if not rows:
        return []
    lines = tuple(
        cells(clean(method), clean(task), *map(_share, (of.handled, of.right, of.false_refusals, of.false_answers)))
        for (method, task), of in rows
    )
    shown = [ReportTable(f"{clean(model)}: answering and refusing", _HEADS, lines, _LEGEND)]
    known = tuple(_risks(*where, of) for where, of in rows if of.curve)
    if known:
        shown.append(ReportTable(f"{clean(model)}: risk and coverage", _RISK_HEADS, known, _RISK_LEGEND))
    return shown


def risk_at(curve: Sequence[tuple[float, float]], coverage: float) -> float | None:
    """The risk where at least so much is covered; None where less is answered in all."""
    return next((risk for covered, risk in curve if covered >= coverage), None)


def _risks(method: str, task: str, of: Refusals) -> tuple[Text, ...]:
    risks = (risk_at(of.curve, coverage) for coverage in _COVERAGES)
    covered, risk = of.curve[-1]
    said = [NOTHING if each is None else f"{each:.3f}" for each in risks]
    area = NOTHING if of.area is None else f"{of.area:.3f}"
    return cells(clean(method), clean(task), *said, f"{risk:.3f}\nof {covered:.0%}", area, _share(of.at_threshold))


def _share(share: Share | None) -> str:
    if share is None:
        return NOTHING
    return f"{share.value:.3f}\n[{share.interval.low:.3f}, {share.interval.high:.3f}]"
