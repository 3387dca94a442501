"""The history of some runs as one page, in the style of the report: for each task a chart, its steps and its scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from bench.analysis.history.changepoints import ChangePoint, changes, shown
from bench.analysis.history.tracks import Dated, Panel, TrackPoint
from bench.metrics.formats import clean, number, signed, title
from bench.report.cases import marks_of
from bench.report.charts import lines
from bench.report.charts.chart import About
from bench.report.charts.lines import At, Series
from bench.report.files import write_page
from bench.report.html import page
from bench.report.html.blocks import Block, More, Points, Section, Table, figure
from bench.report.tables import history as tables

_LEAD = (
    "Bands are 95% intervals of single scores, over items and seeds. Steps are found on the same items in both runs, "
    "which shows smaller changes than two bands that part."
)


def write(runs: Sequence[Dated], panels: Sequence[Panel], file: Path) -> list[Path]:
    """Write the page and its data as `bench.report.files.write_page` does; the files written."""
    return write_page(file, html(runs, panels), tables.to_json(runs, panels))


def html(runs: Sequence[Dated], panels: Sequence[Panel]) -> str:
    """The page; the same records give the same bytes."""
    tested = [changes(panel) for panel in panels]
    marks = marks_of([one.run for one in reversed(runs)])  # as in the report of the newest run
    sections = [
        _summary(panels, tested),
        *(_section(i, runs, panel, own, marks) for i, (panel, own) in enumerate(zip(panels, tested, strict=True), 1)),
        Section(
            "runs", "Runs", "Numbered by the date of the latest record of each.", (Table(tables.runs_table(runs)),)
        ),
    ]
    facts = [f"{len(runs):,} run{'' if len(runs) == 1 else 's'}", f"{tables.day(runs[0])} to {tables.day(runs[-1])}"]
    name = ", ".join(dict.fromkeys(clean(one.run.suite) for one in runs))
    return page.write(name, "history", facts, sections, skip="Skip to the changes")


def _summary(panels: Sequence[Panel], tested: Sequence[Sequence[ChangePoint]]) -> Section:
    said = [text for panel, own in zip(panels, tested, strict=True) for text in _sentences(panel, own)]
    lead = "What is more than chance, after correction for the number of comparisons in each task."
    return Section("changes", "Changes", lead, (Points(tuple(said or ("No score changed by more than chance.",))),))


def _sentences(panel: Panel, tested: Sequence[ChangePoint]) -> Iterator[str]:
    for one in shown(tested):
        where = (
            f"at run {one.after}" if one.kind == "step" else f"little by little from run {one.before} to {one.after}"
        )
        size = number(panel.metric, abs(one.difference))
        yield (
            f"{clean(one.method)} on {clean(panel.task)} with {clean(panel.model)} became "
            f"{'better' if one.better else 'worse'} {where}: by {size} {title(panel.metric)}."
        )


def _section(
    place: int, runs: Sequence[Dated], panel: Panel, tested: Sequence[ChangePoint], marks: Mapping[str, int]
) -> Section:
    heading = f"{clean(panel.task)} with {clean(panel.model)}"
    return Section(f"panel-{place}", heading, _LEAD, tuple(_blocks(place, runs, panel, tested, marks)))


def _blocks(
    place: int, runs: Sequence[Dated], panel: Panel, tested: Sequence[ChangePoint], marks: Mapping[str, int]
) -> Iterator[Block]:
    metric = title(panel.metric)
    about = About(
        f"panel-{place}-chart", f"{clean(panel.task)}: {metric} over runs", "A line joins the same items alone."
    )
    series = [Series(clean(track.label), tuple(map(_at, track.points)), marks[track.method]) for track in panel.tracks]
    steps = [one for one in shown(tested) if one.kind == "step"]
    rules = [(float(one.after), f"{clean(one.method)} {signed(panel.metric, one.difference)}") for one in steps]
    show = partial(number, panel.metric)
    yield figure(lines.draw, about, series, "run", metric, whole_x=True, rules=rules, show_y=show)
    for table in (tables.overview(runs, panel, tested), *tables.change_tables(panel, tested)):
        yield Table(table)
    yield More("Every score as a table", (Table(tables.scores(runs, panel)),))


def _at(point: TrackPoint) -> At:
    low, high = (point.interval.low, point.interval.high) if point.interval else (None, None)
    return At(float(point.number), point.score, low, high)
