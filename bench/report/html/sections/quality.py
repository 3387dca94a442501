"""How good each method is, with its doubt, and which differences hold."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from string import ascii_lowercase

from bench.analysis.calibration import calibration
from bench.analysis.summary import by_method, summarise
from bench.core.record import Run
from bench.metrics import NAMES
from bench.metrics.formats import clean, number, title
from bench.report.cases import Case, of_runs
from bench.report.charts import dots, lines
from bench.report.charts.chart import About
from bench.report.charts.marks import NEUTRAL
from bench.report.html.blocks import Block, Heading, More, Paragraph, Section, as_blocks, figure
from bench.report.html.sections import labels
from bench.report.table import ReportTable
from bench.report.tables import calibration as calibration_tables
from bench.report.tables import comparison
from bench.report.tables import scores as score_tables
from bench.report.tables.scores import winner

_LEAD = (
    "Scores with 95% intervals of these checkpoints on new items. Methods that share a letter are not significantly "
    "different in pairwise tests on the same items, corrected for their number; that is no proof that they are equal."
)


def section(cases: Sequence[Case]) -> Section:
    """For each case a chart of scores and the table of differences; then the tables of scores."""
    return Section("quality", "Quality", _LEAD, tuple(_blocks(cases)))


def _blocks(cases: Sequence[Case]) -> Iterator[Block]:
    for case in cases:
        if case.family is None:
            continue
        yield Heading(case.title)
        methods = [one.label for one in case.answers]
        yield from scores(case, f"{case.id}-quality", methods, f"{case.title}: {title(case.family.metric)}")
        for left_out in case.family.left_out:
            yield Paragraph(f"Left out: {clean(left_out)}")
        yield from _reliability(case)
        yield from labels.blocks(case)
        if case.family.differences:
            yield More("Every pair of methods", tuple(as_blocks(comparison.tables([case.family]))))
    found = [
        block
        for run, own in of_runs(cases)
        for model in dict.fromkeys(case.model for case in own)
        for block in as_blocks(_tables(run, model))
    ]
    yield More("All scores as tables", tuple(found))


def _reliability(case: Case) -> Iterator[Block]:
    """Share of correct answers against the confidence they were given with, of the methods whose choices have both."""
    curves = []
    for (method, task), records in by_method(case.run, case.model).items():
        found = calibration(case.run, records) if task == case.task and records[0].kind == "choice" else None
        if found is not None:
            points = tuple(lines.At(sure, share) for count, sure, share in found.bins if count)
            curves.append(lines.Series(clean(method), points, case.marks[method]))
    if curves:
        about = About(
            f"{case.id}-reliability",
            f"{case.title}: reliability",
            "Answers in 15 bins of confidence. Below the line of perfect calibration a method is too sure of itself.",
        )
        perfect = lines.Series("perfect calibration", (lines.At(0.0, 0.0), lines.At(1.0, 1.0)), NEUTRAL)
        titles = ("confidence (probability of the answer)", "share of correct answers")
        yield More("Calibration", (figure(lines.draw, about, [*curves, perfect], *titles),))


def _tables(run: Run, model: str) -> list[ReportTable]:
    rows = [row for row in summarise(run) if row.model == model]
    tasks = list(dict.fromkeys(row.task for row in rows))
    return [*score_tables.tables(run, model, tasks, rows), *calibration_tables.tables(run, model)]


def scores(case: Case, name: str, methods: Collection[str], heading: str) -> Iterator[Block]:
    """A chart of the scores of some methods of a case, the best first."""
    assert case.family is not None
    metric = case.family.metric
    shown = [one for one in case.family.answers if one.label in methods]
    if not shown:
        return
    letters = _letters(case)
    best = winner(case.family)
    rows = [
        dots.DotRow(
            clean(one.label),
            one.score,
            case.interval(one.label).low,
            case.interval(one.label).high,
            group=letters.get(one.label, ""),
            best=one.label == best,
            index=case.marks[one.label],
        )
        for one in shown
    ]
    better = "more is better" if NAMES[metric].higher_is_better else "less is better"
    about = About(
        name, heading, f"{title(metric)} on {len(shown[0].ids):,} test items, {better}; bars are 95% intervals."
    )
    line = case.headline.reference if case.headline else None
    reference = (line.score, f"{line.label} {number(metric, line.score)}") if line else None
    yield figure(dots.draw, about, rows, title(metric), show=lambda value: number(metric, value), reference=reference)


def _letters(case: Case) -> dict[str, str]:
    """Method -> the letters of its tie groups, where there are any; groups beyond the last letter have none."""
    assert case.family is not None
    groups = [group for group in case.family.ties.groups if len(group) > 1] if case.family.ties else []
    found: dict[str, str] = {}
    for letter, group in zip(ascii_lowercase, groups, strict=False):
        for label in group:
            found[label] = found.get(label, "") + letter
    return found
