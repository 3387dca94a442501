"""What more training items are worth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.metrics.formats import clean, title
from bench.report.cases import Case
from bench.report.charts import lines
from bench.report.charts.chart import About
from bench.report.charts.lines import At, Series
from bench.report.html.blocks import Block, Section, figure

_LEAD = "Every method draws from the same training items, so that a point of one curve can be set against another's."


def section(cases: Sequence[Case]) -> Section:
    """A chart for each case whose suite asked for several sizes."""
    return Section("learning", "Learning curves", _LEAD, tuple(block for case in cases for block in _curve(case)))


def _curve(case: Case) -> Iterator[Block]:
    if case.family is None or not any(one.curve_size for one in case.family.answers):
        return
    whole = max((record.training.examples for record in case.records if record.training), default=0)
    points: dict[str, list[At]] = {}
    for one, interval in zip(case.family.answers, case.intervals, strict=True):
        size = one.curve_size or whole
        if size:
            point = At(float(size), one.score, interval.low, interval.high)
            points.setdefault(one.suite_method or one.label, []).append(point)
    series = [
        Series(clean(label), tuple(sorted(own, key=lambda at: at.x)), case.marks[label])
        for label, own in points.items()
        if len(own) > 1
    ]
    if series:
        metric = title(case.family.metric)
        about = About(
            f"{case.id}-learning",
            f"{case.title}: {metric} over training items",
            "Bands are 95% intervals over items and seeds.",
        )
        yield figure(lines.draw, about, series, "training items", metric, log_x=True)
