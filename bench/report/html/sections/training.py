"""How options were chosen, how training went, and how much better training items are known than test items."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.metrics.formats import clean
from bench.report.cases import Case, models_of
from bench.report.charts import lines
from bench.report.charts.chart import About
from bench.report.charts.lines import At, Series
from bench.report.html.blocks import Block, More, Section, as_blocks, figure
from bench.report.tables import prompts, teaching, tuning

_LEAD = (
    "Options were chosen on the validation split, with as many trials for every method that has a choice. Loss that "
    "falls on training items and rises on validation items is overfitting."
)


def section(cases: Sequence[Case]) -> Section:
    """Loss curves of each case; the tables of options and of fit."""
    return Section("training", "Tuning and overfitting", _LEAD, tuple(_blocks(cases)))


def _blocks(cases: Sequence[Case]) -> Iterator[Block]:
    for case in cases:
        yield from _losses(case)
    for run, model in models_of(cases):
        if teachers := tuple(as_blocks(teaching.tables(run, model))):
            yield More("Teachers, whose answers were learnt from, as a table", teachers)
        if searched := tuple(as_blocks(prompts.tables(run, model))):
            yield More("Prompts that were searched for with the model, as tables", searched)
        tables = tuple(as_blocks(tuning.tables(run, model)))
        if tables:
            yield More("Options tried, and scores on training items, as tables", tables)


def _losses(case: Case) -> Iterator[Block]:
    """Validation loss over steps, of the first seed of each method."""
    series = []
    for label in dict.fromkeys(record.method for record in case.records):
        trained = [record.training for record in case.records if record.method == label and record.training]
        losses = next((training.validation_loss for training in trained if training.validation_loss), ())
        if losses:
            points = tuple(At(float(step), loss) for step, loss in losses)
            series.append(Series(clean(label), points, case.marks[label]))
    if series:
        about = About(
            f"{case.id}-loss",
            f"{case.title}: validation loss while training",
            "First seed. A line that turns upwards has begun to learn its examples by heart.",
        )
        yield figure(lines.draw, about, series, "step", "validation loss (nats per answer token)", whole_x=True)
