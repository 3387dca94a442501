"""Answering and refusing: at which risk how much is answered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.analysis.refusals import refusals
from bench.analysis.summary import by_method
from bench.metrics.formats import clean
from bench.report.cases import Case, models_of
from bench.report.charts import lines
from bench.report.charts.chart import About
from bench.report.charts.lines import At, Series
from bench.report.html.blocks import Block, Section, as_blocks, figure
from bench.report.tables import refusals as tables

_LEAD = (
    "Some questions have no answer. A method that answers them all the same is wrong, and so is one that refuses what "
    "it could have answered."
)


def section(cases: Sequence[Case]) -> Section:
    """The tables of every model, and for each case how risk grows with what is answered."""
    found = [table for run, model in models_of(cases) for table in tables.tables(run, model)]
    curves = [block for case in cases for block in _curves(case)]
    return Section("refusals", "Answering and refusing", _LEAD, (*as_blocks(found), *curves))


def _curves(case: Case) -> Iterator[Block]:
    series = []
    for (method, task), records in by_method(case.run, case.model).items():
        found = refusals(case.run, records) if task == case.task else None
        if found is not None and len(found.curve) > 1:
            points = tuple(At(coverage, risk) for coverage, risk in found.curve)
            series.append(Series(clean(method), points, case.marks[method]))
    if series:
        about = About(
            f"{case.id}-risk",
            f"{case.title}: risk and coverage",
            "The surest answers first; a line ends where the model refuses the rest. Of several seeds the first.",
        )
        yield figure(lines.draw, about, series, "share of items answered", "share of wrong answers among them")
