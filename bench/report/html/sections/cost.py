"""What each method costs over the period, what it is made of, and from which volume on one is cheaper than another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from bench.analysis.decision.candidates import Candidate
from bench.analysis.decision.rule import counted
from bench.analysis.decision.sensitivity import lines_of
from bench.analysis.decision.verdict import Verdict
from bench.analysis.summary import summarise
from bench.metrics import NAMES
from bench.metrics.formats import clean, number, title
from bench.report.cases import Case, of_runs
from bench.report.charts import bars, lines, scatter
from bench.report.charts.chart import About
from bench.report.charts.lines import At, Series
from bench.report.html.blocks import Block, Figure, Heading, More, Section, as_blocks, figure
from bench.report.html.sections.what_if import scenario
from bench.report.tables import costs, served

_LEAD = (
    "Money over the period: tuning and setup once, setup again for each update, and every query, as machine time at "
    "the prices named at the end; queries of a served model as its tokens. Hosting and people's time are in it only "
    "where the suite's decide block names them. Other prices need no new measurement."
)
_POINTS = 13  # of a line
_REACH = 100.0  # volumes are shown from a hundredth to a hundredfold of the one assumed
_MOST_LINES = 8


def section(cases: Sequence[Case]) -> Section:
    """Charts of quality against cost, cost by parts and over volume for each case; then the tables."""
    return Section("cost", "Cost", _LEAD, tuple(_blocks(cases)))


def _blocks(cases: Sequence[Case]) -> Iterator[Block]:
    for case in cases:
        if case.verdict is None or not case.verdict.standings:
            continue
        yield Heading(case.title)
        yield scenario(case, case.verdict)
        yield _pareto(case, case.verdict)
        yield _parts(case, case.verdict)
        yield _volumes(case, case.verdict)
    for run, own in of_runs(cases):
        rows = summarise(run)
        tables = []
        for model in dict.fromkeys(case.model for case in own):
            model_rows = [row for row in rows if row.model == model]
            tasks = list(dict.fromkeys(row.task for row in model_rows))
            tables += [*costs.tables(run, model, tasks, model_rows), *served.tables(run, model)]
        yield More("Time, memory, tokens, latency and money as tables", tuple(as_blocks(tables)))


def _pareto(case: Case, verdict: Verdict) -> Figure:
    metric, currency = verdict.family.metric, case.prices.currency
    points = [
        scatter.ScatterPoint(clean(one.label), one.cost / verdict.assumed.months, one.candidate.answers.score,
                      one.on_front >= 0.5, one.on_front, case.marks[one.label])
        for one in verdict.standings
    ]  # fmt: skip
    third = any(loss.value > 0 for one in verdict.standings for loss in one.candidate.losses)
    meaning = "Filled marks are Pareto-optimal in most bootstrap samples (share in brackets). "
    drawn = (
        "What is forgotten counts as a third objective, so no line is drawn."
        if third
        else "The line joins them: at each cost the best quality that is offered."
    )
    about = About(f"{case.id}-pareto", f"{case.title}: quality against cost", meaning + drawn)
    return figure(
        scatter.draw,
        about,
        points,
        f"{clean(currency)} a month, {counted(verdict.assumed, verdict.standings)}",
        title(metric),
        y_better="higher" if NAMES[metric].higher_is_better else "lower",
        show_x=lambda value: f"{value:.3g}",
        show_y=lambda value: number(metric, value),
        border=not third,
    )


def _parts(case: Case, verdict: Verdict) -> Figure:
    assumed, currency = verdict.assumed, case.prices.currency
    rows = []
    for one in verdict.standings:
        price = one.candidate.price
        parts = (
            ("tuning", price.search),
            ("setup", price.production),
            ("updates", assumed.months * assumed.updates_per_month * price.refresh),
            ("hosting", assumed.months * assumed.hosting(one.label)),
            ("people", assumed.people_once(one.label) + assumed.months * assumed.people_monthly(one.label)),
            ("queries", assumed.months * assumed.queries_per_month * price.query),
        )
        rows.append(bars.BarRow(clean(one.label), parts, index=case.marks[one.label]))
    paid = {name for row in rows for name, amount in row.parts if amount > 0}
    rows = [replace(row, parts=tuple(part for part in row.parts if part[0] in paid)) for row in rows]
    about = About(
        f"{case.id}-parts",
        f"{case.title}: what the cost is made of",
        f"Over {assumed.months:g} months of {assumed.queries_per_month:,.0f} queries and "
        f"{assumed.updates_per_month:g} updates a month.",
    )
    title_ = f"{clean(currency)}, {counted(assumed, verdict.standings)}"
    return figure(bars.draw, about, rows, title_, show=lambda value: f"{value:.3g}")


def _volumes(case: Case, verdict: Verdict) -> Figure:
    assumed, currency = verdict.assumed, case.prices.currency
    volumes = np.geomspace(assumed.queries_per_month / _REACH, assumed.queries_per_month * _REACH, _POINTS)
    series = []
    for one in verdict.standings[:_MOST_LINES]:
        line = one.candidate.line(assumed)
        band = _band(one.candidate, verdict, volumes)
        points = [At(float(x), line.at(float(x)), *limits) for x, limits in zip(volumes, band, strict=True)]
        series.append(Series(clean(one.label), tuple(points), case.marks[one.label]))
    about = About(
        f"{case.id}-volumes",
        f"{case.title}: cost over the number of queries",
        f"Over {assumed.months:g} months; bands go from the lowest to the highest seed. Where lines cross, the "
        "cheaper method changes.",
    )
    titles = ("queries a month", f"{clean(currency)} over the period, {counted(assumed, verdict.standings)}")
    rules = ((assumed.queries_per_month, "assumed"),)
    return figure(lines.draw, about, series, *titles, log_x=True, log_y=True, rules=rules)


def _band(candidate: Candidate, verdict: Verdict, volumes: np.ndarray) -> list[tuple[float | None, float | None]]:
    if len(candidate.prices) < 2:
        return [(None, None)] * len(volumes)
    costs_of_seeds = [[line.at(volume) for line in lines_of(candidate, verdict.assumed)] for volume in volumes]
    return [(min(each), max(each)) for each in costs_of_seeds]
